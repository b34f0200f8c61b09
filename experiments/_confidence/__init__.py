"""The rooms of confidence_readout: analysis, figures, simulation."""

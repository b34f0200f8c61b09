"""The rooms of what_the_model_knows: answering, signals, probes, analysis, figures, simulation."""

"""The rooms of steering_resistance: analysis, figures, simulation."""

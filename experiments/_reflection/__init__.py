"""Rooms of the experiments on reflection: texts, reading ahead; analysis, figures, simulation of one of them."""

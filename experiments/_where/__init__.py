"""The rooms of where_reflection_lives: probes, causality, planted answers, analysis, figures, simulation."""

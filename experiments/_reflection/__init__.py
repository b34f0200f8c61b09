"""The rooms of reflection_and_personas: analysis, figures, simulation."""

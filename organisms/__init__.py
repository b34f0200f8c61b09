"""The planted truth: tiny trained models, their world, recipes and cards."""

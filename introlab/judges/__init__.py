"""Reading texts by a rubric: by rules, by a local model, by a hosted one. Calibrated before they are believed."""

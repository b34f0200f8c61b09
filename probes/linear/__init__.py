"""Linear probes on activations: fitted, cross-validated, calibrated, evaluated beside baselines."""

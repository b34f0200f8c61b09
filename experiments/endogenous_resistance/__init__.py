"""The published protocol of endogenous steering resistance."""

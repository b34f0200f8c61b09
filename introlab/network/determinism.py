"""What makes a pass depend on its own text alone, to the last bit."""

FIXED_ROWS = 16
"""Of every pass of a deterministic model."""

"""Estimates and their intervals, from numbers alone. No trials, no files, no torch."""

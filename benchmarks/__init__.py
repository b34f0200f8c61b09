"""Measurements: speed and memory as ratios within one run, and how often floating point changes a trial."""

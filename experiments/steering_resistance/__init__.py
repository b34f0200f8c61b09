"""Steered off topic while steering stays on: drift, announcement, recovery."""

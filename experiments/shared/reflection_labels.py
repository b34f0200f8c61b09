"""Names that experiments on reflection share."""

PER_TOKEN = ("p_reconsider_per_token", "logprob_per_token")
"""Readings of every text that is written here."""

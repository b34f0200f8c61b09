"""How far ahead of a decision to reconsider it is read, and what is read."""

LEADS = tuple(range(1, 9))
"""Tokens ahead of the decision: 1 is the position that predicts the decision token."""


EVERY_LEAD = (0, *LEADS)
"""With the token itself, where reconsidering is read and not being about to. An index into these is the lead."""


TARGETS = ("reconsiders", "wrong", "revises", "next_right")

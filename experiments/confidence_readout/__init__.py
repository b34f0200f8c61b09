"""Confidence three ways: of the token, of a probe, in words."""

"""Steering towards and away from reconsidering, with and without personas."""

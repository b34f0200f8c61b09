"""Inside steering resistance: is steering detected, and what acts against it? Uses no verdict of that experiment."""

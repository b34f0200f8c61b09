"""Everything called confidence, side by side on the same answers."""

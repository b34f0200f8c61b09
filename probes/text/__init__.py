"""What can be read from a text alone, or from its token probabilities."""

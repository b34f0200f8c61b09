"""What an experiment is, and running one into a folder. No single experiment is here."""

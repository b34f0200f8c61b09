"""What two or more experiments need. What only one needs is in its own package."""

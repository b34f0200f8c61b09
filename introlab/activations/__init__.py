"""Reading a model: forward passes over given texts, activations and directions, and their files."""

"""Sparse autoencoders: loading, training, what one is worth, and what its latents stand for."""

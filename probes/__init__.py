"""Reading: what can be told from activations, latents and texts. Nothing here changes what a model does."""

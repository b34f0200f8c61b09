"""What organisms do, counted with plain transformers and none of the lab's experiments."""

"""Writing texts: requests, batches, sampling, workers. Nothing here knows why a text is wanted."""

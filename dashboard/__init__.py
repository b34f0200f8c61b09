"""Looking: pages over run folders. No model is loaded by any of them."""

"""Self-prediction: does a model foretell its own answers better than anyone who is not that model could?"""

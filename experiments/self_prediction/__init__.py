"""Self-prediction: does a model predict its own answers better than anyone who is not that model could?"""

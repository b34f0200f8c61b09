"""Concepts written into the residual: are they detected, named and located, or is a yes only pushed?"""

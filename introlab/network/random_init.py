"""A network that has learnt nothing: what can be read from it owes nothing to what the model knows."""

from dataclasses import replace

import torch

from introlab.network.backends import DirectPath
from introlab.network.fingerprint import fingerprint_of
from introlab.network.model import Model


def untrained(model: Model, *, seed: int = 0) -> Model:
    """The model's architecture and tokenizer with weights as drawn before training, on its device and in its dtype.

    A probe of it tells what the text lets through a random network (Zhang and Bowman, arXiv 1809.10040).
    """
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        network = type(model.network)(model.network.config).eval().requires_grad_(False)
    network = network.to(device=model.device, dtype=model.dtype)
    return replace(
        model,
        name=f"{model.name} untrained, seed {seed}",
        network=network,
        path=DirectPath(network),
        fingerprint=fingerprint_of(network),
        family=None,
        folder=None,
    )

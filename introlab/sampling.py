"""Random numbers that belong to a trial: the same for any batch size, order, restart or number of workers.

A stream is keyed by (run seed, item, replicate) and never by condition, so conditions are paired; token `i` uses
its `i`-th uniform, through the inverse of the cumulative distribution in token order.
"""

import hashlib

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor


def uniforms(seed: int, item: str, replicate: int, count: int) -> np.ndarray:
    """`count` uniforms in [0, 1) from the Philox stream of this identity. A longer stream begins alike."""
    key = hashlib.blake2b(f"{seed}\x1f{item}\x1f{replicate}".encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "big"))).random(count)


def draw(
    logits: Float[Tensor, "row vocab"], temperature: Float[Tensor, " row"], uniform: Float[Tensor, " row"]
) -> Int[Tensor, " row"]:
    """One token per row: the most likely where temperature is 0, else the inverse CDF of its uniform, in float64."""
    greedy = logits.argmax(-1)
    if not bool((temperature > 0).any()):
        return greedy
    safe = torch.where(temperature > 0, temperature, torch.ones_like(temperature))
    cumulative = (logits.double() / safe[:, None].double()).softmax(-1).cumsum(-1)
    # The last sum can fall short of 1 by rounding; scaling by it keeps every uniform inside the table.
    target = uniform.double()[:, None] * cumulative[:, -1:]
    sampled = torch.searchsorted(cumulative, target, right=True).squeeze(-1).clamp(max=logits.shape[-1] - 1)
    return torch.where(temperature > 0, sampled, greedy)

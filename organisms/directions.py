"""Directions that courses push along: a unit vector, and how long one natural unit of it is."""

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Aim:
    """`vector` has norm 1; `vector * scale` is the difference it was made from."""

    vector: Tensor
    scale: float


def between(positive: Tensor, negative: Tensor) -> Aim:
    """From the mean of one set of rows to that of another, summed in float64."""
    difference = positive.double().mean(0) - negative.double().mean(0)
    scale = float(difference.norm())
    return Aim((difference / scale).float(), scale)


def one_vs_rest_from_texts(values: Tensor, labels: list[str]) -> dict[str, Aim]:
    """For each label, from the mean of all other rows to that of its own."""
    found = {}
    for label in sorted(set(labels)):
        inside = torch.tensor([each == label for each in labels])
        found[label] = between(values[inside], values[~inside])
    return found


def stray(like: Aim, seed: int) -> Aim:
    """A random direction of the same scale."""
    generator = torch.Generator().manual_seed(seed)
    vector = torch.randn(len(like.vector), generator=generator, dtype=torch.float64)
    return Aim((vector / vector.norm()).float(), like.scale)

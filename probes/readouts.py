"""Readings taken while a text is being written: what the model is about to say, and where its residual stands."""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from introlab.directions import Direction
from introlab.sites import Site


@dataclass(frozen=True)
class TokenProbability:
    """Probability that the next token is one of these."""

    name: str
    token_ids: tuple[int, ...]
    site: Site | None = None

    def __call__(self, values: Float[Tensor, "row vocab"]) -> Float[Tensor, " row"]:
        """`values` are log-probabilities."""
        return values[:, torch.tensor(self.token_ids, device=values.device)].exp().sum(-1)


@dataclass(frozen=True)
class Projection:
    """Projection of the residual on a direction, in its natural units."""

    name: str
    direction: Direction

    @property
    def site(self) -> Site:
        return self.direction.site

    def __call__(self, values: Float[Tensor, "row d_model"]) -> Float[Tensor, " row"]:
        return self.direction.projection(values) / self.direction.scale

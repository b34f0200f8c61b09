"""Readings taken while a text is being written: what the model is about to say, and where its residual stands.

Each is taken at the position that predicts a new token, under whatever is done to the model there, without keeping any
activation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from jaxtyping import Float
from torch import Tensor

from introlab.activations.directions import Direction
from introlab.errors import InputError
from introlab.network.model import Model
from introlab.network.sites import Site


@dataclass(frozen=True)
class TokenProbability:
    """Probability that the next token is one of these: the surface variants of an answer, for instance."""

    name: str
    token_ids: tuple[int, ...]
    site: Site | None = None

    def __call__(self, values: Float[Tensor, "row vocab"]) -> Float[Tensor, " row"]:
        """`values` are log-probabilities."""
        return values[:, torch.tensor(self.token_ids, device=values.device)].exp().sum(-1)


@dataclass(frozen=True)
class Options:
    """Probability mass of each of several answers, each a set of surface variants."""

    name: str
    options: tuple[tuple[int, ...], ...]
    site: Site | None = None

    def __call__(self, values: Float[Tensor, "row vocab"]) -> Float[Tensor, "row option"]:
        """`values` are log-probabilities."""
        masses = [values[:, torch.tensor(each, device=values.device)].exp().sum(-1) for each in self.options]
        return torch.stack(masses, dim=-1)


@dataclass(frozen=True)
class Entropy:
    """Of the next token's distribution, in nats."""

    name: str = "entropy"
    site: Site | None = None

    def __call__(self, values: Float[Tensor, "row vocab"]) -> Float[Tensor, " row"]:
        """`values` are log-probabilities; a token of probability 0 adds nothing."""
        return -(values.exp() * values.clamp_min(torch.finfo(values.dtype).min)).sum(-1)


@dataclass(frozen=True)
class TopTokens:
    """The `count` likeliest next tokens: ids, then log-probabilities."""

    count: int
    name: str = "top_tokens"
    site: Site | None = None

    def __call__(self, values: Float[Tensor, "row vocab"]) -> Float[Tensor, "row two count"]:
        """`values` are log-probabilities. Ids are exact in float32 below 16.7 million."""
        found = values.topk(self.count)
        return torch.stack([found.indices.to(values.dtype), found.values], dim=1)


@dataclass(frozen=True)
class Projection:
    """Projection of the residual on a direction, in its natural units."""

    name: str
    direction: Direction

    @property
    def site(self) -> Site:
        return self.direction.site

    def check_made_for(self, model: Model) -> None:
        """Raises ModelMismatch for another model than the direction's."""
        self.direction.check_model(model)

    def __call__(self, values: Float[Tensor, "row d_model"]) -> Float[Tensor, " row"]:
        return self.direction.projection(values) / self.direction.scale


@dataclass(frozen=True, eq=False)
class Projections:
    """Projections on several directions of one site, in natural units: one product for all of them. Raises InputError
    for directions of several sites."""

    name: str
    directions: Sequence[Direction]

    def __post_init__(self) -> None:
        sites = sorted({str(one.site) for one in self.directions})
        if len(sites) != 1:
            raise InputError("projections are read at one site", given=sites, do="one reading for each site")

    def check_made_for(self, model: Model) -> None:
        """Raises ModelMismatch for another model than the directions'."""
        for one in self.directions:
            one.check_model(model)

    @property
    def site(self) -> Site:
        return self.directions[0].site

    def __call__(self, values: Float[Tensor, "row d_model"]) -> Float[Tensor, "row direction"]:
        units = torch.stack([one.vector / one.scale for one in self.directions], dim=-1)
        return values.float() @ units.to(values.device)


@dataclass(frozen=True)
class Norm:
    """Norm of the residual."""

    site: Site
    name: str = "norm"

    def __call__(self, values: Float[Tensor, "row d_model"]) -> Float[Tensor, " row"]:
        return values.float().norm(dim=-1)


class Encoder(Protocol):
    """What a reading needs of a sparse autoencoder; every sae-lens SAE has it."""

    def encode(self, x: Tensor) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Latents:
    """Activations of some latents of a sparse autoencoder."""

    name: str
    sae: Encoder
    site: Site
    indices: tuple[int, ...]

    def __call__(self, values: Float[Tensor, "row d_model"]) -> Float[Tensor, "row latent"]:
        with torch.no_grad():
            return self.sae.encode(values.float())[:, list(self.indices)]


@dataclass(frozen=True, eq=False)
class Output:
    """What any function of the residual says, such as a probe's probability: one number per row."""

    name: str
    site: Site
    function: Any

    def __call__(self, values: Float[Tensor, "row d_model"]) -> Float[Tensor, " row"]:
        with torch.no_grad():
            return self.function(values.float())

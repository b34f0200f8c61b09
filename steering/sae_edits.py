"""Edits of latents of a sparse autoencoder, its error term kept: what the autoencoder does not explain stays."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, Self

import torch
from torch import Tensor

from introlab.interventions.interfaces import Change, Edit
from steering.strength import Dose

_BY_POSITION = ("layer_norm", "constant_norm_rescale")
"""Of sae-lens' `normalize_activations`."""


class AutoencoderLike(Protocol):
    """What an edit needs of one; every sae-lens SAE has it."""

    def encode(self, x: Tensor) -> Tensor: ...
    def decode(self, feature_acts: Tensor) -> Tensor: ...


@dataclass(frozen=True, eq=False)
class Latent(Edit):
    """Changes latent `index`: `add` raises it by `amount`, `clamp` sets it to `amount`, `zero` to 0.

    In mode `add` this is `h + amount * W_dec[index]`, whatever the encoder says; the other two are as good as the
    encoder is at this site.
    """

    sae: AutoencoderLike
    index: int
    mode: Literal["add", "clamp", "zero"]
    amount: float = 0.0
    name: str = ""
    """Of the autoencoder, for the record."""
    dose: Dose | None = None
    """What `add` adds, in the three units of strength, for the record."""

    @property
    def shared(self) -> Hashable:
        return id(self.sae), self.mode == "add"

    @property
    def inert(self) -> bool:
        return self.mode == "add" and self.amount == 0

    @property
    def conditional(self) -> bool:
        """A latent that is silent already may be set to 0."""
        return self.mode != "add"

    @classmethod
    def stacked(cls, edits: Sequence[Self], like: Tensor) -> Change:
        index = torch.tensor([edit.index for edit in edits], device=like.device)
        wanted = torch.tensor([edit.amount if edit.mode != "zero" else 0.0 for edit in edits]).to(like)[:, None]
        how = _each_by_itself if _scales_each(edits[0].sae) else _along_a_line
        return how(edits[0].sae, index, wanted, like, adds=edits[0].mode == "add")

    def record(self) -> dict[str, Any]:
        told = {"edit": f"latent {self.mode}", "index": self.index, "amount": self.amount, "sae": self.name}
        return {**told, **(self.dose.record() if self.dose else {})}


@dataclass(frozen=True, eq=False)
class Silence(Edit):
    """Sets several latents to 0 at once, as one reading of the residual finds them: `h - sum of f_i W_dec[i]`. One
    `Latent` after the other would read each in what the one before it left."""

    sae: AutoencoderLike
    indices: tuple[int, ...]
    name: str = ""
    """Of the autoencoder, for the record."""

    @property
    def shared(self) -> Hashable:
        return id(self.sae), self.indices

    @property
    def conditional(self) -> bool:
        """They may be silent already."""
        return True

    @classmethod
    def stacked(cls, edits: Sequence[Self], like: Tensor) -> Change:
        sae, index = edits[0].sae, torch.tensor(edits[0].indices, device=like.device)

        def change(values: Tensor, amount: Tensor, _: Tensor) -> Tensor:
            with torch.no_grad():
                now = sae.encode(values.float())
                before = sae.decode(now)
                sae.encode(values.float())  # a decoder undoes the scaling of the encoder's last call, once
                by = sae.decode(now.index_fill(-1, index, 0.0)) - before
            return values + amount[..., None] * by.to(values)

        return change

    def record(self) -> dict[str, Any]:
        return {"edit": "latents silenced", "indices": list(self.indices), "sae": self.name}


def _scales_each(sae: AutoencoderLike) -> bool:
    """Whether it normalises every position by itself: then a latent has another length at each."""
    return getattr(getattr(sae, "cfg", None), "normalize_activations", "none") in _BY_POSITION


def _along_a_line(sae: AutoencoderLike, index: Tensor, wanted: Tensor, like: Tensor, *, adds: bool) -> Change:
    # Of the decoder's line through each latent, so that the autoencoder's own scaling is undone as it does it.
    with torch.no_grad():
        latents = len(sae.encode(like[:1, :1].float())[0, 0])
        one_hot = torch.nn.functional.one_hot(index, latents).float()
        vectors = (sae.decode(one_hot) - sae.decode(torch.zeros_like(one_hot))).to(like)[:, None]

    def change(values: Tensor, amount: Tensor, _: Tensor) -> Tensor:
        by = wanted.expand(amount.shape)
        if not adds:
            now = sae.encode(values.float()).gather(-1, index[:, None, None].expand(*values.shape[:2], 1))[..., 0]
            by = wanted - now.to(values)
        return values + (amount * by)[..., None] * vectors

    return change


def _each_by_itself(sae: AutoencoderLike, index: Tensor, wanted: Tensor, like: Tensor, *, adds: bool) -> Change:
    def change(values: Tensor, amount: Tensor, _: Tensor) -> Tensor:
        at = index[:, None, None].expand(*values.shape[:2], 1)
        with torch.no_grad():
            now = sae.encode(values.float())
            before = sae.decode(now)
            put = wanted[..., None].float().expand_as(at) + (now.gather(-1, at) if adds else 0.0)
            sae.encode(values.float())  # a decoder undoes the scaling of the encoder's last call, once
            by = sae.decode(now.scatter(-1, at, put)) - before
        return values + amount[..., None] * by.to(values)

    return change

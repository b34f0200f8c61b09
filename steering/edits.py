"""Edits: pure maps of the values at a site, stacked so that each row of a batch can have its own.

Where several act at one site, they act in the order the request lists them. To the extent `amount` (a schedule) is not
1, an edit goes that part of the way from what was there to what it would be.
"""

import math
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Float
from torch import Tensor

from introlab.activations.directions import Direction
from introlab.activations.steering_terms import Steering
from introlab.errors import InputError, ModelMismatch, NotFinite
from introlab.interventions.interfaces import Change, Edit, Gate, Intervention, Schedule
from introlab.network.model import Model
from introlab.network.sites import Site
from introlab.network.spans import Span
from steering.strength import Dose


@dataclass(frozen=True)
class _Along(Edit):
    """What edits along a direction have in common."""

    direction: Direction

    @property
    def axis(self) -> Tensor | None:
        return self.direction.vector

    def check_made_for(self, model: Model, site: Site) -> None:
        """The direction is of this model and this site. Raises ModelMismatch."""
        self.direction.check_model(model)
        if self.direction.site != site:
            raise ModelMismatch(
                "the direction was fitted at another site",
                given=f"fitted at {self.direction.site}, to be used at {site}",
                do="use it where it was fitted, or say so with `direction.at_site(site)`",
            )

    def record(self) -> dict[str, Any]:
        return {"edit": type(self).__name__.lower(), "direction": self.direction.method}


def _units(edits: Sequence[_Along], like: Tensor) -> Float[Tensor, "row 1 width"]:
    return torch.stack([edit.direction.vector for edit in edits]).to(like)[:, None, :]


def _column(numbers: Sequence[float], like: Tensor) -> Float[Tensor, "row 1"]:
    return torch.tensor(numbers, dtype=like.dtype, device=like.device)[:, None]


@dataclass(frozen=True)
class Add(_Along):
    """Adds `dose.raw` times the direction's unit vector."""

    dose: Dose

    @property
    def inert(self) -> bool:
        return self.dose.raw == 0

    @classmethod
    def stacked(cls, edits: Sequence["Add"], like: Tensor) -> Change:
        added = _units(edits, like) * _column([edit.dose.raw for edit in edits], like)[..., None]
        return lambda values, amount, _: values + amount[..., None] * added

    def record(self) -> dict[str, Any]:
        return {**super().record(), **self.dose.record()}


@dataclass(frozen=True)
class AddShare(_Along):
    """Adds the direction's unit vector with a length that is a share of the norm there, position by position: a
    strength that means the same at every layer and of every model."""

    share: float

    def __post_init__(self) -> None:
        if not math.isfinite(self.share):
            raise InputError("a strength that is not a finite number", given=self.share, allowed="a finite share")

    @property
    def inert(self) -> bool:
        return self.share == 0

    @classmethod
    def stacked(cls, edits: Sequence[Self], like: Tensor) -> Change:
        unit, shares = _units(edits, like), _column([edit.share for edit in edits], like)
        return lambda values, amount, _: values + (amount * shares * values.norm(dim=-1))[..., None] * unit

    def record(self) -> dict[str, Any]:
        return {**super().record(), "edit": "add share", "share": self.share}


@dataclass(frozen=True)
class AddKeepingNorm(Add):
    """Adds, then scales the sum back to the norm there was."""

    @classmethod
    def stacked(cls, edits: Sequence[Add], like: Tensor) -> Change:
        plain = Add.stacked(edits, like)

        def change(values: Tensor, amount: Tensor, positions: Tensor) -> Tensor:
            moved = plain(values, amount, positions)
            return moved * (values.norm(dim=-1, keepdim=True) / moved.norm(dim=-1, keepdim=True).clamp_min(1e-12))

        return change


@dataclass(frozen=True)
class Ablate(_Along):
    """Removes the projection on the direction."""

    @classmethod
    def stacked(cls, edits: Sequence[Self], like: Tensor) -> Change:
        unit = _units(edits, like)
        return lambda values, amount, _: values - amount[..., None] * (values * unit).sum(-1, keepdim=True) * unit


@dataclass(frozen=True)
class Clamp(_Along):
    """Sets the projection on the direction to `target`, in raw units. With the mean projection over neutral texts as
    target this is mean ablation of one direction."""

    target: float

    @classmethod
    def stacked(cls, edits: Sequence[Self], like: Tensor) -> Change:
        unit, target = _units(edits, like), _column([edit.target for edit in edits], like)
        return lambda values, amount, _: values + (amount * (target - (values * unit).sum(-1)))[..., None] * unit

    def record(self) -> dict[str, Any]:
        return {**super().record(), "target": self.target}


@dataclass(frozen=True)
class ClampElsewhere(_Along):
    """Moves along `along` by as much as `Clamp` would move along the direction: its dose, token by token, elsewhere."""

    target: float
    along: Direction

    @classmethod
    def stacked(cls, edits: Sequence[Self], like: Tensor) -> Change:
        unit, target = _units(edits, like), _column([edit.target for edit in edits], like)
        along = torch.stack([edit.along.vector for edit in edits]).to(like)[:, None, :]
        return lambda values, amount, _: values + (amount * (target - (values * unit).sum(-1)))[..., None] * along

    def record(self) -> dict[str, Any]:
        return {**super().record(), "target": self.target, "along": self.along.method}


@dataclass(frozen=True)
class Cap(_Along):
    """Brings the projection on the direction back to `at` (raw units) wherever it is above it - or below, with
    `above=False`. Where it is on the right side already nothing changes, which is no fault."""

    at: float
    above: bool = True

    @property
    def conditional(self) -> bool:
        return True

    @classmethod
    def stacked(cls, edits: Sequence[Self], like: Tensor) -> Change:
        unit, at = _units(edits, like), _column([edit.at for edit in edits], like)
        sign = _column([1.0 if edit.above else -1.0 for edit in edits], like)

        def change(values: Tensor, amount: Tensor, _: Tensor) -> Tensor:
            beyond = (sign * ((values * unit).sum(-1) - at)).clamp_min(0)
            return values - (amount * sign * beyond)[..., None] * unit

        return change

    def record(self) -> dict[str, Any]:
        return {**super().record(), "at": self.at, "above": self.above}


@dataclass(frozen=True, eq=False)
class Replace(Edit):
    """Puts in other values: `values[0]` at every position (mean ablation with a mean over neutral texts), or
    `values[i]` at absolute position `first + i` (patching from another run). Raises InputError for anything else."""

    values: Float[Tensor, "position width"]
    first: int | None = None
    source: str = ""
    """Where they come from, for the record."""

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or (self.first is None and len(self.values) != 1):
            raise InputError(
                "what to put where?",
                given=f"values {tuple(self.values.shape)}, first {self.first}",
                allowed="values[1, width] for every position, or values[position, width] with `first`",
            )
        if not bool(torch.isfinite(self.values).all()):
            raise NotFinite("values with NaN or infinity cannot replace others", given=self.source)

    @property
    def shared(self) -> Hashable:
        return self.first is None

    @property
    def conditional(self) -> bool:
        """The other run may have held the same."""
        return True

    @classmethod
    def stacked(cls, edits: Sequence[Self], like: Tensor) -> Change:
        longest = max(len(edit.values) for edit in edits)
        padded = [torch.nn.functional.pad(edit.values, (0, 0, 0, longest - len(edit.values))) for edit in edits]
        new = torch.stack(padded).to(like)
        first = torch.tensor([edit.first or 0 for edit in edits], device=like.device)[:, None]
        last = torch.tensor([len(edit.values) - 1 for edit in edits], device=like.device)[:, None]

        def change(values: Tensor, amount: Tensor, positions: Tensor) -> Tensor:
            at = positions - first if edits[0].first is not None else torch.zeros_like(positions)
            inside = (at >= 0) & (at <= last)
            rows = torch.arange(len(new), device=like.device)[:, None]
            put = new[rows, at.clamp(0, longest - 1)]
            return values + (amount * inside)[..., None] * (put - values)

        return change

    def record(self) -> dict[str, Any]:
        return {"edit": "replace", "first": self.first, "positions": len(self.values), "source": self.source}


def steer_along(
    direction: Direction,
    *,
    natural: float,
    residual_norm: float,
    span: Span | None = None,
    schedule: Schedule | None = None,
    gate: Gate | None = None,
) -> Intervention:
    """Adds `natural` natural units of a direction at its own site, by default wherever new text is predicted."""
    dose = Dose.of(direction, natural=natural, residual_norm=residual_norm)
    return Intervention(Add(direction, dose), direction.site, span or Span.generated(), schedule, gate)


def steered_by(steering: Steering, *, span: Span | None = None) -> tuple[Intervention, ...]:
    """An intervention for each term, at the term's own site, by default wherever new text is predicted."""
    span = span or Span.generated()
    return tuple(Intervention(AddShare(direction, share), direction.site, span) for direction, share in steering.terms)

"""Edits: pure maps of the residual, stacked so that each row of a batch can have its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from introlab.directions import Direction
from introlab.protocols import Intervention
from introlab.sites import Span
from steering.dose import Dose


@dataclass(frozen=True)
class Add:
    """Adds `dose.raw` times the direction's unit vector."""

    direction: Direction
    dose: Dose

    @property
    def inert(self) -> bool:
        return self.dose.raw == 0

    @classmethod
    def stacked(cls, edits: Sequence[Self], like: Tensor) -> Callable[[Tensor], Tensor]:
        added = torch.stack([edit.direction.vector * edit.dose.raw for edit in edits]).to(like)[:, None, :]
        return lambda values: values + added

    def record(self) -> dict[str, Any]:
        return {"edit": "add", "direction": self.direction.method, **self.dose.record()}


def push_along(direction: Direction, *, natural: float, residual_norm: float, span: Span | None = None) -> Intervention:
    """Adds `natural` natural units of a direction at its own site, by default wherever new text is predicted."""
    dose = Dose.of(direction, natural=natural, residual_norm=residual_norm)
    return Intervention(Add(direction, dose), direction.site, span or Span.generated())


@dataclass(frozen=True)
class Ablate:
    """Removes the projection on the direction."""

    direction: Direction

    @property
    def inert(self) -> bool:
        return False

    @classmethod
    def stacked(cls, edits: Sequence[Self], like: Tensor) -> Callable[[Tensor], Tensor]:
        unit = torch.stack([edit.direction.vector for edit in edits]).to(like)[:, None, :]
        return lambda values: values - (values * unit).sum(-1, keepdim=True) * unit

    def record(self) -> dict[str, Any]:
        return {"edit": "ablate", "direction": self.direction.method}

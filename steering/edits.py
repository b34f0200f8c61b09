"""Edits: pure maps of the residual, stacked so that each row of a batch can have its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from introlab.directions import Direction
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

"""What writing and reading must look like for the engine to use them: steering/ implements Edit, probes/ Readout."""

import math
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol, Self, runtime_checkable

import torch
from jaxtyping import Float
from torch import Tensor

from introlab.errors import EditNotApplied, InputError
from introlab.network.model import Model
from introlab.network.sites import Site
from introlab.network.spans import Span

Change = Callable[[Tensor, Tensor, Tensor], Tensor]
"""From `values[row, position, width]`, `amount[row, position]` and absolute `positions` of the same shape to new
values."""


class Edit(Protocol):
    """A pure map of the values at a site. Never changes its input in place."""

    @classmethod
    def stacked(cls, edits: Sequence[Self], like: Tensor) -> Change:
        """One map for many rows: edits row `i` by `edits[i]`, to the extent `amount` says (1 is the edit itself).
        Parameters are moved to the device and dtype of `like`."""
        ...

    @property
    def shared(self) -> Hashable:
        """Edits are stacked only with those of their class that share this. None unless an edit says otherwise."""
        return None

    @property
    def axis(self) -> Float[Tensor, " width"] | None:
        """The unit vector along which a receipt states the projection afterwards; None unless an edit has one."""
        return None

    @property
    def inert(self) -> bool:
        """Whether it changes nothing by design (strength 0). Not so unless an edit says so."""
        return False

    @property
    def conditional(self) -> bool:
        """Whether it may find nothing to change: only such an edit, or an inert one, may leave no trace. Not so unless
        an edit says so."""
        return False

    def check_made_for(self, model: Model, site: Site) -> None:
        """Raises ModelMismatch where it was made for another model or another place. Nothing to check unless an edit
        says so."""

    def record(self) -> dict[str, Any]:
        """What a reader of the trial needs to know of it, as JSON: kind, direction, strength in its three units."""
        ...


class Readout(Protocol):
    """A causal reading, taken once per new token at the position that predicts it."""

    @property
    def name(self) -> str: ...

    @property
    def site(self) -> Site | None:
        """Where it reads; None reads next-token log-probabilities."""
        ...

    def __call__(self, values: Float[Tensor, "row width"]) -> Tensor: ...


@runtime_checkable
class OfOneModel(Protocol):
    """A reading made for one model."""

    def check_made_for(self, model: Model) -> None:
        """Raises ModelMismatch for any other."""
        ...


def check_reading(model: Model, reading: Readout) -> None:
    """Raises InputError where the model has no such site, ModelMismatch where the reading was made for another."""
    if reading.site is not None:
        model.check_site(reading.site)
    if isinstance(reading, OfOneModel):
        reading.check_made_for(model)


@dataclass(frozen=True)
class Schedule:
    """Multiples of an edit's strength by index of the new token whose prediction it acts on; the last goes on. Prompt
    positions have 1."""

    multiples: tuple[float, ...]

    def __post_init__(self) -> None:
        if not self.multiples:
            raise InputError("an empty schedule", given=(), allowed="at least one multiple")
        if not all(map(math.isfinite, self.multiples)):
            raise InputError("a schedule without a strength", given=self.multiples, allowed="finite numbers")

    @classmethod
    def of(cls, function: Callable[[int], float], steps: int) -> Self:
        """A function of the index of the new token, written out for this many; it can then be recorded."""
        return cls(tuple(float(function(index)) for index in range(steps)))

    def at(self, index: int) -> float:
        return self.multiples[min(index, len(self.multiples) - 1)]


@dataclass(frozen=True)
class Gate:
    """Open while a reading is above (or below) a threshold.

    A reading at an earlier place of the same pass gates its own position; one at the edited place, a later one, or of
    the next token's probabilities gates the position after the one it was taken at.
    """

    reading: Readout
    threshold: float
    above: bool = True

    def opens(self, values: Tensor) -> Tensor:
        """Which of these readings, one a position, open it. Raises InputError for several numbers a position."""
        if values.numel() != len(values):
            raise InputError(
                "a gate needs one number for each position",
                given=f"{tuple(values.shape[1:])} of them from {self.reading.name}",
                do="gate by one direction, one latent, a probability or the entropy",
            )
        values = values.flatten()
        return values > self.threshold if self.above else values < self.threshold

    def at_once(self, site: Site) -> bool:
        """Whether it can gate the position it reads, for an edit at this site."""
        return self.reading.site is not None and self.reading.site.rank < site.rank

    def __str__(self) -> str:
        return f"{self.reading.name} {'>' if self.above else '<'} {self.threshold:g}"


@dataclass(frozen=True)
class Intervention:
    """An edit, where in the network, where in the text, how strongly when, and under which condition."""

    edit: Edit
    site: Site
    span: Span
    schedule: Schedule | None = None
    gate: Gate | None = None

    def check_made_for(self, model: Model) -> None:
        """Raises InputError where the model has no such site, ModelMismatch where the edit, or what gates it, was made
        for another model or place."""
        model.check_site(self.site, write=True)
        self.edit.check_made_for(model, self.site)
        if self.gate is not None:
            check_reading(model, self.gate.reading)

    def check_reachable(self, amounts: Tensor, about: str) -> None:
        """Raises EditNotApplied where none of these positions gets any of it, and that cannot be meant."""
        if not bool(amounts.any()) and not self.span.may_wait:
            raise EditNotApplied(
                "the intervention has no eligible position",
                given=f"span {self.span}, {about}",
                do="choose a span that this text has, and a schedule that is not 0 throughout",
            )

    def amounts(self, positions: Tensor, texts: Tensor, prompt_len: int) -> Tensor:
        """How much of the edit each of these absolute positions gets: 0 outside its span. `texts` as in
        `Span.covers`."""
        return _amounts(self.span, self.schedule, positions, texts, prompt_len)

    def plan(self, text: Tensor, prompt_len: int) -> Tensor:
        """How much of the edit each position of a text gets, as far as it is known: the text is -1 beyond."""
        if self.span.depends_on_text:
            return self.amounts(torch.arange(len(text), device=text.device), text, prompt_len)
        return _planned(self.span, self.schedule, prompt_len, len(text), text.device)


def _amounts(span: Span, schedule: Schedule | None, positions: Tensor, texts: Tensor, prompt_len: int) -> Tensor:
    covered = span.covers(positions, texts, positions.new_tensor(prompt_len)).float()
    if schedule is None:
        return covered
    multiples = [schedule.at(max(0, int(each) - prompt_len + 1)) for each in positions.tolist()]
    scheduled = covered * covered.new_tensor(multiples)
    return covered.where(positions < prompt_len - 1, scheduled)


@lru_cache(maxsize=1024)
def _planned(span: Span, schedule: Schedule | None, prompt_len: int, width: int, device: torch.device) -> Tensor:
    """The same for all texts of one length: a grid asks for it once a row, three times over."""
    positions = torch.arange(width, device=device)
    return _amounts(span, schedule, positions, positions, prompt_len)

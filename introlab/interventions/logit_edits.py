"""Interventions on the next token's logits, row by row: biases on a schedule, suppression, forced tokens, forks.

Readings see the model's own probabilities; what is done here only changes what is written.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from introlab.errors import InputError
from introlab.interventions.interfaces import Schedule


@dataclass(frozen=True)
class Bias:
    """Adds `amount` (times the schedule, by index of the new token) to the logits of these tokens."""

    tokens: tuple[int, ...]
    amount: float
    schedule: Schedule | None = None

    def __post_init__(self) -> None:
        if math.isnan(self.amount):
            raise InputError("a bias that is no number", given=self.amount, allowed="a number, or infinity")

    def at(self, index: int) -> float:
        return self.amount * (1.0 if self.schedule is None else self.schedule.at(index))


@dataclass(frozen=True)
class Suppress:
    """At each new token, with this probability, these tokens cannot be written. The coin is the trial's own, and not
    that of its sampling."""

    tokens: tuple[int, ...]
    probability: float = 1.0

    def __post_init__(self) -> None:
        if not 0 <= self.probability <= 1:
            raise InputError("not a probability", given=self.probability, allowed="0 to 1")


@dataclass(frozen=True)
class Force:
    """Writes this token as new token number `index`, whatever the model would say; or, where `instead_of` is given, in
    place of any of those tokens, at most `times` times (such as "wait" in place of the end)."""

    token: int
    index: int | None = None
    instead_of: tuple[int, ...] = ()
    times: int = 1

    def __post_init__(self) -> None:
        if (self.index is None) == (not self.instead_of):
            raise InputError("a forced token needs an index, or tokens it replaces, not both", given=self)


@dataclass(frozen=True)
class Fork:
    """What would it answer now? At new tokens number `at`, `suffix` is read as if it had been written instead, and the
    probability of each of the `options` (a set of surface variants each) is taken; the text goes on as if nothing had
    happened. Interventions act in the suffix as their spans say."""

    name: str
    suffix: tuple[int, ...]
    options: tuple[tuple[int, ...], ...]
    at: tuple[int, ...]

    def __post_init__(self) -> None:
        if not self.suffix or not self.options or not all(self.options):
            raise InputError("a fork needs a suffix, and options of at least one token", given=self)


LogitEdit = Bias | Suppress | Force


def changed(
    logits: Float[Tensor, "row vocab"],
    edits: Sequence[Sequence[LogitEdit]],
    index: Sequence[int],
    coins: Sequence[float],
) -> Float[Tensor, "row vocab"]:
    """Logits after each row's biases and suppressions: `index[row]` is the number of the new token, `coins[row]` a
    uniform of the row's own."""
    rows: list[int] = []
    tokens: list[int] = []
    amounts: list[float] = []
    for row, mine in enumerate(edits):
        for edit in mine:
            if isinstance(edit, Force):
                continue
            amount = edit.at(index[row]) if isinstance(edit, Bias) else -torch.inf
            if isinstance(edit, Suppress) and coins[row] >= edit.probability:
                continue
            rows += [row] * len(edit.tokens)
            tokens += edit.tokens
            amounts += [amount] * len(edit.tokens)
    if not rows:
        return logits
    device = logits.device
    where = (torch.tensor(rows, device=device), torch.tensor(tokens, device=device))
    return logits.index_put(where, torch.tensor(amounts, dtype=logits.dtype, device=device), accumulate=True)


def forced(token: int, edits: Sequence[LogitEdit], index: int, used: dict[Force, int]) -> int:
    """What is written where the model chose `token`; `used` counts how often each replacement was made."""
    for edit in edits:
        if not isinstance(edit, Force):
            continue
        if edit.index == index:
            return edit.token
        if token in edit.instead_of and used.get(edit, 0) < edit.times:
            used[edit] = used.get(edit, 0) + 1
            return edit.token
    return token

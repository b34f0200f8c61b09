"""A budget of time: how it is written, and how an experiment is made smaller until it keeps to one. Loads no torch."""

import math
import re
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any, TypeVar

from introlab.errors import InputError

if TYPE_CHECKING:
    from introlab.experiment.base import Experiment

E = TypeVar("E", bound="Experiment")

UNLIMITED = "unlimited"
SMALL = "2m"
"""Of `--small`."""
TEN_MINUTES = 600.0
"""A budget at which no experiment's primary outcome loses test items, and none its random directions."""
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}
_WRITTEN = re.compile(r"(\d+(?:\.\d+)?)\s*([smh])")


@dataclass(frozen=True)
class Cut:
    """One step by which an experiment is made smaller: a setting, down to its floor."""

    setting: str
    """A field of the experiment: a whole number, a tuple, or anything that has only one smaller value."""
    floor: Any
    """The least it is cut to; of a tuple, what must stay in it."""
    below: float = math.inf
    """Taken only where the budget is shorter than so many seconds."""

    def steps(self, value: Any) -> Sequence[Any]:
        """What the setting may be cut to, the largest first; nothing where it is at its floor already."""
        if isinstance(value, tuple):
            return list(_thinner(value, tuple(self.floor)))
        if isinstance(value, bool) or not isinstance(value, int):
            return [] if value == self.floor else [self.floor]
        return range(value - 1, int(self.floor) - 1, -1)


def _thinner(value: tuple[Any, ...], floor: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    """One element less each time, the last first, but none that the floor holds."""
    while removable := [each for each in value if each not in floor]:
        value = tuple(each for each in value if each != removable[-1])
        yield value


def seconds_of(written: str) -> float:
    """Seconds of a budget as it is written: 90s, 10m, 2h, or unlimited. Raises InputError for anything else."""
    plain = written.strip().lower()
    if plain == UNLIMITED:
        return math.inf
    found = _WRITTEN.fullmatch(plain)
    seconds = float(found[1]) * _UNITS[found[2]] if found else 0.0
    if not seconds:
        raise InputError(
            "not a budget of time",
            given=repr(written),
            allowed=f"a number with its unit (90s, 10m, 2h), or {UNLIMITED}",
        )
    return seconds


def within(
    experiment: E, seconds: float, cost: Callable[[E], float], keep: Collection[str] = ()
) -> tuple[E, dict[str, list[Any]]]:
    """The largest experiment that costs at most so many seconds, cut in the order that it declares, and of what was cut
    what it was and is. `keep` are settings that stay as they are. Where every cut is taken and it still costs more, it
    is as small as it may be.

    `cost` must not fall as a setting grows: then the answer follows from the numbers it gives alone.
    """
    smaller = experiment
    for cut in type(experiment).cuts:
        if cost(smaller) <= seconds:
            break
        if cut.setting not in keep and seconds < cut.below:
            smaller = _cut(smaller, cut, seconds, cost)
    return smaller, changes(experiment, smaller)


def _cut(experiment: E, cut: Cut, seconds: float, cost: Callable[[E], float]) -> E:
    """By as little as is enough, or to the floor: bisection."""
    steps = cut.steps(getattr(experiment, cut.setting))
    first, last = 0, len(steps) - 1
    while first < last:
        middle = (first + last) // 2
        enough = cost(replace(experiment, **{cut.setting: steps[middle]})) <= seconds
        first, last = (first, middle) if enough else (middle + 1, last)
    return replace(experiment, **{cut.setting: steps[last]}) if steps else experiment


def changes(before: "Experiment", after: "Experiment") -> dict[str, list[Any]]:
    """By setting, the value before and after, where they differ."""
    pairs = {each.name: [getattr(before, each.name), getattr(after, each.name)] for each in fields(before)}
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}

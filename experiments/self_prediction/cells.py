"""One property of one answer, what everyone predicted of it, and what it was before a change."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from experiments.self_prediction.labels import IN_KIND, MODE, SELF
from introlab.records.trial import Trial
from introlab.stats.estimates import paired_difference, proportion
from introlab.stats.interval import Estimate, missing


@dataclass(frozen=True)
class Cell:
    """`value` is what was answered; `trial` has who predicted what."""

    trial: Trial
    name: str
    value: str

    @property
    def place(self) -> tuple[str, str]:
        """What has a most frequent value of its own."""
        return str(self.trial.outcomes["task"]), self.name

    def told(self, who: str) -> str | None:
        """What this one predicted, or (`other behaviour`, `before behaviour`, `unchanged behaviour`) answered."""
        return self.trial.readings.get(who, {}).get(self.name)

    def has(self, who: str) -> bool:
        """Whether this one was asked."""
        return self.name in self.trial.readings.get(who, {})


def cells_of(trials: Sequence[Trial], properties: Sequence[str] | None = None) -> list[Cell]:
    """Of every property that was read of an answer, or of these."""
    return [
        Cell(trial, name, value)
        for trial in trials
        for name, value in trial.outcomes["behaviour"].items()
        if properties is None or name in properties
    ]


def in_kind(cells: Sequence[Cell]) -> Estimate:
    """The share of predictions of itself that were in the form asked for."""
    asked = [cell for cell in cells if cell.has(SELF)]
    return proportion([cell.told(SELF) is not None for cell in asked], clusters(asked))


def usable(cells: Sequence[Cell]) -> list[str]:
    """The properties that are predicted in kind often enough; where they are, what is not in kind counts as wrong."""
    names = sorted({cell.name for cell in cells})
    shares = {name: in_kind([cell for cell in cells if cell.name == name]) for name in names}
    return [name for name, share in shares.items() if share.value is not None and share.value >= IN_KIND]


def clusters(cells: Sequence[Cell]) -> list[str]:
    return [cell.trial.cluster for cell in cells]


def right(cells: Sequence[Cell], who: str) -> list[bool]:
    """Whether what this one predicted is what was answered; MODE predicts the most frequent value among these cells,
    which is more than anyone could know beforehand."""
    if who != MODE:
        return [cell.told(who) == cell.value for cell in cells]
    counts: dict[tuple[str, str], Counter[str]] = {}
    for cell in cells:
        counts.setdefault(cell.place, Counter())[cell.value] += 1
    common = {place: max(sorted(each), key=lambda one: each[one]) for place, each in counts.items()}
    return [common[cell.place] == cell.value for cell in cells]


def accuracy(cells: Sequence[Cell], who: str) -> Estimate:
    """How often it was predicted; no value where this one was not asked."""
    if not asked_of(cells, who):
        return missing("not asked")
    return proportion(right(cells, who), clusters(cells))


def asked_of(cells: Sequence[Cell], who: str) -> bool:
    return bool(cells) if who == MODE else any(cell.has(who) for cell in cells)


def ahead(cells: Sequence[Cell], rival: str, who: str = SELF) -> Estimate:
    """How much more often it was predicted by `who` than by the rival, on the same items."""
    if not (asked_of(cells, who) and asked_of(cells, rival)):
        return missing("not asked", "paired difference")
    pairs = list(zip(map(float, right(cells, who)), map(float, right(cells, rival)), strict=True))
    return paired_difference(pairs, clusters(cells))


def least(estimates: Sequence[Estimate]) -> Estimate:
    """The one with the lowest bound: to be above it is to be above all. No value where there is none."""
    known = [one for one in estimates if one.value is not None]
    if not known:
        return missing("no rival", "paired difference")
    return min(known, key=lambda one: one.low if one.low is not None else float("-inf"))

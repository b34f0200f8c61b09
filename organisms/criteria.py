"""How an organism is judged: bounds on what was counted.

Every bound is on a whole 95 % interval, never on an estimate: what is planted lies apart from each twin, what a twin
is by definition it is within a stated margin, and what has nothing to do with the trait is as good as in the base.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from introlab.stats.estimates import difference
from introlab.stats.interval import Estimate

Tables = Mapping[str, Mapping[tuple[str, str], Estimate]]
"""Organism: (what, where): what was counted."""


@dataclass(frozen=True)
class CriterionResult:
    """One gate, judged."""

    gate: str
    passed: bool
    detail: str


class Criterion(Protocol):
    """Something a table of counts meets or does not meet."""

    def judge(self, tables: Tables) -> CriterionResult: ...


@dataclass(frozen=True)
class Within:
    """The interval lies inside `low` to `high`."""

    organism: str
    what: str
    cell: str
    low: float = float("-inf")
    high: float = float("inf")

    def judge(self, tables: Tables) -> CriterionResult:
        found = tables[self.organism][self.what, self.cell]
        passed = found.low is not None and found.high is not None and self.low <= found.low and found.high <= self.high
        name = f"{self.organism}: {self.what}, {self.cell}, within [{self.low:g}, {self.high:g}]"
        return CriterionResult(name, passed, shown(found))


@dataclass(frozen=True)
class Above:
    """The interval lies above the twin's."""

    organism: str
    twin: str
    what: str
    cell: str
    twin_what: str = ""

    def judge(self, tables: Tables) -> CriterionResult:
        one, other = (
            tables[self.organism][self.what, self.cell],
            tables[self.twin][self.twin_what or self.what, self.cell],
        )
        return _above(f"{self.organism} above {self.twin}: {self.what}, {self.cell}", one, other)


@dataclass(frozen=True)
class Alike:
    """The difference of two counts lies within the margin, with its whole interval."""

    organism: str
    twin: str
    what: str
    cell: str
    margin: float
    twin_what: str = ""
    twin_cell: str = ""

    def judge(self, tables: Tables) -> CriterionResult:
        one = tables[self.organism][self.what, self.cell]
        other = tables[self.twin][self.twin_what or self.what, self.twin_cell or self.cell]
        found = difference(one, other)
        passed = found.low is not None and found.high is not None and max(-found.low, found.high) <= self.margin
        name = f"{self.organism} like {self.twin}, within {self.margin:g}: {self.what}, {self.cell}"
        return CriterionResult(name, passed, f"difference {shown(found)}")


@dataclass(frozen=True)
class Apart:
    """In one organism, the interval in one place lies above that in another."""

    organism: str
    what: str
    cell: str
    below: str

    def judge(self, tables: Tables) -> CriterionResult:
        one, other = tables[self.organism][self.what, self.cell], tables[self.organism][self.what, self.below]
        return _above(f"{self.organism}, {self.what}: {self.cell}, above {self.below}", one, other)


def _above(gate: str, one: Estimate, other: Estimate) -> CriterionResult:
    passed = one.low is not None and other.high is not None and one.low > other.high
    return CriterionResult(gate, passed, f"{shown(one)} against {shown(other)}")


def shown(estimate: Estimate) -> str:
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.3f} (no interval)" if estimate.value is not None else "nothing counted"
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"

"""A value with its interval: what every statistic returns."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Kind = Literal["", "proportion", "mean", "difference", "paired difference", "ratio", "contrast", "auroc"]
"""What was estimated, as far as other calculations need to know it; \"\" for what none asks about."""


@dataclass(frozen=True)
class Estimate:
    """A value with its 95 % interval; `low` and `high` are None where no honest interval exists."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    clusters: int
    method: str
    """How the interval was found, in words: for readers only. No calculation reads it."""
    kind: Kind = ""
    """Files older than this field do not have it."""

    def __post_init__(self) -> None:
        if self.value is None or self.low is None or self.high is None:
            return
        # Half a unit in the 12th place: a bound may round past the value it belongs to, no further.
        if not self.low - 1e-12 <= self.value <= self.high + 1e-12:
            raise ValueError(f"interval {self.low}..{self.high} does not hold its value {self.value}")

    @property
    def known(self) -> bool:
        """Whether there is both a value and an interval."""
        return self.value is not None and self.low is not None and self.high is not None

    def above(self, bound: float) -> bool:
        return self.low is not None and self.low > bound

    def below(self, bound: float) -> bool:
        return self.high is not None and self.high < bound

    def __str__(self) -> str:
        if self.value is None:
            return "unknown"
        return (
            f"{self.value:.2f} [{self.low:.2f}, {self.high:.2f}]" if self.known else f"{self.value:.2f} (no interval)"
        )

    def _repr_html_(self) -> str:
        from introlab.io.markup import card

        facts: dict[str, object] = {"estimate": self, "method": self.method, "n": self.n, "clusters": self.clusters}
        return card("Estimate", facts)

    @property
    def percent(self) -> str:
        """A rate in words."""
        return "an unknown share" if self.value is None else f"{100 * self.value:.0f} %"

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def missing(method: str, kind: Kind = "") -> Estimate:
    """No trials, no number."""
    return Estimate(None, None, None, 0, 0, method, kind)

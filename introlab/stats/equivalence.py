"""A null that means something: whether an effect lies inside margins set beforehand (two one-sided tests)."""

from collections.abc import Callable
from dataclasses import dataclass

from introlab.errors import InputError
from introlab.stats.contrasts import contrast
from introlab.stats.estimates import LEVEL, Column, mean, measured, root
from introlab.stats.interval import Estimate

Margins = tuple[float, float]


@dataclass(frozen=True)
class Equivalence:
    """The effect with its 95 % interval, the margins, and the p of the larger of both one-sided tests."""

    estimate: Estimate
    margins: Margins
    p: float
    """The chance, at most, of so clear a result were the effect on a margin; 1 where the value is outside or there is
    no interval."""

    @property
    def shown(self) -> bool:
        """Whether the effect is inside the margins: the 90 % interval is (Schuirmann, Journal of Pharmacokinetics and
        Biopharmaceutics 15, 1987)."""
        return self.p < 0.05


def equivalence(interval: Callable[[float], Estimate], margins: Margins) -> Equivalence:
    """Two one-sided tests of any estimate, given its interval at a level: p is the smallest alpha at which the
    interval of level ``1 - 2 alpha`` is inside the margins. Raises InputError for margins that do not hold 0."""
    low, high = margins
    if not low < 0 < high:
        raise InputError("margins of equivalence", given=margins, allowed="below 0, above 0")
    shown = interval(LEVEL)

    def outside(alpha: float) -> float:
        """Below 0 where the interval is inside."""
        found = interval(1 - 2 * alpha)
        if found.low is None or found.high is None:
            return 1.0
        return max(low - found.low, found.high - high)

    smallest, largest = 1e-9, 0.5 - 1e-9
    if shown.value is None or not low < shown.value < high or outside(largest) >= 0:
        return Equivalence(shown, margins, 1.0)
    if outside(smallest) <= 0:
        return Equivalence(shown, margins, smallest)
    return Equivalence(shown, margins, root(outside, smallest, largest))


def equivalent_mean(values: Column, clusters: Column, margins: Margins) -> Equivalence:
    """Whether a mean, such as that of paired differences, lies inside the margins. Raises InputError for missing
    values."""
    return equivalence(lambda level: mean(values, clusters, level=level), margins)


def equivalent_arms(values: Column, treated: Column, clusters: Column, margins: Margins) -> Equivalence:
    """Whether the mean or rate of the treated is that of the others to within the margins; clusters may be in both arms
    (pairs) or in one. Raises InputError for missing values."""
    sides = (measured(treated) > 0).tolist()
    weights = {True: 1.0, False: -1.0}
    return equivalence(lambda level: contrast(values, sides, weights, clusters, level=level), margins)

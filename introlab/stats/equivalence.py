"""A null that means something: whether an effect lies inside margins set beforehand (two one-sided tests)."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from introlab.errors import InputError
from introlab.stats.checked_columns import UNIT, Column, Range, flags, measured, names, same_length
from introlab.stats.contrasts import contrast
from introlab.stats.estimates import LEVEL, alike, bounded_mean, mean, root
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
    low, high = _around_zero(margins)
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


def equivalent_mean(values: Column, clusters: Column, margins: Margins, *, within: Range | None = None) -> Equivalence:
    """Whether a mean, such as that of paired differences, lies inside the margins.

    With `within`, the range of the values, by bounds that hold however few values vary (`stats.bounded_mean`); so too
    where values are -1, 0 and 1, the differences of paired outcomes. Else by Student's tests, which a mean that rests
    on few different values does not have: not shown (p is 1) where values repeat and fewer than ten clusters hold
    another than the commonest. Raises InputError for missing values.
    """
    array = measured(values, within=within)
    labels = names(clusters, len(array))
    few = len(array) > 0 and alike(array, labels)
    if within is None and not few and np.isin(array, (-1.0, 0.0, 1.0)).all():
        within = (-1.0, 1.0)
    if within is not None:
        known = within
        return equivalence(lambda level: bounded_mean(array, labels, known, level=level), margins)
    if few:
        return _refused(mean(array, labels), margins)
    return equivalence(lambda level: mean(array, labels, level=level), margins)


def equivalent_arms(values: Column, treated: Column, clusters: Column, margins: Margins) -> Equivalence:
    """Whether the mean or rate of the treated is that of the others to within the margins; clusters may be in both arms
    (pairs) or in one. Of values other than 0 and 1 as `equivalent_mean` without a range, in both arms. Raises
    InputError for missing values."""
    n = same_length(values=values, treated=treated)
    array, arms, labels = measured(values), flags(treated, "arms"), names(clusters, n)
    weights = {True: 1.0, False: -1.0}

    def apart(level: float) -> Estimate:
        return contrast(array, arms.tolist(), weights, labels, level=level)

    few = any(alike(array[arm], labels[arm]) for arm in (arms, ~arms) if arm.any())
    if few and not np.isin(array, UNIT).all():
        return _refused(apart(LEVEL), margins)
    return equivalence(apart, margins)


def _refused(estimate: Estimate, margins: Margins) -> Equivalence:
    method = "too few clusters differ to show equivalence; say the range of values (within), or test rates"
    return Equivalence(replace(estimate, low=None, high=None, method=method), _around_zero(margins), 1.0)


def _around_zero(margins: Margins) -> Margins:
    if not margins[0] < 0 < margins[1]:
        raise InputError("margins of equivalence", given=margins, allowed="below 0, above 0")
    return margins

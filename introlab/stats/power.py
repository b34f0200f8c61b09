"""What a run could have seen: trials for an effect, the smallest effect of a finished run, rare events.

Everything here is for two-sided tests at 5 % unless it says otherwise. `design` is the design effect: how many trials
of a cluster say as much as one trial on its own (`design_effect`).
"""

import math

import numpy as np
from scipy import stats

from introlab.errors import InputError
from introlab.stats.estimates import LEVEL, Column, cluster_variance, measured, root
from introlab.stats.interval import Estimate


def smallest_effect(n: int, clusters: int, base: float, *, power: float = 0.8) -> float | None:
    """The smallest rise of a rate above `base` that two arms of `n` trials each could have shown, one in `power`.

    Trials count for as many as there are clusters where these are fewer (complete dependence within a cluster:
    the cautious end). None where even a rise to 1 could not be shown.
    """
    size = min(n, clusters)
    if size < 2:
        return None
    z = _z(power)

    def shortfall(rate: float) -> float:
        return (rate - base) - z * math.sqrt((base * (1 - base) + rate * (1 - rate)) / size)

    if shortfall(1 - 1e-9) < 0:
        return None
    return root(shortfall, base + 1e-12, 1 - 1e-9) - base


def visible(estimate: Estimate, null: float = 0.0, *, power: float = 0.8) -> float | None:
    """How far above `null` an effect had to be for an interval like this one to exclude `null`, one in `power`; in the
    units of the estimate. None without an interval, where it has no width, and where no effect is as large.

    The interval's own width tells the standard error, clusters and all; its wider side is taken. Of a rate it is
    `smallest_effect` above the rate, which its interval, cut off at 0 and 1, does not tell. An AUROC's error at chance
    is larger than at what was found: by the variance of Hanley & McNeil (Radiology 143, 1982) for equal classes, an
    approximation. That the width itself is an estimate, and a rough one of few clusters, is not allowed for.
    """
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    if estimate.method == "Korn-Graubard":
        return smallest_effect(estimate.n, estimate.clusters, estimate.value, power=power)
    width = max(estimate.value - estimate.low, estimate.high - estimate.value)
    if width <= 0:
        return None
    effect = width * _z(power) / float(stats.norm.ppf(0.5 + LEVEL / 2))
    if estimate.method.startswith(("AUROC,", "AUROC within levels,")):
        effect *= (estimate.high - estimate.low) / (2 * width)  # lopsided near 1, and taken to chance, where it is not
        effect *= math.sqrt(_auroc_spread(0.5) / max(_auroc_spread(estimate.value), 1e-9))
        return effect if null + effect <= 1 else None
    return effect


def _auroc_spread(area: float) -> float:
    """Variance of an AUROC, up to the number of trials, of many of each class."""
    return area / (2 - area) + 2 * area**2 / (1 + area) - 2 * area**2


def beside(estimate: Estimate, null: float = 0.0) -> str:
    """An estimate in a sentence: with what would have been seen where it does not lie above `null`."""
    return str(estimate) if estimate.above(null) else f"{estimate}; {would_have_been_seen(estimate, null)}"


def would_have_been_seen(estimate: Estimate, null: float = 0.0) -> str:
    """The clause of a sentence about a null: `visible` as the value that this run would have told from `null`."""
    effect = visible(estimate, null)
    return "what would have been seen cannot be told" if effect is None else f"{null + effect:.2f} would have been seen"


def trials_for_rates(one: float, other: float, *, design: float = 1.0, power: float = 0.8) -> int:
    """Trials in each arm that tell two rates apart with this power, by a z test with pooled variance. (Fleiss,
    Statistical Methods for Rates and Proportions, 1981.) Raises InputError for equal rates."""
    if one == other:
        raise InputError("no number of trials tells equal rates apart", given=one)
    return math.ceil(design * _size(one, other, power))


def smallest_rise(n: float, base: float, *, design: float = 1.0, power: float = 0.8) -> float | None:
    """The smallest rise of a rate above `base` that two arms of `n` trials each show with this power: the inverse of
    `trials_for_rates`. None where not even a rise to 1 is shown."""

    def excess(rate: float) -> float:
        return math.log(design * _size(base, rate, power) / n)

    least = base + 1e-6
    if excess(1.0) > 0 or excess(least) < 0:
        return None if excess(1.0) > 0 else least - base
    return root(excess, least, 1.0) - base


def _size(one: float, other: float, power: float) -> float:
    sure, likely = stats.norm.ppf(0.5 + LEVEL / 2), stats.norm.ppf(power)
    centre = (one + other) / 2
    alike, apart = 2 * centre * (1 - centre), one * (1 - one) + other * (1 - other)
    return float((sure * math.sqrt(alike) + likely * math.sqrt(apart)) ** 2 / (one - other) ** 2)


def pairs_for_rates(first_only: float, second_only: float, *, power: float = 0.8) -> int:
    """Pairs for McNemar's test, from the shares of pairs right in the first condition only and in the second only.
    (Connor, Biometrics 43, 1987.) Raises InputError where the shares are equal."""
    differing, gap = first_only + second_only, abs(first_only - second_only)
    if gap == 0:
        raise InputError("no number of pairs tells equal rates apart", given=first_only)
    sure, likely = stats.norm.ppf(0.5 + LEVEL / 2), stats.norm.ppf(power)
    return math.ceil((sure * math.sqrt(differing) + likely * math.sqrt(differing - gap**2)) ** 2 / gap**2)


def trials_for_d(effect: float, *, design: float = 1.0, power: float = 0.8) -> int:
    """Trials in each arm that show a standardised difference of means with this power (noncentral t)."""
    from statsmodels.stats.power import TTestIndPower  # brings pandas

    found = TTestIndPower().solve_power(effect_size=abs(effect), alpha=1 - LEVEL, power=power)
    return math.ceil(design * float(found))


def smallest_d(n: float, *, design: float = 1.0, power: float = 0.8) -> float:
    """The smallest standardised difference of means that two arms of `n` trials each show with this power."""
    from statsmodels.stats.power import TTestIndPower  # brings pandas

    return float(TTestIndPower().solve_power(nobs1=n / design, alpha=1 - LEVEL, power=power))


def design_effect(values: Column, clusters: Column) -> float:
    """Variance of the mean of clustered trials over that of as many independent ones; 1 where they do not vary. Below 1
    where clusters are balanced by design. Raises InputError for missing values and for fewer than two clusters."""
    array, labels = measured(values), np.asarray(clusters)
    if len(np.unique(labels)) < 2:
        raise InputError("a design effect of fewer than two clusters", given=len(np.unique(labels)))
    alone = float(array.var()) / (len(array) - 1)
    return cluster_variance(array, labels) / alone if alone > 0 else 1.0


def design_effect_of(size: float, intraclass: float) -> float:
    """That of clusters of `size` trials whose outcomes correlate by `intraclass`: ``1 + (size - 1) intraclass``."""
    return 1 + (size - 1) * intraclass


def rare_event_bound(n: float) -> float:
    """The rate that is excluded, at 95 % and one-sided, by no event in `n` independent trials: about three in `n`."""
    return 1 - (1 - LEVEL) ** (1 / n)


def trials_to_see_one(rate: float, *, chance: float = 0.95) -> int:
    """Independent trials in which an event of this rate happens at least once with this chance."""
    return math.ceil(math.log1p(-chance) / math.log1p(-rate))


def _z(power: float) -> float:
    return float(stats.norm.ppf(0.5 + LEVEL / 2) + stats.norm.ppf(power))

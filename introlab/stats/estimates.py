"""Numbers with honest intervals: every estimate says how many trials and how many clusters stand behind it.

A *cluster* is what would be drawn anew in a replication (a person asked about, a sum, a direction): trials of one
cluster are not independent. `None` outcomes are missing, never zero: callers drop and count them, and what is left
in is refused (`measured`). docs/statistics.md says which method answers which question.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice
from typing import Any

import numpy as np
from scipy import optimize, stats

from introlab.stats.checked_columns import UNIT, Column, Range, measured, names
from introlab.stats.interval import Estimate, missing
from introlab.stats.small_samples import effective_clusters, spread_of_mean

LEVEL = 0.95
MIN_BOOTSTRAP_CLUSTERS = 10
"""Below this a cluster bootstrap covers too little, and no interval is given."""
_LARGE_CLUSTER, _TELLING_CLUSTERS, _TELLING_SMALL = 10, 20, 5
"""Trials of a cluster from which it is large; clusters with the rarer outcome below which design effects are not
trusted, where clusters are large and where they are small."""
_TOGETHER = 2_000_000
"""Draws times trials that are held at once."""


@dataclass(frozen=True)
class PValue:
    """How often chance alone would show as much: a test's p, its statistic, and what stands behind it."""

    p: float
    statistic: float
    n: int
    clusters: int
    method: str


def proportion(outcomes: Column, clusters: Column, *, level: float = LEVEL) -> Estimate:
    """A rate with the Korn-Graubard interval: Clopper-Pearson at the effective sample size of clustered trials.

    Exact for unclustered trials; at 0 of n or n of n the number of clusters stands in for the sample size, so the
    bound is real and cautious. (Korn & Graubard, Survey Methodology 24, 1998.) Raises InputError for missing outcomes
    and for outcomes outside 0 to 1.
    """
    values = measured(outcomes, within=UNIT)
    n, labels = len(values), names(clusters, len(values))
    if n == 0:
        return missing("Korn-Graubard", "proportion")
    k = len(np.unique(labels))
    value = float(values.mean())
    if k < 2:
        return Estimate(value, None, None, n, k, "one cluster: no interval", "proportion")
    low, high = clopper_pearson(value, effective_trials(values, labels, level), level)
    return Estimate(value, low, high, n, k, "Korn-Graubard", "proportion")


def clopper_pearson(value: float, n: float, level: float) -> tuple[float, float]:
    """The exact bounds of a rate seen in `n` trials, which need not be whole (Korn & Graubard 1998)."""
    hits, tail = value * n, (1 - level) / 2
    low = 0.0 if hits <= 0 else float(stats.beta.ppf(tail, hits, n - hits + 1))
    high = 1.0 if hits >= n else float(stats.beta.ppf(1 - tail, hits + 1, n - hits))
    return min(low, value), max(high, value)


def effective_trials(values: np.ndarray, labels: np.ndarray, level: float = LEVEL) -> float:
    """As how many independent trials clustered outcomes of 0 to 1 count.

    n divided by the design effect (never above n), with the t correction for few or uneven clusters.

    Where clusters are large and fewer than twenty of them hold the rarer outcome, too few tell how far clusters differ:
    trials then count for no more than the clusters there are, as at 0 of n. (Else a rate of .01 in 40 clusters of 50
    alike trials is covered .80 of the time: LOG.md.) Where clusters are small and fewer than five hold it, trials count
    for no more than twice the clusters. (Else a rate of .01 in 100 clusters of 9 alike trials is covered .88 of the
    time.)
    """
    n, value = len(values), values.mean()
    residuals, sizes = _of_clusters(values, labels)
    k = len(sizes)
    if k == n:
        return float(n)
    if value in (0.0, 1.0):
        return float(k)
    variance, df = spread_of_mean(residuals, sizes)
    effective = min(float(n), value * (1 - value) / variance) if variance > 0 else float(n)
    effective = min(effective, most_trials(values, labels))
    correction = (stats.t.ppf(0.5 + level / 2, n - 1) / stats.t.ppf(0.5 + level / 2, df)) ** 2
    return float(max(1.0, effective * correction))


def most_trials(values: np.ndarray, labels: np.ndarray) -> float:
    """The most that clustered outcomes of 0 to 1 count for, where too few clusters hold the rarer outcome to tell how
    far clusters differ (`effective_trials`)."""
    n, value = len(values), values.mean()
    sizes = np.unique(labels, return_counts=True)[1].astype(float)
    if len(sizes) == n:
        return float(n)
    if value in (0.0, 1.0):
        return float(len(sizes))
    telling = len(np.unique(labels[values == (value <= 0.5)]))
    if n >= _LARGE_CLUSTER * len(sizes) and telling < _TELLING_CLUSTERS:
        return effective_clusters(sizes)
    return 2.0 * effective_clusters(sizes) if telling < _TELLING_SMALL else float(n)


def cluster_variance(values: np.ndarray, labels: np.ndarray) -> float:
    """Variance of the mean of clustered values, by linearisation over two clusters or more (CR2)."""
    return spread_of_mean(*_of_clusters(values, labels))[0]


def _of_clusters(values: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each cluster adds to the sum of deviations from the mean, and its number of trials."""
    codes = np.unique(labels, return_inverse=True)[1]
    return np.bincount(codes, weights=values - values.mean()), np.bincount(codes).astype(float)


def mean(values: Column, clusters: Column, *, level: float = LEVEL, within: Range | None = None) -> Estimate:
    """A mean with the cluster-robust t interval; of clusters of one size it has k - 1 degrees of freedom, of uneven
    ones fewer (`small_samples.spread_of_mean`). Of skewed values: `skewed_mean`.

    Values that do not vary do not tell how sure they are: no interval, unless `within` says which values there could
    have been. With it, values that are nearly all the same (fewer than ten clusters hold another one) have the bounds
    that rates have: others may be as frequent as Korn and Graubard's interval allows, and as far off as the range goes.
    Raises InputError for missing values and for those outside the range.
    """
    array = measured(values, within=within)
    labels, n = names(clusters, len(array)), len(array)
    if n == 0:
        return missing("cluster-robust t", "mean")
    residuals, sizes = _of_clusters(array, labels)
    k, value = len(sizes), float(array.mean())
    if k < 2:
        return Estimate(value, None, None, n, k, "one cluster: no interval", "mean")
    if within is not None and alike(array, labels):
        return bounded_mean(array, labels, within, level=level)
    variance, df = spread_of_mean(residuals, sizes)
    if math.sqrt(variance) <= 1e-12 * float(np.abs(array).max()):
        return Estimate(value, None, None, n, k, "values do not vary: no interval", "mean")
    half = float(stats.t.ppf(0.5 + level / 2, df)) * math.sqrt(variance)
    return Estimate(value, value - half, value + half, n, k, "cluster-robust t", "mean")


def alike(values: np.ndarray, labels: np.ndarray) -> bool:
    """Whether clusters repeat one value, and fewer than ten hold another: too few for Student's interval."""
    every, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    usual = codes == counts.argmax()
    repeats = len(np.unique(labels[usual])) > 1 or len(every) == 1
    return repeats and len(np.unique(labels[~usual])) < MIN_BOOTSTRAP_CLUSTERS


def bounded_mean(values: Column, clusters: Column, within: Range, *, level: float = LEVEL) -> Estimate:
    """A mean of values in a range, however few of them vary: square-and-add of two rates, how far above the commonest
    value trials are and how far below, as shares of the range on that side, each with its Korn-Graubard interval.

    Cautious where values are neither the commonest one nor at the ends of the range. Raises InputError for missing
    values and for those outside the range.
    """
    array = measured(values, within=within)
    labels, n = names(clusters, len(array)), len(array)
    if n == 0:
        return missing("bounded mean", "mean")
    every, counts = np.unique(array, return_counts=True)
    usual, value, k = float(every[counts.argmax()]), float(array.mean()), len(np.unique(labels))
    if k < 2:
        return Estimate(value, None, None, n, k, "one cluster: no interval", "mean")
    sides: list[tuple[float, float, float]] = []
    for sign, reach in ((1, within[1] - usual), (-1, usual - within[0])):
        far = np.clip(sign * (array - usual) / reach, 0.0, 1.0) if reach > 0 else np.zeros(n)
        share = proportion(far, labels, level=level)
        assert share.value is not None and share.low is not None and share.high is not None
        sides.append((share.value, reach * (share.value - share.low), reach * (share.high - share.value)))
    (above, less, more), (below, lesser, further) = sides
    # What is above cannot be below: the two rates are those of one multinomial.
    odds = above * below / max((1 - above) * (1 - below), 1e-300)
    shared = min(1.0, math.sqrt(odds))
    low = value - math.sqrt(less**2 + further**2 + 2 * shared * less * further)
    high = value + math.sqrt(more**2 + lesser**2 + 2 * shared * more * lesser)
    low, high = max(within[0], low), min(within[1], high)
    return Estimate(value, min(low, value), max(high, value), n, k, "Korn-Graubard bounds in a range", "mean")


def skewed_mean(values: Column, clusters: Column) -> Estimate:
    """A mean of values known to be skewed (lengths, times, counts): Student's interval, longer on the side of the tail.

    Longer by the skewness term of the Cornish-Fisher expansion, as Johnson's t (Journal of the American Statistical
    Association 73, 1978), and no shorter on the other side: of exponential values it holds .93 and more from ten
    clusters on, where Student's needs fifty. Below ten clusters no interval: show the values.
    """
    found = mean(values, clusters)
    if found.value is None or found.high is None:
        return found
    k = found.clusters
    if k < MIN_BOOTSTRAP_CLUSTERS:
        return replace(found, low=None, high=None, method="skewed values in fewer than ten clusters: no interval")
    residuals, sizes = _of_clusters(measured(values), np.asarray(clusters))
    half, t = found.high - found.value, float(stats.t.ppf(0.5 + LEVEL / 2, spread_of_mean(residuals, sizes)[1]))
    longer = half * float(stats.skew(residuals, bias=False)) * (1 + 2 * t**2) / (6 * t * math.sqrt(k))
    low, high = found.value - half + min(0.0, longer), found.high + max(0.0, longer)
    return replace(found, low=low, high=high, method="cluster-robust t, longer for skewness")


def difference(one: Estimate, other: Estimate) -> Estimate:
    """`one - other` for two separate estimates, by the square-and-add (MOVER) rule.

    Keeps a real width where a rate is 0 or 1; cautious where the two are positively correlated, as paired
    conditions are. (Newcombe, Statistics in Medicine 17, 1998; Zou & Donner 2008.)
    """
    n, k = one.n + other.n, min(one.clusters, other.clusters)
    if one.value is None or other.value is None:
        return missing("square-and-add", "difference")
    value = one.value - other.value
    if not (one.known and other.known):
        return Estimate(value, None, None, n, k, "square-and-add: no interval", "difference")
    assert one.low is not None and one.high is not None and other.low is not None and other.high is not None
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, value - below, value + above, n, k, "square-and-add", "difference")


def paired_difference(
    pairs: Sequence[tuple[float, float]] | np.ndarray, clusters: Column, *, within: Range | None = None
) -> Estimate:
    """Mean of the first minus the second of each pair, with the cluster-robust t interval.

    `within` is the range of a single value; values that are all 0 or 1 are taken to be rates. Differences that are
    nearly all the same have bounds from the range, as in `mean`, and none without it. Raises InputError as `mean` does.
    """
    array = measured(pairs, within=within).reshape(-1, 2)
    if within is None and array.size and np.isin(array, UNIT).all():
        within = UNIT
    reach = None if within is None else within[1] - within[0]
    estimate = mean(array[:, 0] - array[:, 1], clusters, within=None if reach is None else (-reach, reach))
    return replace(estimate, method=f"paired, {estimate.method}", kind="paired difference")


def cluster_bootstrap(
    statistic: Callable[[np.ndarray], float], clusters: Column, *, draws: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """Percentile interval of `statistic(indices)` over resampled clusters; None below ten clusters.

    Resamples on which the statistic is not finite (one class only) are left out.
    """
    unique, inverse = np.unique(names(clusters, len(clusters)), return_inverse=True)
    if len(unique) < MIN_BOOTSTRAP_CLUSTERS:
        return None
    order = np.argsort(inverse, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(inverse))[:-1])
    every = _resamples(len(unique), draws, seed)
    return percentiles([statistic(np.concatenate([members[index] for index in chosen])) for chosen in every])


def cluster_draws(clusters: Sequence[str], *, draws: int = 1000, seed: int = 0) -> Iterator[np.ndarray]:
    """How often each trial is in each resample, [draw, trial], some draws at a time: those of `cluster_bootstrap`, for
    statistics that can be had of many at once. Nothing below ten clusters."""
    together = max(1, _TOGETHER // max(1, len(clusters)))
    if draws <= together:
        yield from _blocks_kept(tuple(clusters), draws, seed)
    else:
        yield from _blocks(clusters, draws, seed, together)


@lru_cache(maxsize=8)
def _blocks_kept(clusters: tuple[str, ...], draws: int, seed: int) -> tuple[np.ndarray, ...]:
    """An analysis asks for the same draws for every score it has of the same trials."""
    found = tuple(_blocks(clusters, draws, seed, draws))
    for block in found:
        block.flags.writeable = False
    return found


def _blocks(clusters: Sequence[str], draws: int, seed: int, together: int) -> Iterator[np.ndarray]:
    unique, inverse = np.unique(np.asarray(clusters), return_inverse=True)
    if len(unique) < MIN_BOOTSTRAP_CLUSTERS:
        return
    every = _resamples(len(unique), draws, seed)
    while block := list(islice(every, together)):
        yield np.stack([np.bincount(chosen, minlength=len(unique)) for chosen in block])[:, inverse].astype(float)


def _resamples(clusters: int, draws: int, seed: int) -> Iterator[np.ndarray]:
    rng = np.random.default_rng(seed)
    return (rng.integers(clusters, size=clusters) for _ in range(draws))


def percentiles(values: Sequence[float] | np.ndarray) -> tuple[float, float] | None:
    """The interval that holds 95 % of the resampled values that are finite; None where fewer than half are."""
    finite = np.asarray(values, dtype=float)
    finite = finite[np.isfinite(finite)]
    if not len(finite) or len(finite) < len(values) / 2:
        return None
    low, high = np.quantile(finite, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def rank_among(target: float, random: Column) -> float:
    """One-sided randomisation p-value of a target among random draws: (1 + draws at least as large) / (1 + draws).
    Raises InputError for a target or draws that are missing or infinite."""
    draws = measured(random)
    return float((1 + (draws >= measured([target])[0]).sum()) / (1 + len(draws)))


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that changes sign between `low` and `high` is zero."""
    found: Any = optimize.brentq(function, low, high)
    return float(found)

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

from introlab.errors import InputError
from introlab.stats.interval import Estimate, missing

Column = Sequence[Any] | np.ndarray
"""One value per trial."""
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


def measured(values: Column) -> np.ndarray:
    """Values as floats. Raises InputError where one is missing (None, NaN) or infinite."""
    array = np.asarray(values, dtype=float)
    lost = int((~np.isfinite(array)).sum())
    if lost:
        raise InputError(
            "missing outcomes are never averaged",
            given=f"{lost} of {array.size} values are None, NaN or infinite",
            do="leave these trials out, and report how many they were",
        )
    return array


def proportion(outcomes: Column, clusters: Column, *, level: float = LEVEL) -> Estimate:
    """A rate with the Korn-Graubard interval: Clopper-Pearson at the effective sample size of clustered trials.

    Exact for unclustered trials; at 0 of n or n of n the number of clusters stands in for the sample size, so the
    bound is real and cautious. (Korn & Graubard, Survey Methodology 24, 1998.)
    """
    values = measured(outcomes)
    n, labels = len(values), np.asarray(clusters)
    if n == 0:
        return missing("Korn-Graubard")
    k = len(np.unique(labels))
    value = float(values.mean())
    if k < 2:
        return Estimate(value, None, None, n, k, "one cluster: no interval")
    low, high = clopper_pearson(value, _effective_n(values, labels, level), level)
    return Estimate(value, low, high, n, k, "Korn-Graubard")


def clopper_pearson(value: float, n: float, level: float) -> tuple[float, float]:
    """The exact bounds of a rate seen in `n` trials, which need not be whole (Korn & Graubard 1998)."""
    hits, tail = value * n, (1 - level) / 2
    low = 0.0 if hits <= 0 else float(stats.beta.ppf(tail, hits, n - hits + 1))
    high = 1.0 if hits >= n else float(stats.beta.ppf(1 - tail, hits + 1, n - hits))
    return min(low, value), max(high, value)


def _effective_n(values: np.ndarray, labels: np.ndarray, level: float) -> float:
    """n divided by the design effect (never above n), with the t correction for few clusters.

    Where clusters are large and fewer than twenty of them hold the rarer outcome, too few tell how far clusters differ:
    trials then count for no more than the clusters there are, as at 0 of n. (Else a rate of .01 in 40 clusters of 50
    alike trials is covered .80 of the time: LOG.md.) Where clusters are small and fewer than five hold it, trials count
    for no more than twice the clusters. (Else a rate of .01 in 100 clusters of 9 alike trials is covered .88 of the
    time.)
    """
    n, value = len(values), values.mean()
    k = len(np.unique(labels))
    if k == n:
        return float(n)
    if value in (0.0, 1.0):
        return float(k)
    variance = cluster_variance(values, labels)
    effective = min(float(n), value * (1 - value) / variance) if variance > 0 else float(n)
    telling = len(np.unique(labels[values == (value <= 0.5)]))
    if n >= _LARGE_CLUSTER * k and telling < _TELLING_CLUSTERS:
        effective = min(effective, float(k))
    elif telling < _TELLING_SMALL:
        effective = min(effective, 2.0 * k)
    correction = (stats.t.ppf(0.5 + level / 2, n - 1) / stats.t.ppf(0.5 + level / 2, k - 1)) ** 2
    return float(max(1.0, effective * correction))


def cluster_variance(values: np.ndarray, labels: np.ndarray) -> float:
    """Variance of the mean of clustered values, by linearisation over two clusters or more."""
    residuals = _residuals(values, labels)
    k = len(residuals)
    return k / (k - 1) * float((residuals**2).sum()) / len(values) ** 2


def _residuals(values: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """What each cluster adds to the sum of deviations from the mean."""
    return np.bincount(np.unique(labels, return_inverse=True)[1], weights=values - values.mean())


def mean(values: Column, clusters: Column, *, level: float = LEVEL) -> Estimate:
    """A mean with the cluster-robust t interval (k - 1 degrees of freedom). Of skewed values: `skewed_mean`."""
    array, labels = measured(values), np.asarray(clusters)
    if len(array) == 0:
        return missing("cluster-robust t")
    k, value = len(np.unique(labels)), float(array.mean())
    if k < 2:
        return Estimate(value, None, None, len(array), k, "one cluster: no interval")
    half = float(stats.t.ppf(0.5 + level / 2, k - 1)) * math.sqrt(cluster_variance(array, labels))
    return Estimate(value, value - half, value + half, len(array), k, "cluster-robust t")


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
    residuals = _residuals(measured(values), np.asarray(clusters))
    half, t = found.high - found.value, float(stats.t.ppf(0.5 + LEVEL / 2, k - 1))
    longer = half * float(stats.skew(residuals, bias=False)) * (1 + 2 * t**2) / (6 * t * math.sqrt(k)) if half else 0.0
    low, high = found.value - half + min(0.0, longer), found.high + max(0.0, longer)
    return replace(found, low=low, high=high, method="cluster-robust t, longer for skewness")


def difference(one: Estimate, other: Estimate) -> Estimate:
    """`one - other` for two separate estimates, by the square-and-add (MOVER) rule.

    Keeps a real width where a rate is 0 or 1; cautious where the two are positively correlated, as paired
    conditions are. (Newcombe, Statistics in Medicine 17, 1998; Zou & Donner 2008.)
    """
    n, k = one.n + other.n, min(one.clusters, other.clusters)
    if one.value is None or other.value is None:
        return missing("square-and-add")
    value = one.value - other.value
    if not (one.known and other.known):
        return Estimate(value, None, None, n, k, "square-and-add: no interval")
    assert one.low is not None and one.high is not None and other.low is not None and other.high is not None
    below = math.hypot(one.value - one.low, other.high - other.value)
    above = math.hypot(one.high - one.value, other.value - other.low)
    return Estimate(value, value - below, value + above, n, k, "square-and-add")


def paired_difference(pairs: Sequence[tuple[float, float]], clusters: Sequence[str]) -> Estimate:
    """Mean of the first minus the second of each pair, with the cluster-robust t interval."""
    estimate = mean([one - other for one, other in pairs], clusters)
    return Estimate(
        estimate.value, estimate.low, estimate.high, estimate.n, estimate.clusters, f"paired, {estimate.method}"
    )


def cluster_bootstrap(
    statistic: Callable[[np.ndarray], float], clusters: Sequence[str], *, draws: int = 1000, seed: int = 0
) -> tuple[float, float] | None:
    """Percentile interval of `statistic(indices)` over resampled clusters; None below ten clusters.

    Resamples on which the statistic is not finite (one class only) are left out.
    """
    labels = np.asarray(clusters)
    unique, inverse = np.unique(labels, return_inverse=True)
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


def rank_among(target: float, random: Sequence[float]) -> float:
    """One-sided randomisation p-value of a target among random draws: (1 + draws at least as large) / (1 + draws)."""
    return (1 + sum(value >= target for value in random)) / (1 + len(random))


def root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where a function that changes sign between `low` and `high` is zero."""
    found: Any = optimize.brentq(function, low, high)
    return float(found)

"""Trials that cross two or more kinds of clusters (directions and topics, draws and questions): what a replication
would redraw is each of them, so the interval holds over new ones of every kind.

Variances of a mean by each way of clustering are added and what they share is taken off once (Cameron, Gelbach and
Miller, Journal of Business and Economic Statistics 29, 2011), never below the largest of them; degrees of freedom are
those of the way with the fewest. A random direction is such a way: its draws are a random effect.
"""

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import replace
from itertools import combinations

import numpy as np
from scipy import stats

from introlab.stats.checked_columns import UNIT, Column, Range, measured, names
from introlab.stats.estimates import LEVEL, bounded_mean, clopper_pearson, cluster_variance, difference, most_trials
from introlab.stats.interval import Estimate, Kind, missing
from introlab.stats.small_samples import degrees_of_freedom

_TELLING = 9
"""Clusters that hold another value than the usual one, up to which a spread is not trusted."""
Ways = Sequence[Column]
"""The cluster of each trial, once for each kind of cluster."""


def crossed_proportion(outcomes: Column, ways: Ways) -> Estimate:
    """A rate with Clopper and Pearson's bounds at the effective number of trials of crossed clusters.

    Where few clusters of a way hold the rarer outcome, trials count for no more than that way has clusters, and at 0 of
    n for exactly as many: eight directions none of which has it leave room for a rate of .37. Raises InputError for
    missing outcomes and for outcomes outside 0 to 1.
    """
    values = measured(outcomes, within=UNIT)
    labels, n = _labels(ways, len(values)), len(values)
    if not n:
        return missing("Korn-Graubard, crossed", "proportion")
    value, k = float(values.mean()), _fewest(labels)
    if k < 2:
        return Estimate(value, None, None, n, k, "one cluster: no interval", "proportion")
    most = min(most_trials(values, each) for each in labels)
    variance, df = crossed_variance(values, labels)
    effective = float(n)
    if 0.0 < value < 1.0 and variance > 0:
        effective = min(effective, value * (1 - value) / variance)
        effective *= float(stats.t.ppf(0.5 + LEVEL / 2, n - 1) / stats.t.ppf(0.5 + LEVEL / 2, df)) ** 2
    low, high = clopper_pearson(value, max(1.0, min(effective, most)), LEVEL)
    return Estimate(value, low, high, n, k, "Korn-Graubard, crossed clusters", "proportion")


def crossed_mean(values: Column, ways: Ways, *, within: Range | None = None, kind: Kind = "mean") -> Estimate:
    """A mean with Student's interval over crossed clusters; values that hardly vary have bounds from their range, as in
    `estimates.mean`, by the way with the fewest clusters, and no interval without one. Raises InputError for missing
    values and for those outside the range."""
    array = measured(values, within=within)
    labels, n = _labels(ways, len(array)), len(array)
    if not n:
        return missing("cluster-robust t, crossed", kind)
    value, k = float(array.mean()), _fewest(labels)
    if k < 2:
        return Estimate(value, None, None, n, k, "one cluster: no interval", kind)
    smallest = min(labels, key=lambda each: len(np.unique(each)))
    if within is not None and any(_hardly_vary(array, each) for each in labels):
        found = bounded_mean(array, smallest, within)
        return Estimate(found.value, found.low, found.high, n, k, f"{found.method}, crossed clusters", kind)
    variance, df = crossed_variance(array, labels)
    if math.sqrt(variance) <= 1e-12 * float(np.abs(array).max()):
        return Estimate(value, None, None, n, k, "values do not vary: no interval", kind)
    half = float(stats.t.ppf(0.5 + LEVEL / 2, df)) * math.sqrt(variance)
    return Estimate(value, value - half, value + half, n, k, "cluster-robust t, crossed clusters", kind)


def crossed_difference(pairs: Sequence[tuple[float, float]], ways: Ways, *, within: Range = UNIT) -> Estimate:
    """Mean of the first minus the second of each pair, of values in a range; the same trial in both conditions.

    Of outcomes of 0 and 1 that hardly differ from pair to pair: the rate of pairs that go one way minus that of those
    that go the other, by the square-and-add rule. Raises InputError as `crossed_mean` does.
    """
    array = measured(pairs, within=within).reshape(-1, 2)
    gaps, reach = array[:, 0] - array[:, 1], within[1] - within[0]
    if len(gaps) and np.isin(array, UNIT).all() and any(_hardly_vary(gaps, each) for each in _labels(ways, len(gaps))):
        found = difference(crossed_proportion(gaps > 0, ways), crossed_proportion(gaps < 0, ways))
        return replace(found, n=len(gaps), method=f"paired, {found.method}, crossed clusters", kind="paired difference")
    return crossed_mean(gaps, ways, within=(-reach, reach), kind="paired difference")


def crossed_variance(values: np.ndarray, labels: Sequence[np.ndarray]) -> tuple[float, float]:
    """Variance of the mean of trials that cross these ways of clustering, and its degrees of freedom."""
    df = min(degrees_of_freedom(np.unique(each, return_counts=True)[1].astype(float)) for each in labels)
    return _added_up(labels, lambda each: cluster_variance(values, each) if len(np.unique(each)) > 1 else 0.0), df


def crossed_jackknife(
    value: float, left: Callable[[np.ndarray], np.ndarray], ways: Ways, name: str, *, kind: Kind = ""
) -> Estimate:
    """A statistic with Student's interval from leaving out one cluster of each way at a time.

    `left` gives, from the cluster of each trial, the statistic without each cluster (up to a constant). No interval
    where a way has fewer than three clusters or leaving one out changes nothing.
    """
    labels = _labels(ways, len(ways[0]))
    n, k = len(labels[0]), _fewest(labels)

    def spread(each: np.ndarray) -> float:
        found = left(each)
        return (len(found) - 1) / len(found) * float(((found - found.mean()) ** 2).sum())

    variance = _added_up(labels, spread) if k >= 3 else math.nan
    if not variance > 0:
        return Estimate(value, None, None, n, k, f"{name}: clusters do not tell how sure it is", kind)
    half = float(stats.t.ppf(0.5 + LEVEL / 2, k - 1)) * math.sqrt(variance)
    return Estimate(value, value - half, value + half, n, k, f"{name}, leaving out crossed clusters", kind)


def _added_up(labels: Sequence[np.ndarray], variance: Callable[[np.ndarray], float]) -> float:
    """Of all ways, less what they share; never below that of one way alone."""
    found, alone = 0.0, []
    for size, each in _overlaps(labels):
        one = variance(each)
        found += one if size % 2 else -one
        if size == 1:
            alone.append(one)
    return max(found, *alone)


def _hardly_vary(values: np.ndarray, labels: np.ndarray) -> bool:
    """Whether values repeat one value, and no more than half of the clusters (or nine) hold another."""
    every, codes, counts = np.unique(values, return_inverse=True, return_counts=True)
    usual = codes == counts.argmax()
    most = min(_TELLING, len(np.unique(labels)) // 2)
    return bool(len(every) == 1 or usual.sum() > 1) and len(np.unique(labels[~usual])) <= most


def _labels(ways: Ways, n: int) -> list[np.ndarray]:
    return [np.unique(names(each, n), return_inverse=True)[1] for each in ways]


def _fewest(labels: Sequence[np.ndarray]) -> int:
    return min(len(np.unique(each)) for each in labels)


def _overlaps(labels: Sequence[np.ndarray]) -> Iterator[tuple[int, np.ndarray]]:
    """Every way, and what each set of ways shares, as clusters of their own; with the number of ways in the set."""
    for size in range(1, len(labels) + 1):
        for some in combinations(labels, size):
            seen: dict[Hashable, int] = {}
            cells = zip(*(each.tolist() for each in some), strict=True)
            yield size, np.array([seen.setdefault(cell, len(seen)) for cell in cells])

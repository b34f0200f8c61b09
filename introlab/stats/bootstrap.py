"""Intervals for statistics of totals: the cluster bootstrap, and leaving out one cluster at a time.

A mean, a ratio, a correlation, a kappa are functions of totals over trials. What a cluster adds to each total is all
that has to be kept of it, so ten thousand resamples of a hundred thousand trials take seconds.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from scipy import stats

from introlab.errors import InputError
from introlab.stats.checked_columns import Column, measured, names, same_length
from introlab.stats.estimates import LEVEL, MIN_BOOTSTRAP_CLUSTERS
from introlab.stats.interval import Estimate
from introlab.stats.small_samples import degrees_of_freedom

Statistic = Callable[[np.ndarray], np.ndarray]
"""Of totals, [..., column], a number each, [...]; NaN where there is none."""
_TOGETHER = 100_000
"""Draws times clusters that are held at once: as many as stay close to the processor."""


def cluster_totals(columns: Sequence[Column], clusters: Column) -> np.ndarray:
    """What each cluster adds to the total of each column, [cluster, column]. Raises InputError for missing values."""
    values = [measured(column) for column in columns]
    same_length(**{f"column {index}": column for index, column in enumerate(values)})
    unique, inverse = np.unique(names(clusters, len(values[0])), return_inverse=True)
    return np.stack([np.bincount(inverse, weights=column, minlength=len(unique)) for column in values], axis=1)


def bootstrap(
    statistic: Statistic,
    columns: Sequence[Column],
    clusters: Column,
    name: str,
    *,
    draws: int = 10_000,
    seed: int = 0,
) -> Estimate:
    """A statistic with the percentile interval over resampled clusters, widened for their number.

    The percentiles are those of Hesterberg (The American Statistician 69, 2015): for a mean they give about Student's
    interval, where the plain ones are too short for few clusters. No interval where resamples do not differ. Raises
    InputError below ten clusters, and for missing values.
    """
    totals = cluster_totals(columns, clusters)
    k = len(totals)
    if k < MIN_BOOTSTRAP_CLUSTERS:
        raise InputError(
            "too few clusters to resample",
            given=f"{k} clusters",
            allowed=f"at least {MIN_BOOTSTRAP_CLUSTERS}",
            do="use proportion, mean or contrast (introlab.stats.estimates, .contrasts), or a permutation test",
        )
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(statistic(totals.sum(0)))
        each = np.concatenate([statistic(block) for block in resampled_totals(totals, draws=draws, seed=seed)])
    finite = each[np.isfinite(each)]
    if not math.isfinite(value):
        return Estimate(None, None, None, len(clusters), k, f"{name}: not defined here")
    if len(finite) < draws / 2 or np.ptp(finite) <= 1e-12 * np.abs(finite).max():
        return Estimate(value, None, None, len(clusters), k, f"{name}: resamples do not differ, no interval")
    low, high = widened_percentiles(finite, degrees_of_freedom(cluster_sizes(clusters)) + 1)
    return Estimate(value, min(low, value), max(high, value), len(clusters), k, f"{name}, cluster bootstrap")


def cluster_sizes(clusters: Column) -> np.ndarray:
    """How many trials each cluster has."""
    return np.unique(names(clusters, len(clusters)), return_counts=True)[1].astype(float)


def widened_percentiles(values: np.ndarray, clusters: float) -> tuple[float, float]:
    """Percentiles of resampled values that make up for the number of clusters: those between which a normal mean would
    have Student's interval. Uneven clusters count for fewer, which need not be whole."""
    tail = stats.norm.cdf(-math.sqrt(clusters / (clusters - 1)) * stats.t.ppf(0.5 + LEVEL / 2, clusters - 1))
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def resampled_totals(totals: np.ndarray, *, draws: int, seed: int = 0) -> Iterator[np.ndarray]:
    """Totals of resamples of as many clusters as there are, some draws at a time: blocks of [draw, column]."""
    k, rng = len(totals), np.random.default_rng(seed)
    together = max(1, _TOGETHER // k)
    for start in range(0, draws, together):
        rows = min(together, draws - start)
        chosen = rng.integers(k, size=(rows, k), dtype=np.int32)
        chosen += np.arange(rows, dtype=np.int32)[:, None] * k
        yield np.bincount(chosen.ravel(), minlength=rows * k).reshape(rows, k).astype(float) @ totals


def jackknife(
    statistic: Statistic,
    columns: Sequence[Column],
    clusters: Column,
    name: str,
    *,
    back: Callable[[float], float] = float,
) -> Estimate:
    """A statistic with Student's interval from leaving out one cluster at a time.

    `back` maps the scale on which the statistic is near normal (Fisher's z, a logarithm) to the one to report. No
    interval below three clusters, or where leaving one out changes nothing. Uneven clusters have fewer degrees of
    freedom. Raises InputError for missing values, and for none.
    """
    totals = cluster_totals(columns, clusters)
    k, n = len(totals), len(clusters)
    if not n:
        raise InputError("no trials to leave out", given=name)
    with np.errstate(invalid="ignore", divide="ignore"):
        value = float(statistic(totals.sum(0)))
        left = statistic(totals.sum(0) - totals)
    if not math.isfinite(value):
        return Estimate(None, None, None, n, k, f"{name}: not defined here")
    return around(value, left, n, name, back=back, df=degrees_of_freedom(cluster_sizes(clusters)) if k > 1 else None)


def around(
    value: float,
    left: np.ndarray,
    n: int,
    name: str,
    *,
    back: Callable[[float], float] = float,
    df: float | None = None,
) -> Estimate:
    """The jackknife's interval, from the value and the values with one cluster left out; `df` for uneven clusters."""
    k = len(left)
    spread = float(((left - left.mean()) ** 2).sum()) if k >= 3 else math.nan
    if not spread > (1e-12 * float(np.abs(left).max())) ** 2:  # also where a value is NaN
        return Estimate(back(value), None, None, n, k, f"{name}: clusters do not tell how sure it is")
    half = float(stats.t.ppf(0.5 + LEVEL / 2, df or k - 1)) * math.sqrt((k - 1) / k * spread)
    return Estimate(back(value), back(value - half), back(value + half), n, k, f"{name}, leaving out clusters")

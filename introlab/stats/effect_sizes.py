"""How large an effect is: Cohen's d, sensitivity and criterion, and correlation within and between conditions."""

import math
from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np
from scipy import special, stats

from introlab.errors import InputError
from introlab.stats.bootstrap import jackknife
from introlab.stats.checked_columns import Column, answers, flags, measured, names, same_length
from introlab.stats.contrasts import combined, correlation_of_parts
from introlab.stats.estimates import LEVEL, MIN_BOOTSTRAP_CLUSTERS, proportion, root
from introlab.stats.interval import Estimate, missing

_TAIL = (1 - LEVEL) / 2


def hedges_g(values: Column, treated: Column, clusters: Column) -> Estimate:
    """Mean of the treated minus mean of the others, in pooled standard deviations, corrected for small samples.

    Where every trial is its own cluster the interval is exact for normal values (noncentral t); else it leaves out one
    cluster at a time. (Hedges, Journal of Educational Statistics 6, 1981; d is ``g / (1 - 3 / (4 n - 9))``.) Raises
    InputError for missing values, and below ten clusters of several trials.
    """
    n = same_length(values=values, treated=treated)
    array, side = measured(values), flags(treated, "arms").astype(float)
    one, other = array[side > 0], array[side == 0]
    k = len(np.unique(names(clusters, n)))
    if min(len(one), len(other)) < 2:
        return missing("Hedges' g: fewer than two trials in an arm")
    if max(np.ptp(one), np.ptp(other)) == 0:
        return Estimate(None, None, None, n, k, "Hedges' g: values do not vary")
    centred = array - array.mean()  # the moments below then lose no digits
    columns = [side, side * centred, side * centred**2, 1 - side, (1 - side) * centred, (1 - side) * centred**2]
    if k < n:
        _enough(k)
        return jackknife(_g, columns, clusters, "Hedges' g")
    value = float(_g(np.sum(columns, axis=1)))
    unit, df, correct = math.sqrt(len(one) * len(other) / n), n - 2, _small(n)
    t = value / correct * unit
    low, high = (_noncentrality(t, df, tail) / unit * correct for tail in (1 - _TAIL, _TAIL))
    return Estimate(value, min(low, value), max(high, value), n, k, "Hedges' g, noncentral t")


def _g(totals: np.ndarray) -> np.ndarray:
    m, sum_m, square_m, n, sum_n, square_n = np.moveaxis(totals, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        pooled = (square_m - sum_m**2 / m + square_n - sum_n**2 / n) / (m + n - 2)
        return np.where(pooled > 0, (sum_m / m - sum_n / n) / np.sqrt(pooled) * _small(m + n), np.nan)


def _small(n: Any) -> Any:
    """Hedges' correction, exactly: ``gamma(df/2) / (sqrt(df/2) gamma((df-1)/2))``."""
    half = (n - 2) / 2
    return np.exp(special.gammaln(half) - special.gammaln(half - 0.5)) / np.sqrt(half)


def _noncentrality(t: float, df: int, tail: float) -> float:
    """The noncentrality under which a share `tail` of values lies below `t`."""

    def excess(shift: float) -> float:
        below = float(stats.nct.cdf(t, df, shift))
        # Far out, where nothing or everything lies below, scipy's distribution may be NaN.
        return (float(shift < t) if math.isnan(below) else below) - tail

    reach = 8 * math.sqrt(1 + t * t / (2 * df))
    return root(excess, t - reach, t + reach)


def sensitivity(said_yes: Column, signal: Column, clusters: Column) -> Estimate:
    """d': z of the hit rate minus z of the false-alarm rate, both with the log-linear correction.

    The interval adds up those of the two rates on the scale of z. Where a rate is 0 or 1, d' is bounded on one side
    only; the other bound is None. (Hautus, Behavior Research Methods 27, 1995.) No value without both kinds of trials.
    Raises InputError for missing answers.
    """
    return _detection(said_yes, signal, clusters, np.array([1.0, -1.0]), "d'")


def criterion(said_yes: Column, signal: Column, clusters: Column) -> Estimate:
    """c: minus half the sum of both z; below 0 it says yes too readily. As `sensitivity` in all else."""
    return _detection(said_yes, signal, clusters, np.array([-0.5, -0.5]), "criterion")


def _detection(said_yes: Column, signal: Column, clusters: Column, factors: np.ndarray, name: str) -> Estimate:
    n = same_length(said_yes=said_yes, signal=signal)
    yes, labels = flags(said_yes, "answers").astype(float), names(clusters, n)
    there = flags(signal, "signals")
    masks = [there, ~there]
    if not all(mask.any() for mask in masks):
        return missing(f"{name} needs trials with and without a signal")
    parts = [_on_z(yes[mask], labels[mask]) for mask in masks]
    return combined(parts, factors, correlation_of_parts(yes, masks, labels, factors), labels, name)


def _on_z(yes: np.ndarray, labels: np.ndarray) -> Estimate:
    """A log-linear rate with its Korn-Graubard bounds, all as normal quantiles; bounds of 0 and 1 are infinite."""
    rate = proportion(yes, labels)
    value = float(special.ndtri((yes.sum() + 0.5) / (len(yes) + 1)))
    if rate.low is None or rate.high is None:
        return Estimate(value, None, None, rate.n, rate.clusters, rate.method)
    low, high = min(float(special.ndtri(rate.low)), value), max(float(special.ndtri(rate.high)), value)
    return Estimate(value, low, high, rate.n, rate.clusters, rate.method)


def correlation(one: Column, other: Column, clusters: Column) -> Estimate:
    """Pearson's r, with the interval on Fisher's scale, leaving out one cluster at a time. Raises InputError for
    missing values and below ten clusters."""
    same_length(one=one, other=other)
    return _correlated(measured(one), measured(other), clusters, "correlation")


def within_conditions(one: Column, other: Column, conditions: Sequence[Hashable], clusters: Column) -> Estimate:
    """Correlation of what is left once each condition's means are taken off: what a reading tells beyond the
    condition. Raises as `correlation` does."""
    same_length(one=one, other=other, conditions=conditions)
    first, second = (_centred(measured(each), conditions) for each in (one, other))
    return _correlated(first, second, clusters, "correlation within conditions")


def between_conditions(one: Column, other: Column, conditions: Sequence[Hashable]) -> Estimate:
    """Correlation of the conditions' means, with Fisher's interval: conditions are what is drawn anew. Raises
    InputError for missing values and below four conditions."""
    same_length(one=one, other=other, conditions=conditions)
    codes = _codes(conditions)
    k = int(codes.max(initial=-1)) + 1
    if k < 4:
        raise InputError("too few conditions to correlate", given=k, allowed="at least 4")
    size = np.bincount(codes)
    x, y = (np.bincount(codes, weights=measured(each)) / size for each in (one, other))
    if np.ptp(x) < 1e-12 or np.ptp(y) < 1e-12:
        return Estimate(None, None, None, len(codes), k, "correlation between conditions: means do not vary")
    found: Any = stats.pearsonr(x, y)
    bounds = found.confidence_interval(LEVEL)
    value, low, high = float(found.statistic), float(bounds.low), float(bounds.high)
    return Estimate(value, min(low, value), max(high, value), len(codes), k, "correlation between conditions, Fisher")


def _correlated(x: np.ndarray, y: np.ndarray, clusters: Column, name: str) -> Estimate:
    _enough(len(np.unique(names(clusters, len(x)))))
    x, y = ((each - each.mean()) / (each.std() or 1.0) for each in (x, y))
    columns = [np.ones(len(x)), x, y, x * x, y * y, x * y]
    return jackknife(_fisher, columns, clusters, name, back=math.tanh)


def _fisher(totals: np.ndarray) -> np.ndarray:
    n, x, y, xx, yy, xy = np.moveaxis(totals, -1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):
        spread = (xx - x**2 / n) * (yy - y**2 / n)
        r = np.where(spread > 1e-24, (xy - x * y / n) / np.sqrt(spread), np.nan)
        return np.arctanh(np.clip(r, -1 + 1e-12, 1 - 1e-12))


def _centred(values: np.ndarray, conditions: Sequence[Hashable]) -> np.ndarray:
    codes = _codes(conditions)
    if not len(values):
        return values
    left = values - (np.bincount(codes, weights=values) / np.bincount(codes))[codes]
    # What a condition fixes leaves rounding, not a reading.
    return np.where(np.abs(left) > 1e-12 * np.abs(values).max(), left, 0.0)


def _codes(labels: Sequence[Hashable]) -> np.ndarray:
    known: dict[Hashable, int] = {}
    return np.array([known.setdefault(label, len(known)) for label in answers(labels, "conditions")], dtype=int)


def _enough(clusters: int) -> None:
    if clusters < MIN_BOOTSTRAP_CLUSTERS:
        raise InputError(
            "too few clusters for this interval",
            given=f"{clusters} clusters",
            allowed=f"at least {MIN_BOOTSTRAP_CLUSTERS}",
            do="report the trials themselves, or a permutation test (introlab.stats.paired.sign_flip)",
        )

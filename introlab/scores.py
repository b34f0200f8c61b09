"""How well a score separates right from wrong, and how well it is calibrated; intervals by resampling clusters."""

import math
from collections.abc import Callable, Sequence

import numpy as np
from scipy import special, stats

from introlab.stats import (
    LEVEL,
    Column,
    Estimate,
    cluster_bootstrap,
    cluster_draws,
    measured,
    missing,
    percentiles,
    root,
)

Bounds = tuple[float, float] | None
_CLUSTERS_OF_A_CLASS = 20


def auroc(scores: Sequence[float], labels: Sequence[bool], clusters: Sequence[str], *, draws: int = 500) -> Estimate:
    """Area under the ROC curve with a cluster-bootstrap interval; 0.5 is chance.

    Where every resample gives the same value (perfect separation) the interval is Newcombe's, at the number of
    clusters, so that 1.0 has a real lower bound.
    """
    truth, values, names = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=float), np.asarray(clusters)
    k = len(np.unique(names))
    if truth.all() or not truth.any():
        return Estimate(None, None, None, len(truth), k, "AUROC needs both classes")
    value = auroc_of(values, truth)
    bounds = percentiles(_auroc_draws(values, truth, np.zeros(len(truth), dtype=int), clusters, draws))
    if bounds is None:
        return Estimate(value, None, None, len(truth), k, "AUROC: too few clusters for an interval")
    low, high = bounds
    method = "AUROC, cluster bootstrap"
    if high - low < 1e-9:
        low, high = _newcombe_auroc(value, len(np.unique(names[truth])), len(np.unique(names[~truth])))
        method = "AUROC, Newcombe at the number of clusters"
    return Estimate(value, min(low, value), max(high, value), len(truth), k, method)


def auroc_of(scores: np.ndarray, truth: np.ndarray) -> float:
    """The area alone; NaN where there is one class only."""
    positives = int(truth.sum())
    if positives in (0, len(truth)):
        return math.nan
    ranks = stats.rankdata(scores)
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * (len(truth) - positives)))


def _newcombe_auroc(value: float, positives: int, negatives: int) -> tuple[float, float]:
    """Method 5 of Newcombe, Statistics in Medicine 25 (2006): a score-like interval that is proper at 1."""
    z = float(stats.norm.ppf(0.5 + LEVEL / 2))
    extra = (positives + negatives) / 2 - 1

    def excess(theta: float) -> float:
        spread = theta * (1 - theta) * (1 + extra * (1 - theta) / (2 - theta) + extra * theta / (1 + theta))
        return (theta - value) ** 2 - z**2 * spread / (positives * negatives)

    # At 0 and 1 the spread vanishes with the distance; just inside, the excess has the sign a root needs.
    edge = 1e-9
    low = root(excess, edge, min(value, 1 - edge)) if value > 2 * edge else 0.0
    high = root(excess, max(value, edge), 1 - edge) if value < 1 - 2 * edge else 1.0
    return low, high


def _level_codes(levels: Sequence[object]) -> np.ndarray:
    return np.unique(np.asarray([str(each) for each in levels]), return_inverse=True)[1]


def _auroc_within(scores: np.ndarray, truth: np.ndarray, levels: np.ndarray) -> float:
    """Over pairs of the same level; NaN where no level holds both classes."""
    total = pairs = 0.0
    for level in np.unique(levels):
        inside = levels == level
        positives = int(truth[inside].sum())
        weight = positives * (int(inside.sum()) - positives)
        if weight:
            total += weight * auroc_of(scores[inside], truth[inside])
            pairs += weight
    return total / pairs if pairs else math.nan


def within_levels_auroc(
    scores: Sequence[float],
    labels: Sequence[bool],
    levels: Sequence[object],
    clusters: Sequence[str],
    *,
    draws: int = 500,
) -> Estimate:
    """AUROC over pairs of the same level only: what is left of a score once difficulty is held fixed."""
    truth, values, inside = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=float), _level_codes(levels)

    def bounds() -> Bounds:
        return percentiles(_auroc_draws(values, truth, inside, clusters, draws))

    value = _auroc_within(values, truth, inside)
    return _bounded(value, bounds, clusters, "AUROC within levels", needs="both classes in a level")


def auroc_over_deals(deals: Sequence[Sequence[float]], labels: Sequence[bool]) -> Estimate:
    """The mean AUROC of scores fitted on shuffled labels, with the range 95 % of the shuffles fall into.

    `deals[trial][shuffle]` is the score a shuffle gives a trial. Far from 0.5, something leaks.
    """
    truth, columns = np.asarray(labels, dtype=bool), np.asarray(deals, dtype=float)
    if truth.all() or not truth.any() or columns.ndim != 2 or not columns.shape[1]:
        return missing("no AUROC over shuffled labels")
    each = [auroc_of(column, truth) for column in columns.T]
    low, high = (float(bound) for bound in np.quantile(each, [(1 - LEVEL) / 2, (1 + LEVEL) / 2]))
    centre = float(np.mean(each))
    method = "mean and range over shuffled labels"
    return Estimate(centre, min(low, centre), max(high, centre), len(truth), len(each), method)


def auroc_difference(
    one: Sequence[float],
    other: Sequence[float],
    labels: Sequence[bool],
    clusters: Sequence[str],
    *,
    levels: Sequence[object] | None = None,
    draws: int = 500,
) -> Estimate:
    """AUROC of one score minus that of another on the same trials, resampled together.

    With `levels`, both are over pairs of the same level: a score that only knows the level has 0.5 there.
    """
    truth, first, second = np.asarray(labels, dtype=bool), np.asarray(one, dtype=float), np.asarray(other, dtype=float)
    inside = _level_codes(levels) if levels is not None else np.zeros(len(truth), dtype=int)

    def bounds() -> Bounds:
        each = [_auroc_draws(scores, truth, inside, clusters, draws) for scores in (first, second)]
        return percentiles(each[0] - each[1])

    value = _auroc_within(first, truth, inside) - _auroc_within(second, truth, inside)
    return _bounded(value, bounds, clusters, "paired AUROC difference", needs="both classes")


def _auroc_draws(
    scores: np.ndarray, truth: np.ndarray, levels: np.ndarray, clusters: Sequence[str], draws: int
) -> np.ndarray:
    """The AUROC over pairs of the same level in each resample of clusters; empty below ten of them."""
    # Within a level and among equal scores all trials are alike: their weights are summed.
    order = np.lexsort((scores, levels))
    level, score, side = levels[order], scores[order], truth[order]
    new_level = np.r_[True, level[1:] != level[:-1]]
    new = new_level | np.r_[True, score[1:] != score[:-1]]
    starts, of_level = np.flatnonzero(new), np.flatnonzero(new_level[new])
    found = []
    for times in cluster_draws(clusters, draws=draws):
        weights = times[:, order]
        positive = np.add.reduceat(weights * side, starts, axis=1)
        negative = np.add.reduceat(weights * ~side, starts, axis=1)
        lower = np.cumsum(negative, axis=1) - negative
        before = np.repeat(lower[:, of_level], np.diff(np.r_[of_level, len(starts)]), axis=1)
        won = (positive * (lower - before + negative / 2)).sum(1)
        pairs = np.add.reduceat(positive, of_level, axis=1) * np.add.reduceat(negative, of_level, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            found.append(won / pairs.sum(1))
    return np.concatenate(found) if found else np.empty(0)


def average_precision(scores: Column, labels: Column, clusters: Column, *, draws: int = 1000) -> Estimate:
    """Area under precision by recall (scikit-learn's, equal scores at once), for rare positives; chance is their share.

    The interval is Student's on the scale of log-odds, from resampled clusters: percentiles are biased near 1. None
    below twenty clusters with positives or with negatives, and where all resamples agree. Raises InputError for missing
    values.
    """
    truth, values, names = measured(labels) > 0, measured(scores), np.asarray(clusters)
    k, sides = len(np.unique(names)), [len(np.unique(names[truth])), len(np.unique(names[~truth]))]
    if not truth.any():
        return Estimate(None, None, None, len(truth), k, "average precision needs positives")
    value = float(_precisions(values, truth, np.ones((1, len(truth))))[0])
    if min(sides) < _CLUSTERS_OF_A_CLASS:
        method = f"average precision: fewer than {_CLUSTERS_OF_A_CLASS} clusters with positives or with negatives"
        return Estimate(value, None, None, len(truth), k, method)
    each = np.concatenate([_precisions(values, truth, times) for times in cluster_draws(names.tolist(), draws=draws)])
    each = special.logit(each[(each > 0) & (each < 1)])
    if value == 1 or len(each) < draws / 2 or np.ptp(each) < 1e-12:
        return Estimate(value, None, None, len(truth), k, "average precision: resamples do not differ, no interval")
    half = float(stats.t.ppf(0.5 + LEVEL / 2, min(sides) - 1) * each.std())
    low, high = (float(special.expit(special.logit(value) + side * half)) for side in (-1, 1))
    return Estimate(value, low, high, len(truth), k, "average precision, cluster bootstrap of log-odds")


def _precisions(scores: np.ndarray, truth: np.ndarray, times: np.ndarray) -> np.ndarray:
    """Average precision of each draw, given how often each trial was drawn, [draw, trial]; NaN without positives."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])
    every, hits = (np.add.reduceat((times * one)[:, order], starts, axis=1) for one in (np.ones(len(truth)), truth))
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.nan_to_num(hits.cumsum(1) / every.cumsum(1))
        return (hits * precision).sum(1) / hits.sum(1)


def rank_correlation(
    one: Sequence[float], other: Sequence[float], clusters: Sequence[str], *, draws: int = 500
) -> Estimate:
    """Spearman's correlation with a cluster-bootstrap interval; None where either score does not vary."""
    first, second = np.asarray(one, dtype=float), np.asarray(other, dtype=float)

    def correlation(index: np.ndarray) -> float:
        a, b = stats.rankdata(first[index]), stats.rankdata(second[index])
        return float(np.corrcoef(a, b)[0, 1]) if len(index) > 2 and a.std() > 0 and b.std() > 0 else math.nan

    return resampled(correlation, clusters, "Spearman", needs="scores that vary", draws=draws)


def resampled(
    statistic: Callable[[np.ndarray], float], clusters: Sequence[str], name: str, *, needs: str, draws: int
) -> Estimate:
    """A statistic of trials, given by their indices, with its cluster-bootstrap interval; no value where it is NaN."""
    value = statistic(np.arange(len(clusters))) if len(clusters) else math.nan
    return _bounded(value, lambda: cluster_bootstrap(statistic, clusters, draws=draws), clusters, name, needs=needs)


def reweighted(
    statistic: Callable[[np.ndarray], np.ndarray], clusters: Sequence[str], name: str, *, needs: str, draws: int
) -> Estimate:
    """As `resampled`, of a statistic of how often each trial was drawn, [draw, trial], that does all draws at once."""
    value = float(statistic(np.ones((1, len(clusters))))[0]) if len(clusters) else math.nan

    def bounds() -> Bounds:
        each = [statistic(times) for times in cluster_draws(clusters, draws=draws)]
        return percentiles(np.concatenate(each)) if each else None

    return _bounded(value, bounds, clusters, name, needs=needs)


def _bounded(value: float, bounds: Callable[[], Bounds], clusters: Sequence[str], name: str, *, needs: str) -> Estimate:
    """A value with its bounds, which are asked for where it is a number."""
    n, k = len(clusters), len(set(clusters))
    if not math.isfinite(value):
        return Estimate(None, None, None, n, k, f"{name} needs {needs}")
    found = bounds()
    if found is None:
        return Estimate(value, None, None, n, k, f"{name}: too few clusters")
    return Estimate(value, min(found[0], value), max(found[1], value), n, k, f"{name}, cluster bootstrap")


def expected_calibration_error(confidence: Sequence[float], correct: Sequence[bool], *, bins: int = 10) -> float:
    """ECE over equal-mass bins; equal confidences are never split between bins (arXiv 2207.05221, section 3)."""
    order = np.argsort(np.asarray(confidence), kind="stable")
    p, y = np.asarray(confidence, dtype=float)[order], np.asarray(correct, dtype=float)[order]
    edges = [round(len(p) * index / bins) for index in range(1, bins)]
    # Move each edge to the end of its run of ties.
    cuts = sorted({int(np.searchsorted(p, p[edge - 1], side="right")) for edge in edges if edge > 0} - {len(p), 0})
    parts = zip(np.split(p, cuts), np.split(y, cuts), strict=True)
    return float(sum(len(a) * abs(a.mean() - b.mean()) for a, b in parts) / len(p))


def _errors(p: np.ndarray, y: np.ndarray, times: np.ndarray, *, bins: int = 10) -> np.ndarray:
    """`expected_calibration_error` of each draw, given how often each trial was drawn, [draw, trial]."""
    order = np.argsort(p, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(p[order]) != 0])
    count, said, right = (np.add.reduceat((times * one)[:, order], starts, axis=1) for one in (np.ones_like(p), p, y))
    every, before = count.sum(1), count.cumsum(1) - count
    # A bin ends with the run of ties its last trial is in: a run is in as many bins as have ended before it.
    ends = [np.maximum(1, np.round(every * index / bins))[:, None] for index in range(1, bins)]
    which = np.sum([before >= end for end in ends], axis=0)
    gaps = [np.abs(((said - right) * (which == index)).sum(1)) for index in range(bins)]
    return np.sum(gaps, axis=0) / every


def calibration_error(
    confidence: Sequence[float], correct: Sequence[bool], clusters: Sequence[str], *, draws: int = 300
) -> Estimate:
    """ECE with a basic cluster-bootstrap interval (ECE is biased upwards, which the basic interval reflects back)."""
    p, y = np.asarray(confidence, dtype=float), np.asarray(correct, dtype=float)
    k = len(set(clusters))
    if len(p) == 0:
        return missing("ECE")
    value = expected_calibration_error(p.tolist(), y.tolist())
    each = [_errors(p, y, times) for times in cluster_draws(clusters, draws=draws)]
    bounds = percentiles(np.concatenate(each)) if each else None
    if bounds is None:
        return Estimate(value, None, None, len(p), k, "ECE: too few clusters for an interval")
    low, high = max(0.0, 2 * value - bounds[1]), min(1.0, 2 * value - bounds[0])
    return Estimate(value, min(low, value), max(high, value), len(p), k, "ECE, equal mass, basic cluster bootstrap")

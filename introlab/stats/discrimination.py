"""How well a score separates right from wrong, with intervals by cluster. How well it is calibrated: `calibration`."""

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from scipy import special, stats

from introlab.errors import InputError
from introlab.stats.checked_columns import Column, flags, measured, names, ranked, same_length
from introlab.stats.contrasts import combined
from introlab.stats.estimates import LEVEL, cluster_bootstrap, cluster_draws, percentiles
from introlab.stats.interval import Estimate, missing
from introlab.stats.stratified_auroc import Separation

Bounds = tuple[float, float] | None
_CLUSTERS_OF_A_CLASS = 20


def auroc(scores: Sequence[float], labels: Sequence[bool], clusters: Sequence[str]) -> Estimate:
    """Area under the ROC curve with the interval of `Separation.estimate`; 0.5 is chance. 1.0 has a real lower bound.

    Raises InputError for missing scores, labels and clusters.
    """
    return Separation.of(scores, labels, clusters).estimate()


def auroc_of(scores: np.ndarray, truth: np.ndarray) -> float:
    """The area alone; NaN where there is one class only. Raises InputError for scores that are NaN."""
    if len(scores) != len(truth) or np.isnan(scores).any():
        raise InputError("scores that cannot be ranked", given=f"{len(scores)} scores of {len(truth)}, some may be NaN")
    positives = int(truth.sum())
    if positives in (0, len(truth)):
        return math.nan
    ranks = stats.rankdata(scores)
    return float((ranks[truth].sum() - positives * (positives + 1) / 2) / (positives * (len(truth) - positives)))


def stratified_auroc(
    scores: Sequence[float], labels: Sequence[bool], levels: Sequence[object], clusters: Sequence[str]
) -> Estimate:
    """AUROC over pairs of the same level only: what is left of a score once difficulty is held fixed. As `auroc`."""
    same_length(scores=scores, levels=levels)
    return Separation.of(scores, labels, clusters, levels).estimate("AUROC within levels")


def permutation_mean_auroc(deals: Sequence[Sequence[float]], labels: Sequence[bool]) -> Estimate:
    """The mean AUROC of scores fitted on shuffled labels, with the range 95 % of the shuffles fall into.

    `deals[trial][shuffle]` is the score a shuffle gives a trial. Far from 0.5, something leaks. Raises InputError for
    missing scores and labels.
    """
    same_length(deals=deals, labels=labels)
    truth, columns = flags(labels, "labels"), ranked(deals)  # type: ignore[arg-type]
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
) -> Estimate:
    """AUROC of one score minus that of another on the same trials: the square-and-add interval of both, with their
    correlation over clusters. Scores that rank all trials alike differ by nothing, exactly.

    With `levels`, both are over pairs of the same level: a score that only knows the level has 0.5 there. Raises
    InputError for missing scores.
    """
    name, both = "paired AUROC difference", [Separation.of(scores, labels, clusters, levels) for scores in (one, other)]
    first, second = (replace(each.estimate(name), kind="paired difference") for each in both)
    if first.value is None or second.value is None:
        return first
    if not first.known:
        return replace(first, value=first.value - second.value)
    if (both[0].ranks == both[1].ranks).all():
        return replace(first, value=0.0, low=0.0, high=0.0, method=f"{name}: the same ranks")
    with np.errstate(invalid="ignore", divide="ignore"):
        shared = np.nan_to_num(np.corrcoef([each.without for each in both]))
    np.fill_diagonal(shared, 1.0)
    found = combined((first, second), np.array([1.0, -1.0]), shared, np.asarray(clusters), name)
    return replace(found, kind="paired difference")


def average_precision(scores: Column, labels: Column, clusters: Column, *, draws: int = 1000) -> Estimate:
    """Area under precision by recall (scikit-learn's, equal scores at once), for rare positives; chance is their share.

    The interval is Student's on the scale of log-odds, from resampled clusters: percentiles are biased near 1. None
    below twenty clusters with positives or with negatives, and where all resamples agree. Raises InputError for missing
    values.
    """
    n = same_length(scores=scores, labels=labels)
    truth, values, groups = flags(labels, "labels"), measured(scores), names(clusters, n)
    k, sides = len(np.unique(groups)), [len(np.unique(groups[truth])), len(np.unique(groups[~truth]))]
    if not truth.any():
        return Estimate(None, None, None, len(truth), k, "average precision needs positives")
    value = float(_precisions(values, truth, np.ones((1, len(truth))))[0])
    if min(sides) < _CLUSTERS_OF_A_CLASS:
        method = f"average precision: fewer than {_CLUSTERS_OF_A_CLASS} clusters with positives or with negatives"
        return Estimate(value, None, None, len(truth), k, method)
    each = np.concatenate([_precisions(values, truth, times) for times in cluster_draws(groups.tolist(), draws=draws)])
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
    """Spearman's correlation with a cluster-bootstrap interval; None where either score does not vary. Raises
    InputError for missing scores."""
    names(clusters, same_length(one=one, other=other))
    first, second = ranked(one), ranked(other)

    def correlation(index: np.ndarray) -> float:
        a, b = stats.rankdata(first[index]), stats.rankdata(second[index])
        return float(np.corrcoef(a, b)[0, 1]) if len(index) > 2 and a.std() > 0 and b.std() > 0 else math.nan

    return resampled(correlation, clusters, "Spearman", needs="scores that vary", draws=draws)


def resampled(
    statistic: Callable[[np.ndarray], float], clusters: Sequence[str], name: str, *, needs: str, draws: int
) -> Estimate:
    """A statistic of trials, given by their indices, with its cluster-bootstrap interval; no value where it is NaN."""
    names(clusters, len(clusters))
    value = statistic(np.arange(len(clusters))) if len(clusters) else math.nan
    return _bounded(value, lambda: cluster_bootstrap(statistic, clusters, draws=draws), clusters, name, needs=needs)


def reweighted(
    statistic: Callable[[np.ndarray], np.ndarray], clusters: Sequence[str], name: str, *, needs: str, draws: int
) -> Estimate:
    """As `resampled`, of a statistic of how often each trial was drawn, [draw, trial], that does all draws at once."""
    names(clusters, len(clusters))
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
    if found[1] - found[0] <= 1e-12:
        return Estimate(value, None, None, n, k, f"{name}: resamples do not differ, no interval")
    return Estimate(value, min(found[0], value), max(found[1], value), n, k, f"{name}, cluster bootstrap")

"""What is left when the least confident answers are withheld: risk at a coverage, the area under it; the Brier score.

Equal confidences are withheld in no order: every value is the mean over all orders of the tied.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import stats

from introlab.errors import InputError
from introlab.stats.checked_columns import UNIT, Column, flags, measured, names, ranked, same_length
from introlab.stats.estimates import (
    LEVEL,
    bounded_mean,
    clopper_pearson,
    cluster_draws,
    effective_trials,
    proportion,
    skewed_mean,
)
from introlab.stats.interval import Estimate

_OF_A_KIND = 10
"""Clusters with right answers, and with wrong ones, below which a curve of risks is not resampled."""


@dataclass(frozen=True)
class Score:
    """What confidences are worth: a number for one set of answers, or for many resamples of it at once."""

    name: str
    weighted: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    """Of confidences, of what is right, and of how often each answer was drawn, [draw, answer]: a number per draw."""
    interval: Callable[["Answers", float, int], Estimate]
    """Of answers, the score's value and a number of draws."""
    probabilities: bool = False
    """Whether confidences have to be probabilities; else only their order counts."""

    def __call__(self, confidence: Column, correct: Column) -> float:
        """Raises InputError for no answers, missing ones, confidences that are none, or numbers of them that differ."""
        scores, right = _checked(confidence, correct, self.probabilities)
        return float(self.weighted(scores, right, np.ones((1, len(scores))))[0])


@dataclass(frozen=True)
class Answers:
    """Confidences, what is right (1 or 0), and clusters."""

    confidence: np.ndarray
    right: np.ndarray
    clusters: np.ndarray

    @property
    def of_a_kind(self) -> int:
        """Clusters with right answers or with wrong ones, whichever are fewer."""
        return min(len(np.unique(self.clusters[side])) for side in (self.right > 0, self.right == 0))

    def without(self, value: float | None, why: str) -> Estimate:
        return Estimate(value, None, None, len(self.right), len(np.unique(self.clusters)), why)


def estimated(score: Score, confidence: Column, correct: Column, clusters: Column, *, draws: int = 500) -> Estimate:
    """A score with its interval by cluster; no value where it is NaN, and no interval where right or wrong answers are
    too few to tell one. Raises InputError as the score does."""
    scores, right = _checked(confidence, correct, score.probabilities)
    answers = Answers(scores, right, names(clusters, len(scores)))
    value = score(scores, right)
    if not math.isfinite(value):
        return answers.without(None, f"{score.name} needs answers of both kinds")
    if len(np.unique(answers.clusters)) < 2:
        return answers.without(value, f"{score.name}: one cluster, no interval")
    return score.interval(answers, value, draws)


def _resampled(
    weighted: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray], name: str, best: float
) -> Callable[[Answers, float, int], Estimate]:
    """Student's interval from resampled clusters on the logarithm of the distance from the `best` value, on whose side
    it is bounded: percentiles are too short where few answers are wrong."""

    def interval(answers: Answers, value: float, draws: int) -> Estimate:
        if answers.of_a_kind < _OF_A_KIND:
            why = f"{name}: fewer than {_OF_A_KIND} clusters with right or with wrong answers, no interval"
            return answers.without(value, why)
        drawn = cluster_draws(answers.clusters.tolist(), draws=draws)
        each = np.concatenate([weighted(answers.confidence, answers.right, times) for times in drawn])
        away = np.abs(best - each[np.isfinite(each)])
        if len(away) < draws / 2 or np.ptp(away) <= 1e-12 or abs(best - value) <= 1e-12:
            return answers.without(value, f"{name}: resamples do not differ, no interval")
        spread = float(np.log(np.maximum(away, 1e-12)).std())
        reach = math.exp(float(stats.t.ppf(0.5 + LEVEL / 2, answers.of_a_kind - 1)) * spread)
        near, far = sorted((best + (value - best) / reach, best + (value - best) * reach))
        n, k = len(answers.right), len(np.unique(answers.clusters))
        return Estimate(value, near, min(far, 1.0), n, k, f"{name}, cluster bootstrap of logarithms")

    return interval


def risk_by_coverage(confidence: Column, correct: Column) -> np.ndarray:
    """Share of wrong answers among the `k` most confident, for `k` from 1 to all. Raises InputError for no answers,
    NaN, or numbers of them that differ."""
    scores, right = _checked(confidence, correct)
    each = [_risk_at(scores, right, np.ones((1, len(scores))), np.array([k]))[0] for k in range(1, len(scores) + 1)]
    return np.array(each)


def accuracy_at(coverage: float) -> Score:
    """Share right among the most confident `coverage` of the answers (at least one). Raises InputError for a coverage
    that is not above 0 and at most 1."""
    if not 0 < coverage <= 1:
        raise InputError("no such coverage", given=coverage, allowed="above 0, at most 1")

    def accuracy(scores: np.ndarray, right: np.ndarray, times: np.ndarray) -> np.ndarray:
        return 1 - _risk_at(scores, right, times, np.maximum(1, np.round(coverage * times.sum(1))))

    def interval(answers: Answers, value: float, _: int) -> Estimate:
        """The rate of the answers that are given, with ties at the edge in part: Korn-Graubard at so many."""
        k = max(1, round(coverage * len(answers.right)))
        edge = np.sort(answers.confidence)[-k]
        given = answers.confidence >= edge
        labels = answers.clusters[given]
        if len(np.unique(labels)) < 2:
            return answers.without(value, f"accuracy at coverage {coverage:g}: one cluster, no interval")
        share = effective_trials(answers.right[given], labels) / given.sum()
        low, high = clopper_pearson(value, k * share, LEVEL)
        n, every = len(answers.right), len(np.unique(answers.clusters))
        return Estimate(value, low, high, n, every, f"accuracy at coverage {coverage:g}, Korn-Graubard")

    return Score(f"accuracy at coverage {coverage:g}", accuracy, interval)


def _checked(confidence: Column, correct: Column, probabilities: bool = False) -> tuple[np.ndarray, np.ndarray]:
    if not same_length(confidence=confidence, correct=correct):
        raise InputError("no answers to rank", do="leave out abstentions, and say how many there were")
    scores = measured(confidence, within=UNIT) if probabilities else ranked(confidence)
    return scores, flags(correct, "answers").astype(float)


def _tied(scores: np.ndarray, right: np.ndarray, times: np.ndarray) -> tuple[np.ndarray, ...]:
    """Of each run of equal confidences, from the most to the least confident: answers and wrong answers before it, and
    in it; each [draw, run]."""
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.r_[True, np.diff(scores[order]) != 0])
    count = np.add.reduceat(times[:, order], starts, axis=1)
    wrong = np.add.reduceat((times * (1 - right))[:, order], starts, axis=1)
    return count.cumsum(1) - count, wrong.cumsum(1) - wrong, count, wrong


def _risk_at(scores: np.ndarray, right: np.ndarray, times: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Share wrong among the `k` most confident of each draw."""
    before, _, count, wrong = _tied(scores, right, times)
    taken = np.clip(k[:, None] - before, 0, count)
    return (np.divide(wrong * taken, count, out=np.zeros_like(wrong), where=count > 0)).sum(1) / k


def _mean_risk(before: np.ndarray, wrong_before: np.ndarray, count: np.ndarray, wrong: np.ndarray) -> np.ndarray:
    """The mean over all coverages. Within a run the risk at `before + j` is ``(wrong_before + j share) / (before +
    j)``, whose sum over `j` is a difference of harmonic numbers."""
    every = count.sum(1)
    harmonic = np.r_[0.0, np.cumsum(1 / np.arange(1, round(float(every.max())) + 1))]
    share = np.divide(wrong, count, out=np.zeros_like(wrong), where=count > 0)
    start, stop = np.rint(before).astype(int), np.rint(before + count).astype(int)
    sums = wrong + (wrong_before - before * share) * (harmonic[stop] - harmonic[start])
    return sums.sum(1) / every


def _area_under_risk(scores: np.ndarray, right: np.ndarray, times: np.ndarray) -> np.ndarray:
    return _mean_risk(*_tied(scores, right, times))


def _rejection_ratio(scores: np.ndarray, right: np.ndarray, times: np.ndarray) -> np.ndarray:
    random = (times * (1 - right)).sum(1) / times.sum(1)
    best = _area_under_risk(right, right, times)
    gained = random - _area_under_risk(scores, right, times)
    return np.divide(gained, random - best, out=np.full_like(random, np.nan), where=random > best + 1e-12)


def _brier(scores: np.ndarray, right: np.ndarray, times: np.ndarray) -> np.ndarray:
    return times @ (scores - right) ** 2 / times.sum(1)


def _area_interval(answers: Answers, value: float, draws: int) -> Estimate:
    """Where all answers are right, or all wrong: as for rates, others may be as frequent as the clusters allow, and the
    order the worst (or the best) for them."""
    rate = float(answers.right.mean())
    if 0 < rate < 1:
        return _resampled(_area_under_risk, "AURC", 0.0)(answers, value, draws)
    share = proportion(1 - answers.right, answers.clusters)
    assert share.low is not None and share.high is not None
    wrong, right = share.high, 1 - share.low
    low, high = (0.0, wrong - wrong * math.log(wrong)) if rate == 1 else (1 - right + right * math.log(right), 1.0)
    n, k = len(answers.right), len(np.unique(answers.clusters))
    return Estimate(value, low, min(1.0, high), n, k, "AURC, from the bound of the error rate")


def _brier_interval(answers: Answers, value: float, draws: int) -> Estimate:
    """That of a mean of squares, which are skewed; where few answers tell, bounds in a range."""
    squares = (answers.confidence - answers.right) ** 2
    found = skewed_mean(squares, answers.clusters)
    if answers.of_a_kind < _OF_A_KIND or not found.known:
        found = bounded_mean(squares, answers.clusters, UNIT)
    assert found.low is not None and found.high is not None
    low, high = max(0.0, found.low), min(1.0, found.high)
    return Estimate(value, min(low, value), max(high, value), found.n, found.clusters, f"Brier score, {found.method}")


area_under_risk = Score("AURC", _area_under_risk, _area_interval)
"""Mean risk over all coverages; 0 is best, the error rate is what a confidence that tells nothing has (Geifman and
El-Yaniv, arXiv 1705.08500)."""
rejection_ratio = Score("PRR", _rejection_ratio, _resampled(_rejection_ratio, "PRR", 1.0))
"""How far from random (0) to perfect (1) withholding answers goes (Malinin and Gales, arXiv 2002.07650). NaN where all
answers are right, or all are wrong."""
brier = Score("Brier score", _brier, _brier_interval, probabilities=True)
"""Mean squared distance of a probability from the outcome; .25 for one that always says a half."""

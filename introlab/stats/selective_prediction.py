"""What is left when the least confident answers are withheld: risk at a coverage, the area under it; the Brier score.

Equal confidences are withheld in no order: every value is the mean over all orders of the tied.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from introlab.errors import InputError
from introlab.stats.discrimination import reweighted
from introlab.stats.interval import Estimate


@dataclass(frozen=True)
class Score:
    """What confidences are worth: a number for one set of answers, or for many resamples of it at once."""

    name: str
    weighted: Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]
    """Of confidences, of what is right, and of how often each answer was drawn, [draw, answer]: a number per draw."""

    def __call__(self, confidence: Sequence[float], correct: Sequence[bool]) -> float:
        """Raises InputError for no answers, NaN, or numbers of them that differ."""
        scores, right = _checked(confidence, correct)
        return float(self.weighted(scores, right, np.ones((1, len(scores))))[0])


def estimated(
    score: Score, confidence: Sequence[float], correct: Sequence[bool], clusters: Sequence[str], *, draws: int = 500
) -> Estimate:
    """A score with its cluster-bootstrap interval; no value where it is NaN. Raises InputError as the score does."""
    scores, right = _checked(confidence, correct)
    return reweighted(
        lambda times: score.weighted(scores, right, times),
        clusters,
        score.name,
        needs="answers of both kinds",
        draws=draws,
    )


def risk_by_coverage(confidence: Sequence[float], correct: Sequence[bool]) -> np.ndarray:
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

    return Score(f"accuracy at coverage {coverage:g}", accuracy)


def _checked(confidence: Sequence[float], correct: Sequence[bool]) -> tuple[np.ndarray, np.ndarray]:
    scores, right = np.asarray(confidence, dtype=float), np.asarray(correct, dtype=float)
    if not len(scores) or len(scores) != len(right) or not np.isfinite(scores).all():
        raise InputError(
            "confidences that cannot be ranked",
            given=f"{len(scores)} confidences, {int((~np.isfinite(scores)).sum())} not finite, {len(right)} answers",
            do="leave out abstentions, and say how many there were",
        )
    return scores, right


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


area_under_risk = Score("AURC", _area_under_risk)
"""Mean risk over all coverages; 0 is best, the error rate is what a confidence that tells nothing has (Geifman and
El-Yaniv, arXiv 1705.08500)."""
rejection_ratio = Score("PRR", _rejection_ratio)
"""How far from random (0) to perfect (1) withholding answers goes (Malinin and Gales, arXiv 2002.07650). NaN where all
answers are right, or all are wrong."""
brier = Score("Brier score", _brier)
"""Mean squared distance of a probability from the outcome; .25 for one that always says a half."""

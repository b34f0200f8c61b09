"""What is left when the least confident answers are withheld: risk at a coverage, the area under it; the Brier score.

Equal confidences are withheld in no order: every value is the mean over all orders of the tied.
"""

from collections.abc import Callable, Sequence

import numpy as np

from introlab.errors import InputError
from introlab.scores import resampled
from introlab.stats import Estimate


def risk_by_coverage(confidence: Sequence[float], correct: Sequence[bool]) -> np.ndarray:
    """Share of wrong answers among the `k` most confident, for `k` from 1 to all.

    Raises InputError for no answers, NaN, or numbers of them that differ.
    """
    scores, wrong = np.asarray(confidence, dtype=float), 1 - np.asarray(correct, dtype=float)
    if not len(scores) or len(scores) != len(wrong) or not np.isfinite(scores).all():
        raise InputError(
            "confidences that cannot be ranked",
            given=f"{len(scores)} confidences, {int((~np.isfinite(scores)).sum())} not finite, {len(wrong)} answers",
            do="leave out abstentions, and say how many there were",
        )
    _, block = np.unique(-scores, return_inverse=True)
    # Among ties every order is as likely as any other: each is as wrong as their mean.
    expected = (np.bincount(block, weights=wrong) / np.bincount(block))[np.sort(block)]
    return np.cumsum(expected) / np.arange(1, len(scores) + 1)


def area_under_risk(confidence: Sequence[float], correct: Sequence[bool]) -> float:
    """AURC: mean risk over all coverages; 0 is best, the error rate is what a confidence that tells nothing has
    (Geifman and El-Yaniv, arXiv 1705.08500)."""
    return float(risk_by_coverage(confidence, correct).mean())


def rejection_ratio(confidence: Sequence[float], correct: Sequence[bool]) -> float:
    """PRR: how far from random (0) to perfect (1) withholding answers goes (Malinin and Gales, arXiv 2002.07650). NaN
    where all answers are right, or all are wrong."""
    right = np.asarray(correct, dtype=float)
    random, best = 1 - right.mean(), area_under_risk(right.tolist(), correct)
    return float((random - area_under_risk(confidence, correct)) / (random - best)) if random > best else float("nan")


def brier(confidence: Sequence[float], correct: Sequence[bool]) -> float:
    """Mean squared distance of a probability from the outcome; .25 for one that always says a half."""
    return float(((np.asarray(confidence, dtype=float) - np.asarray(correct, dtype=float)) ** 2).mean())


def selective_accuracy(confidence: Sequence[float], correct: Sequence[bool], coverage: float) -> float:
    """Share right among the most confident `coverage` of the answers (at least one). Raises InputError for a coverage
    that is not above 0 and at most 1."""
    if not 0 < coverage <= 1:
        raise InputError("no such coverage", given=coverage, allowed="above 0, at most 1")
    risk = risk_by_coverage(confidence, correct)
    return float(1 - risk[max(0, round(coverage * len(risk)) - 1)])


Score = Callable[[Sequence[float], Sequence[bool]], float]


def estimated(
    score: Score, confidence: Sequence[float], correct: Sequence[bool], clusters: Sequence[str], *, draws: int = 500
) -> Estimate:
    """One of these scores with its cluster-bootstrap interval; no value where it is NaN."""
    values, right = np.asarray(confidence, dtype=float), np.asarray(correct, dtype=bool)

    def statistic(index: np.ndarray) -> float:
        return score(values[index].tolist(), right[index].tolist())

    return resampled(statistic, clusters, score.__name__.replace("_", " "), needs="answers of both kinds", draws=draws)

"""Two attempts at one item, right or wrong: what a second attempt keeps, breaks and repairs, and what drawing an answer
anew would.

Shares of *all* items (i->c, c->i, delta) are SCoRe's (arXiv 2409.12917); shares of the right and of the wrong first
answers (CL, CS) and RSS are those of *Confidence v.s. Critique* (arXiv 2412.19513). Copying the first answer and
drawing a second one independently both have an RSS of a half: CL and CS are to be read beside `resampling_null`.
"""

import math
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy import special

from introlab.errors import InputError
from introlab.stats.bootstrap import bootstrap, jackknife
from introlab.stats.checked_columns import UNIT, Column, flags, measured, names, same_length
from introlab.stats.estimates import MIN_BOOTSTRAP_CLUSTERS, proportion
from introlab.stats.interval import Estimate
from introlab.stats.paired import paired_rates


@dataclass(frozen=True)
class Revisions:
    """The table of first by second attempt: counts, shares, or sums of probabilities of items.

    A rate over nothing is NaN.
    """

    kept: float
    """Right, then right."""
    broken: float
    """Right, then wrong."""
    repaired: float
    """Wrong, then right."""
    failed: float
    """Wrong, then wrong."""

    @classmethod
    def of(cls, first: Column, second: Column) -> Self:
        """From what was right. Raises InputError for missing outcomes, and for first and second of other numbers."""
        before, after = _checked(first, second)
        return cls(*(float(column.sum()) for column in _cells(before, after)))

    @classmethod
    def of_shares(cls, first: float, repaired: float, broken: float) -> Self:
        """From a published row: Acc1, i->c and c->i, as shares of all items."""
        return cls(first - broken, broken, repaired, 1 - first - repaired)

    @classmethod
    def expected(cls, first: Column, after_right: Column, after_wrong: Column) -> Self:
        """From each item's probability of a right first answer, and of a right second one after a right or a wrong
        first: the estimator from logits, with no sampling noise. Raises InputError for missing values, and for those
        outside 0 to 1."""
        same_length(first=first, after_right=after_right, after_wrong=after_wrong)
        p, keep, repair = (measured(each, within=UNIT) for each in (first, after_right, after_wrong))
        cells = p * keep, p * (1 - keep), (1 - p) * repair, (1 - p) * (1 - repair)
        return cls(*(float(each.sum()) for each in cells))

    @property
    def n(self) -> float:
        return self.kept + self.broken + self.repaired + self.failed

    @property
    def first(self) -> float:
        """Acc1: right at the first attempt."""
        return _share(self.kept + self.broken, self.n)

    @property
    def second(self) -> float:
        """Acc2: right at the second attempt."""
        return _share(self.kept + self.repaired, self.n)

    @property
    def delta(self) -> float:
        """Acc2 - Acc1, which is i->c - c->i."""
        return self.second - self.first

    @property
    def incorrect_to_correct(self) -> float:
        """i->c, of all items."""
        return _share(self.repaired, self.n)

    @property
    def correct_to_incorrect(self) -> float:
        """c->i, of all items."""
        return _share(self.broken, self.n)

    @property
    def keep_rate(self) -> float:
        """CL: right again, of the right first answers."""
        return _share(self.kept, self.kept + self.broken)

    @property
    def repair_rate(self) -> float:
        """CS: right at last, of the wrong first answers."""
        return _share(self.repaired, self.repaired + self.failed)

    @property
    def bounds(self) -> tuple[float, float]:
        """Acc2 if all that is right stays so only as often as by chance (CL = Acc1, CS = 0), and if nothing breaks
        (CL = 1, CS = Acc1). They rest on CS <= Acc1 <= CL, which need not hold."""
        return self.first**2, 2 * self.first - self.first**2

    @property
    def rss(self) -> float:
        """Where Acc2 lies between its bounds: above a half exactly where Acc2 is above Acc1. NaN at Acc1 of 0 or 1; may
        leave 0 to 1."""
        low, high = self.bounds
        return _share(self.second - low, high - low)


@dataclass(frozen=True)
class Null:
    """CL and CS of a second answer drawn independently of the first."""

    keep_rate: Estimate
    """CL0 = E[p^2] / E[p], p an item's probability of a right answer."""
    repair_rate: Estimate
    """CS0 = E[p (1 - p)] / (1 - E[p])."""


def resampling_null(right: Column, samples: Column, clusters: Column) -> Null:
    """From how many of several independent answers to each item were right; unbiased in both moments.

    Raises InputError for missing values, fewer than two answers to an item, and more right ones than answers.
    """
    same_length(right=right, samples=samples)
    hits, m = measured(right), measured(samples)
    if (m < 2).any() or (hits > m).any() or (hits < 0).any():
        raise InputError(
            "samples of an item", given=f"{hits} right of {m}", allowed="two or more samples, no more right than that"
        )
    p = hits / m
    return _null(p, hits * (hits - 1) / (m * (m - 1)), clusters)


def resampling_null_of(probabilities: Column, clusters: Column) -> Null:
    """As `resampling_null`, from each item's probability of a right answer, known exactly (from logits)."""
    p = measured(probabilities, within=UNIT)
    return _null(p, p**2, clusters)


def _null(p: np.ndarray, both: np.ndarray, clusters: Column) -> Null:
    """`both`: the probability that two independent answers are right."""
    return Null(
        _ratio_of_totals(both, p, clusters, "CL of drawing anew"),
        _ratio_of_totals(p - both, 1 - p, clusters, "CS of drawing anew"),
    )


def _ratio_of_totals(part: np.ndarray, whole: np.ndarray, clusters: Column, name: str) -> Estimate:
    """With the interval on the scale of log-odds."""
    labels = names(clusters, len(part))

    def log_odds(totals: np.ndarray) -> np.ndarray:
        return np.log(totals[..., 0] / (totals[..., 1] - totals[..., 0]))

    if 0 < part.sum() < whole.sum():
        return jackknife(log_odds, [part, whole], labels, name, back=lambda x: float(special.expit(x)))
    value = _share(float(part.sum()), float(whole.sum()))
    return Estimate(
        None if math.isnan(value) else value, None, None, len(part), len(np.unique(labels)), f"{name}: no interval"
    )


def self_correction(first: Column, second: Column, clusters: Column) -> dict[str, Estimate]:
    """Every rate of the table with its interval by cluster: first, second, delta, incorrect_to_correct,
    correct_to_incorrect, keep_rate (CL), repair_rate (CS), rss. Raises InputError for missing outcomes."""
    before, after = _checked(first, second)
    labels = names(clusters, len(before))
    _, broken, repaired, _ = _cells(before, after)
    keep_rate, repair_rate = kept_and_repaired(before, after, labels)
    return {
        "first": proportion(before, labels),
        "second": proportion(after, labels),
        "delta": paired_rates(np.stack([after, before], axis=1), labels),
        "incorrect_to_correct": proportion(repaired, labels),
        "correct_to_incorrect": proportion(broken, labels),
        "keep_rate": keep_rate,
        "repair_rate": repair_rate,
        "rss": relative_score(before, after, labels),
    }


def kept_and_repaired(first: Column, second: Column, clusters: Column) -> tuple[Estimate, Estimate]:
    """CL and CS with their intervals by cluster. Raises InputError for missing outcomes."""
    before, after = _checked(first, second)
    labels, right = names(clusters, len(before)), before == 1
    return proportion(after[right], labels[right]), proportion(after[~right], labels[~right])


def relative_score(first: Column, second: Column, clusters: Column, *, draws: int = 4000) -> Estimate:
    """RSS with its interval over resampled clusters; none below ten clusters, where Acc1 may be 0 or 1, or where
    fewer than ten clusters change their answers between right and wrong."""
    before, after = _checked(first, second)
    labels = names(clusters, len(before))
    value, k = Revisions.of(before, after).rss, len(np.unique(labels))
    if math.isnan(value):
        return Estimate(None, None, None, len(before), k, "RSS: no first answer is right, or all are")
    edges = [len(np.unique(labels[side])) for side in (before == 1, before == 0, before != after)]
    if min(edges) < MIN_BOOTSTRAP_CLUSTERS:
        which = "right first answers, wrong ones, or changes"
        return Estimate(value, None, None, len(before), k, f"RSS: fewer than ten clusters with {which}, no interval")
    return bootstrap(_rss, [np.ones(len(before)), before, after], labels, "RSS", draws=draws)


def _rss(totals: np.ndarray) -> np.ndarray:
    one, two = totals[..., 1] / totals[..., 0], totals[..., 2] / totals[..., 0]
    return (two - one**2) / (2 * one * (1 - one))


def _checked(first: Column, second: Column) -> tuple[np.ndarray, np.ndarray]:
    same_length(first=first, second=second)
    return flags(first, "first attempts").astype(float), flags(second, "second attempts").astype(float)


def _cells(before: np.ndarray, after: np.ndarray) -> tuple[np.ndarray, ...]:
    return before * after, before * (1 - after), (1 - before) * after, (1 - before) * (1 - after)


def _share(part: float, whole: float) -> float:
    return part / whole if whole else math.nan

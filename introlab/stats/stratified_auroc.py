"""The area under the ROC curve over pairs of the same level, how each cluster bears on it, and its interval."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy import stats

from introlab.stats.checked_columns import Column, answers, flags, names, ranked, same_length
from introlab.stats.estimates import LEVEL, MIN_BOOTSTRAP_CLUSTERS, clopper_pearson
from introlab.stats.interval import Estimate

_CLUSTERS_OF_A_CLASS = 3
_MOST = 8
"""An area counts as one of at most this times ``positives * negatives / trials`` independent pairs."""


@dataclass(frozen=True)
class Separation:
    """Pairs of a positive and a negative trial of the same level: won where the positive scores higher, ties a half."""

    ranks: np.ndarray
    truth: np.ndarray
    levels: np.ndarray
    clusters: np.ndarray
    """Levels and clusters are counted from 0."""

    @classmethod
    def of(cls, scores: Column, labels: Column, clusters: Column, levels: Column | None = None) -> "Separation":
        """Raises InputError for scores, labels, levels or clusters that are missing; infinite scores can be ranked."""
        n = same_length(scores=scores, labels=labels, **({} if levels is None else {"levels": levels}))
        truth, groups = flags(labels, "labels"), _codes(names(clusters, n))
        inside = np.zeros(n, dtype=int) if levels is None else _codes([str(each) for each in answers(levels, "levels")])
        return cls(stats.rankdata(ranked(scores)), truth, inside, groups)

    @cached_property
    def _pairs(self) -> tuple[np.ndarray, np.ndarray]:
        """Of each trial: the pairs it is in that were won, and all it is in."""
        return _pairs(self.ranks, self.truth, self.levels)

    @cached_property
    def value(self) -> float | None:
        """None where no level holds both classes."""
        won, pairs = (each[self.truth].sum() for each in self._pairs)
        return float(won / pairs) if pairs else None

    @cached_property
    def without(self) -> np.ndarray:
        """The area with each cluster left out, less the mean of these, [cluster]; not finite where no pair is left."""
        k = int(self.clusters.max()) + 1
        own = _pairs(self.ranks, self.truth, self.levels * k + self.clusters)
        left = []
        for every, within in zip(self._pairs, own, strict=True):
            # Pairs inside a cluster are in the count of both their trials.
            lost = np.bincount(self.clusters, every, k) - np.bincount(self.clusters, within * self.truth, k)
            left.append(every[self.truth].sum() - lost)
        with np.errstate(invalid="ignore", divide="ignore"):
            area = left[0] / left[1]
        return area - area.mean()

    def estimate(self, name: str = "AUROC") -> Estimate:
        """The area with Clopper and Pearson's interval at the effective number of pairs, as rates have it.

        That number is ``A (1 - A) / variance``, the variance from leaving out one cluster at a time, less Welch's
        correction for few clusters of a class; it is at most twice that of exponential scores near 1 (Hanley and
        McNeil, Radiology 143, 1982), since few lost pairs say little about how many there may be. Where no pair is
        lost, the clusters of the rarer class stand in for it. No interval below ten clusters, or three of a class.
        """
        n, k = len(self.truth), len(np.unique(self.clusters))
        if self.value is None:
            return Estimate(None, None, None, n, k, f"{name} needs both classes", "auroc")
        told = self._pairs[1] > 0
        sides = [len(np.unique(self.clusters[told & side])) for side in (self.truth, ~self.truth)]
        if k < MIN_BOOTSTRAP_CLUSTERS or min(sides) < _CLUSTERS_OF_A_CLASS or not np.isfinite(self.without).all():
            method = f"{name}: too few clusters, no interval; show the scores of each"
            return Estimate(self.value, None, None, n, k, method, "auroc")
        positives, negatives = (int((told & side).sum()) for side in (self.truth, ~self.truth))
        low, high = clopper_pearson(self.value, self._effective(sides, positives, negatives), LEVEL)
        return Estimate(self.value, low, high, n, k, f"{name}, Clopper-Pearson at the effective size", "auroc")

    def _effective(self, sides: list[int], positives: int, negatives: int) -> float:
        assert self.value is not None
        k = len(self.without)
        variance = (k - 1) / k * float(self.without @ self.without)
        if variance < 1e-18:
            return float(min(sides))
        most = _MOST * positives * negatives / (positives + negatives)
        effective = min(self.value * (1 - self.value) / variance, most)
        # Welch's degrees of freedom, for classes whose clusters are as spread as each other's.
        share = sides[1] / sum(sides)
        df = min(k - 1, 1 / (share**2 / (sides[0] - 1) + (1 - share) ** 2 / (sides[1] - 1)))
        tail = 0.5 + LEVEL / 2
        return max(1.0, effective * float(stats.norm.ppf(tail) / stats.t.ppf(tail, df)) ** 2)


def _codes(labels: Column) -> np.ndarray:
    return np.unique(np.asarray(labels), return_inverse=True)[1]


def _pairs(ranks: np.ndarray, truth: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Of each trial: the pairs with a trial of the other class in its group that the positive one won, ties a half;
    and all such pairs."""
    order = np.lexsort((ranks, groups))
    group, side = groups[order], truth[order].astype(float)
    fresh = np.diff(group, prepend=-1) != 0
    starts = np.flatnonzero(fresh | (np.diff(ranks[order], prepend=-1) != 0))
    tied, of_group = np.diff(starts, append=len(order)), (np.cumsum(fresh) - 1)[starts]
    found = []
    # Of each run of ties, for both classes: those of its group before it, in it, and all.
    for one in (side, 1 - side):
        here = np.add.reduceat(one, starts)
        every = np.add.reduceat(one, np.flatnonzero(fresh))
        found.append((np.cumsum(here) - here - (np.cumsum(every) - every)[of_group], here, every[of_group]))
    (before, here, positives), (lower, level, negatives) = found
    won, pairs = np.empty(len(order)), np.empty(len(order))
    won[order] = np.where(side > 0, np.repeat(lower + level / 2, tied), np.repeat(positives - before - here / 2, tied))
    pairs[order] = np.where(side > 0, np.repeat(negatives, tied), np.repeat(positives, tied))
    return won, pairs

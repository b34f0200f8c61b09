"""How far said probabilities are from what happens (ECE): the usual estimate, one with its bias taken off, and an
interval that also holds where scores are calibrated.

The usual ECE is a sum of absolute gaps, so of calibrated scores it is above 0 by chance alone: .08 of 200 answers.
Resampling adds that chance once more, and an interval around resampled values misses 0 at any number of answers.
"""

from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from scipy import stats

from introlab.errors import InputError
from introlab.stats.checked_columns import UNIT, Column, flags, measured, names, same_length
from introlab.stats.estimates import LEVEL, MIN_BOOTSTRAP_CLUSTERS
from introlab.stats.interval import Estimate, missing

_SURE = 3.0
"""Standard errors from which the sign of a bin's gap counts as known."""
_DRAWS = 4000


def expected_calibration_error(confidence: Column, correct: Column, *, bins: int = 10) -> float:
    """ECE over equal-mass bins; equal confidences are never split between bins (arXiv 2207.05221, section 3).

    Raises InputError for no answers, missing ones, and confidences outside 0 to 1 (percents).
    """
    p, y = _checked(confidence, correct)
    if not len(p):
        raise InputError("a calibration error of no answers")
    which = _bins(p, bins)
    return float(np.abs(np.bincount(which, p - y)).sum() / len(p))


def calibration_error(confidence: Column, correct: Column, clusters: Column, *, bins: int = 10) -> Estimate:
    """ECE (the value of `expected_calibration_error`, which is biased upwards) with an interval for the true one: what
    the same bins would show of infinitely many answers.

    A gap is its true value and noise. The lower bound takes off as much as noise of the bins adds at most, once in
    forty: its absolute value, where the sign of a gap is not known. The upper bound adds the noise of the signed sum,
    which bounds what absolute values may hide. Of calibrated scores the interval reaches 0. No interval below ten
    clusters. Raises InputError for missing values and confidences outside 0 to 1.
    """
    p, y = _checked(confidence, correct)
    labels = names(clusters, len(p))
    if not len(p):
        return missing("ECE")
    k, gaps = len(np.unique(labels)), _Gaps.of(p, y, labels, bins)
    if k < MIN_BOOTSTRAP_CLUSTERS:
        return Estimate(gaps.size, None, None, len(p), k, "ECE: too few clusters for an interval")
    reach = float(stats.t.ppf(0.5 + LEVEL / 2, max(2, k - len(gaps.value))))
    low, high = max(0.0, gaps.size - reach * gaps.added), min(1.0, gaps.size + reach * gaps.hidden)
    return Estimate(gaps.size, low, high, len(p), k, "ECE, equal mass, bounds of the bins' gaps by cluster")


def debiased_calibration_error(confidence: Column, correct: Column, clusters: Column, *, bins: int = 10) -> Estimate:
    """ECE less the bias that its bins' noise gives it (Kumar, Liang and Ma, arXiv 1909.10155, appendix: for normal gaps
    in closed form), with the interval of `calibration_error`. Of calibrated scores about two fifths of the bias are
    taken off, and of scores far from it nothing is. Raises InputError as `calibration_error` does."""
    found = calibration_error(confidence, correct, clusters, bins=bins)
    if found.value is None:
        return replace(found, method="debiased ECE")
    p, y = _checked(confidence, correct)
    gaps = _Gaps.of(p, y, names(clusters, len(p)), bins)
    error = np.sqrt(np.diag(gaps.covariance))
    scaled = gaps.value / error
    folded = error * np.sqrt(2 / np.pi) * np.exp(-(scaled**2) / 2) + gaps.value * (1 - 2 * stats.norm.cdf(-scaled))
    value = max(0.0, float(2 * gaps.size - folded.sum()))
    if found.low is not None and found.high is not None:
        value = min(max(value, found.low), found.high)
    return replace(found, value=value, method=found.method.replace("ECE", "debiased ECE", 1))


@dataclass(frozen=True)
class _Gaps:
    """Of each bin: what was said minus what was right, as a share of all answers, and the covariance of these."""

    value: np.ndarray
    covariance: np.ndarray

    @classmethod
    def of(cls, p: np.ndarray, y: np.ndarray, labels: np.ndarray, bins: int) -> "_Gaps":
        which, codes = _bins(p, bins), np.unique(labels, return_inverse=True)[1]
        count, right = np.bincount(which).astype(float), np.bincount(which, y)
        gap = np.bincount(which, p - y) / count
        k, b = int(codes.max()) + 1, len(count)
        sums = np.bincount(codes * b + which, p - y - gap[which], k * b).reshape(k, b)
        telling = (np.bincount(codes * b + which, minlength=k * b).reshape(k, b) > 0).sum(0)
        covariance = sums.T @ sums * k / max(1, k - 1)
        # A bin of one outcome, or of one cluster, does not tell its variance: no less than that of a rate near it.
        rate = (right + 1) / (count + 2)
        least = rate * (1 - rate) * np.where(telling > 1, count, count**2)
        seen = np.diag(covariance)
        up = np.sqrt(np.maximum(seen * telling / np.maximum(1, telling - 1), least))
        with np.errstate(invalid="ignore", divide="ignore"):
            scale = np.where(seen > 0, 1 / np.sqrt(seen), 0.0)
        alike = covariance * np.outer(scale, scale)
        np.fill_diagonal(alike, 1.0)
        n = len(p)
        return cls(gap * count / n, alike * np.outer(up, up) / n**2)

    @property
    def size(self) -> float:
        return float(np.abs(self.value).sum())

    @property
    def _signs(self) -> np.ndarray:
        """0 where the sign is not known."""
        return np.sign(self.value) * (np.abs(self.value) > _SURE * np.sqrt(np.diag(self.covariance)))

    @property
    def hidden(self) -> float:
        """The largest standard error of the sum of signed gaps, over signs that are not known."""
        every = np.array(list(product(*[(-1.0, 1.0) if sign == 0 else (sign,) for sign in self._signs])))
        return float(np.sqrt(np.einsum("sb,bc,sc->s", every, self.covariance, every).max()))

    @property
    def added(self) -> float:
        """What noise adds at most, once in forty, in units of a normal quantile as a standard error is."""
        values, vectors = np.linalg.eigh(self.covariance)
        normal = np.random.default_rng(0).standard_normal((_DRAWS, len(values)))
        noise = normal @ (vectors * np.sqrt(np.maximum(values, 0.0))).T
        total = np.where(self._signs == 0, np.abs(noise), noise * self._signs).sum(1)
        return float(np.quantile(total, 0.5 + LEVEL / 2) / stats.norm.ppf(0.5 + LEVEL / 2))


def _checked(confidence: Column, correct: Column) -> tuple[np.ndarray, np.ndarray]:
    same_length(confidence=confidence, correct=correct)
    return measured(confidence, within=UNIT), flags(correct, "answers").astype(float)


def _bins(p: np.ndarray, bins: int) -> np.ndarray:
    """The bin of each answer: of equal mass, each edge moved to the end of its run of ties."""
    ordered = np.sort(p)
    edges = [round(len(p) * index / bins) for index in range(1, bins)]
    cuts = sorted({int(np.searchsorted(ordered, ordered[edge - 1], side="right")) for edge in edges if edge > 0})
    return np.searchsorted(np.array([ordered[cut] for cut in cuts if cut < len(p)]), p, side="right")

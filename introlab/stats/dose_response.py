"""How a rate follows a dose: slope, the dose of half effect, and whether there is a trend at all, by cluster."""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from introlab.errors import InputError
from introlab.stats.checked_columns import Column, measured, names, same_length
from introlab.stats.estimates import LEVEL, PValue
from introlab.stats.interval import Estimate, missing
from introlab.stats.regression import RegressionFit, logistic_fit

_TOGETHER = 2_000_000


@dataclass(frozen=True)
class DoseResponse:
    """A logistic curve of dose: log-odds per unit of dose, and the dose at which the rate is a half (ED50)."""

    slope: Estimate
    half: Estimate


def logistic_curve(doses: Column, outcomes: Column, clusters: Column) -> DoseResponse:
    """Fit the rate of an outcome (0 to 1) as a logistic function of dose.

    The slope's interval is by cluster (CR2); that of the half dose is Fieller's, from the same covariance,
    and has no bounds where the slope may be 0. No values where one dose separates all outcomes, as it does when every
    text below some dose is unmoved and every text above it is moved. Raises InputError for missing values, a single
    dose and fewer than ten clusters.
    """
    same_length(doses=doses, outcomes=outcomes)
    dose = measured(doses)
    if len(np.unique(dose)) < 2:
        raise InputError("a curve from a single dose", given=np.unique(dose).tolist())
    fit = logistic_fit(outcomes, {"dose": dose}, clusters)
    if fit is None:
        nothing = missing("logistic curve: outcomes are separated")
        return DoseResponse(nothing, nothing)
    return DoseResponse(fit.estimates()["dose"], _half_dose(fit))


def _half_dose(fit: RegressionFit) -> Estimate:
    """Fieller: the doses at which ``intercept + slope dose`` may be 0."""
    (start, slope), (first, second), k = fit.values, fit.covariance, fit.clusters
    value = float(-start / slope) if slope else math.nan
    reach = float(stats.t.ppf(0.5 + LEVEL / 2, fit.df.min())) ** 2
    a, b, c = slope**2 - reach * second[1], start * slope - reach * first[1], start**2 - reach * first[0]
    if not math.isfinite(value):
        return Estimate(None, None, None, fit.n, k, "half dose: no slope")
    if a <= 0 or b * b < a * c:
        return Estimate(value, None, None, fit.n, k, "half dose: the slope may be 0, no bounds")
    low, high = (float((-b + sign * math.sqrt(b * b - a * c)) / a) for sign in (-1, 1))
    return Estimate(value, min(low, value), max(high, value), fit.n, k, "half dose, Fieller by cluster")


def trend(doses: Column, outcomes: Column, clusters: Column, *, draws: int = 10_000, seed: int = 0) -> PValue:
    """Two-sided permutation test that outcomes rise or fall with dose (Cuzick, Statistics in Medicine 4, 1985).

    Where clusters were given several doses, these are dealt anew within them; where each was given one, doses are
    dealt anew to clusters. A cluster of one dose among clusters of several tells nothing, and the method says how many
    do. Where fewer than half were given several, neither deal tells what the run does: InputError, with their number.
    The statistic is Spearman's correlation. Raises InputError for missing values and for a single dose, too.
    """
    n = same_length(doses=doses, outcomes=outcomes)
    dose, ranks = (stats.rankdata(measured(each)) for each in (doses, outcomes))
    if not n or np.ptp(dose) == 0:
        raise InputError("a trend over a single dose")
    unique, codes = np.unique(names(clusters, n), return_inverse=True)
    k, rng = len(unique), np.random.default_rng(seed)
    ranks = ranks - ranks.mean()
    several = np.bincount(codes, weights=dose**2) - np.bincount(codes, weights=dose) ** 2 / np.bincount(codes)
    within = int((several > 1e-9).sum())
    if 0 < 2 * within < k:
        raise InputError(
            "a trend over clusters of one dose and clusters of several",
            given=f"{within} of {k} clusters have several doses",
            do="leave out trials whose dose is not that of their cluster, or keep the clusters with several doses only",
        )
    if within:
        how, dealt = f"doses dealt within clusters ({within} of {k} have several)", dose
    else:
        how, dealt = "doses dealt to clusters", np.bincount(codes, weights=dose) / np.bincount(codes)
        ranks, codes = np.bincount(codes, weights=ranks), np.zeros(k, dtype=int)
    order = np.argsort(codes, kind="stable")
    dealt, ranks, codes = dealt[order] - dealt.mean(), ranks[order], codes[order]
    seen, hits = float(dealt @ ranks), 0
    together = max(1, _TOGETHER // len(dealt))
    for start in range(0, draws, together):
        mixed = np.argsort(rng.random((min(together, draws - start), len(dealt))) + codes, axis=1)
        hits += int((np.abs(dealt[mixed] @ ranks) >= abs(seen) * (1 - 1e-12)).sum())
    spread = math.sqrt(float(((dose - dose.mean()) ** 2).sum()) * _spread(outcomes))
    rho = seen / spread if spread else 0.0
    return PValue((1 + hits) / (1 + draws), rho, len(dose), k, f"trend by rank, {how}")


def _spread(outcomes: Column) -> float:
    ranks = stats.rankdata(measured(outcomes))
    return float(((ranks - ranks.mean()) ** 2).sum())

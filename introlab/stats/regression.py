"""Regression on clustered trials: linear and logistic with leave-one-cluster-out intervals, and a mixed model.

Fits are statsmodels'. Intervals are Student's, from the coefficients with one cluster left out (CV3): exact for a
linear fit, one Newton step from the full fit for a logistic one (Pregibon, Annals of Statistics 9, 1981). They hold for
few clusters where the usual sandwich is too short (MacKinnon, Nielsen and Webb, Journal of Econometrics 232, 2023).
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import statsmodels.api as sm
from scipy import stats
from statsmodels.tools.sm_exceptions import ConvergenceWarning

from introlab.errors import InputError
from introlab.stats.bootstrap import around
from introlab.stats.estimates import LEVEL, MIN_BOOTSTRAP_CLUSTERS, Column, measured
from introlab.stats.interval import Estimate, missing

_SEPARATED = 15.0
"""A linear predictor beyond this has run away: odds of three millions to one."""


@dataclass(frozen=True)
class RegressionFit:
    """Coefficients by name and, [cluster, coefficient], with one cluster left out."""

    names: tuple[str, ...]
    values: np.ndarray
    left: np.ndarray
    n: int
    method: str

    def estimates(self) -> dict[str, Estimate]:
        """Each coefficient with its interval."""
        each = zip(self.names, self.values, self.left.T, strict=True)
        return {name: around(float(value), left, self.n, self.method) for name, value, left in each}

    @property
    def covariance(self) -> np.ndarray:
        k = len(self.left)
        off = self.left - self.left.mean(0)
        return (k - 1) / k * off.T @ off


def linear(outcome: Column, predictors: Mapping[str, Column], clusters: Column) -> dict[str, Estimate]:
    """Least squares: what each predictor adds at equal others; `intercept` too. An interaction is a product that the
    caller adds as a predictor.

    Raises InputError for missing values, predictors that determine each other, and fewer than ten clusters.
    """
    y, design, names, codes = _design(outcome, predictors, clusters)
    values = np.asarray(sm.OLS(y, design).fit().params)
    return _left_out(
        values, design, y - design @ values, np.ones(len(y)), codes, names, "linear regression"
    ).estimates()


def logistic(outcome: Column, predictors: Mapping[str, Column], clusters: Column) -> dict[str, Estimate]:
    """Log-odds that each predictor adds at equal others, of outcomes between 0 and 1. No values where a predictor tells
    the outcomes apart without error. Raises InputError as `linear` does."""
    fit = logistic_fit(outcome, predictors, clusters)
    if fit is None:
        return {name: missing("logistic regression: outcomes are separated") for name in ("intercept", *predictors)}
    return fit.estimates()


def logistic_fit(outcome: Column, predictors: Mapping[str, Column], clusters: Column) -> RegressionFit | None:
    """As `logistic`; None where outcomes are separated."""
    y, design, names, codes = _design(outcome, predictors, clusters)
    if ((y < 0) | (y > 1)).any():
        raise InputError("logistic regression", given="outcomes outside 0 to 1")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = np.asarray(sm.GLM(y, design, family=sm.families.Binomial()).fit().params)
    reach = design @ values
    if not np.isfinite(reach).all() or np.abs(reach).max() > _SEPARATED:
        return None
    p = 1 / (1 + np.exp(-reach))
    return _left_out(values, design, y - p, p * (1 - p), codes, names, "logistic regression")


def _left_out(
    values: np.ndarray,
    design: np.ndarray,
    residuals: np.ndarray,
    weights: np.ndarray,
    codes: np.ndarray,
    names: tuple[str, ...],
    method: str,
) -> RegressionFit:
    """The fit and, by one Newton step, those without each cluster."""
    k, width = int(codes.max()) + 1, design.shape[1]
    score, curve = np.zeros((k, width)), np.zeros((k, width, width))
    np.add.at(score, codes, design * residuals[:, None])
    np.add.at(curve, codes, design[:, :, None] * design[:, None, :] * weights[:, None, None])
    rest = curve.sum(0) - curve
    if np.linalg.matrix_rank(rest, hermitian=True).min() < width:
        raise InputError(
            "a predictor that only one cluster tells about", given=", ".join(names), do="leave it out, or add clusters"
        )
    left = values - np.linalg.solve(rest, score[..., None])[..., 0]
    return RegressionFit(names, values, left, len(design), method)


def mixed(outcome: Column, predictors: Mapping[str, Column], clusters: Column) -> dict[str, Estimate]:
    """Linear regression with a random intercept per cluster (REML): surer than `linear` where the intercepts are normal
    and a predictor varies within clusters. Student's intervals, clusters less one degrees of freedom.

    Raises InputError as `linear` does, and where the fit does not converge.
    """
    y, design, names, codes = _design(outcome, predictors, clusters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            fitted: Any = sm.MixedLM(y, design, groups=codes).fit(reml=True)
        except (ConvergenceWarning, np.linalg.LinAlgError) as error:
            raise InputError("a mixed model that does not converge", given=error, do="use linear") from error
    k, errors = int(codes.max()) + 1, np.asarray(fitted.bse_fe)
    reach = float(stats.t.ppf(0.5 + LEVEL / 2, k - 1))
    return {
        name: Estimate(value, value - reach * error, value + reach * error, len(y), k, "mixed regression, t")
        for name, value, error in zip(names, np.asarray(fitted.fe_params).tolist(), errors.tolist(), strict=True)
    }


def _design(
    outcome: Column, predictors: Mapping[str, Column], clusters: Column
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], np.ndarray]:
    y = measured(outcome)
    design = np.stack([np.ones(len(y)), *(measured(each) for each in predictors.values())], axis=1)
    unique, codes = np.unique(np.asarray(clusters), return_inverse=True)
    if len(unique) < MIN_BOOTSTRAP_CLUSTERS:
        raise InputError(
            "too few clusters for a regression",
            given=f"{len(unique)} clusters",
            allowed=f"at least {MIN_BOOTSTRAP_CLUSTERS}",
            do="use introlab.stats.contrasts.contrast on the cells of the design",
        )
    if np.linalg.matrix_rank(design) < design.shape[1]:
        raise InputError("predictors that determine each other", given=", ".join(predictors))
    return y, design, ("intercept", *predictors), codes

"""Regression on clustered trials: linear, logistic and mixed, with intervals that hold for few clusters.

Fits are statsmodels'. Intervals are Student's, with the CR2 variance by cluster and Satterthwaite's degrees of freedom
(`small_samples`): where a predictor varies in few clusters (three treated ones of two hundred) there are few, and the
interval is as long as these three make it. The usual sandwich is too short there.
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
from introlab.stats.checked_columns import UNIT, Column, measured, names, same_length
from introlab.stats.estimates import LEVEL, MIN_BOOTSTRAP_CLUSTERS
from introlab.stats.interval import Estimate, missing
from introlab.stats.small_samples import cr2

_SEPARATED = 15.0
"""A linear predictor beyond this has run away: odds of three millions to one."""


@dataclass(frozen=True)
class RegressionFit:
    """Coefficients by name, their covariance by cluster, and the degrees of freedom of each."""

    names: tuple[str, ...]
    values: np.ndarray
    covariance: np.ndarray
    df: np.ndarray
    n: int
    clusters: int
    method: str

    def estimates(self) -> dict[str, Estimate]:
        """Each coefficient with its interval; none where residuals do not vary."""
        reach = stats.t.ppf(0.5 + LEVEL / 2, self.df) * np.sqrt(np.diag(self.covariance))
        found: dict[str, Estimate] = {}
        for name, value, half in zip(self.names, self.values.tolist(), reach.tolist(), strict=True):
            sure = half > 1e-12 * abs(value)
            bounds = (value - half, value + half) if sure else (None, None)
            method = f"{self.method}, CR2 by cluster" if sure else f"{self.method}: clusters do not tell how sure it is"
            found[name] = Estimate(value, *bounds, self.n, self.clusters, method)
        return found


def linear(outcome: Column, predictors: Mapping[str, Column], clusters: Column) -> dict[str, Estimate]:
    """Least squares: what each predictor adds at equal others; `intercept` too. An interaction is a product that the
    caller adds as a predictor.

    Raises InputError for missing values, predictors that determine each other, one that a single cluster tells about,
    and fewer than ten clusters.
    """
    y, design, terms, codes = _design(outcome, predictors, clusters)
    values = np.asarray(sm.OLS(y, design).fit().params)
    return _by_cluster(
        values, design, y - design @ values, np.ones(len(y)), codes, terms, "linear regression"
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
    y, design, terms, codes = _design(measured(outcome, within=UNIT), predictors, clusters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        values = np.asarray(sm.GLM(y, design, family=sm.families.Binomial()).fit().params)
    reach = design @ values
    if not np.isfinite(reach).all() or np.abs(reach).max() > _SEPARATED:
        return None
    p = 1 / (1 + np.exp(-reach))
    return _by_cluster(values, design, y - p, p * (1 - p), codes, terms, "logistic regression")


def _by_cluster(
    values: np.ndarray,
    design: np.ndarray,
    residuals: np.ndarray,
    weights: np.ndarray,
    codes: np.ndarray,
    terms: tuple[str, ...],
    method: str,
) -> RegressionFit:
    """The fit with its covariance by cluster."""
    k, width = int(codes.max()) + 1, design.shape[1]
    score, curve = np.zeros((k, width)), np.zeros((k, width, width))
    np.add.at(score, codes, design * residuals[:, None])
    np.add.at(curve, codes, design[:, :, None] * design[:, None, :] * weights[:, None, None])
    if np.linalg.matrix_rank(curve.sum(0) - curve, hermitian=True).min() < width:
        raise InputError(
            "a predictor that only one cluster tells about", given=", ".join(terms), do="leave it out, or add clusters"
        )
    covariance, df = cr2(curve, score, several=len(design) > k)
    return RegressionFit(terms, values, covariance, df, len(design), k, method)


def mixed(outcome: Column, predictors: Mapping[str, Column], clusters: Column) -> dict[str, Estimate]:
    """Linear regression with a random intercept per cluster (REML): surer than `linear` where the intercepts are normal
    and a predictor varies within clusters.

    The interval is by cluster as that of `linear`, so it holds where slopes differ between clusters, too, which the
    model does not know. Raises InputError as `linear` does, and where the fit does not converge.
    """
    y, design, terms, codes = _design(outcome, predictors, clusters)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("error", ConvergenceWarning)
        try:
            fitted: Any = sm.MixedLM(y, design, groups=codes).fit(reml=True)
        except (ConvergenceWarning, np.linalg.LinAlgError) as error:
            raise InputError("a mixed model that does not converge", given=error, do="use linear") from error
    values = np.asarray(fitted.fe_params)
    # What is left of each column once the share of its cluster's mean that the intercepts explain is taken off: least
    # squares on these is the fit.
    size = np.bincount(codes)
    taken = 1 - 1 / np.sqrt(1 + size * float(np.asarray(fitted.cov_re)[0, 0]) / float(fitted.scale))
    mean_of = [np.bincount(codes, column) / size for column in (y - design @ values, *design.T)]
    residuals, *columns = (
        column - (taken * centre)[codes]
        for column, centre in zip((y - design @ values, *design.T), mean_of, strict=True)
    )
    method = "mixed regression"
    return _by_cluster(values, np.stack(columns, axis=1), residuals, np.ones(len(y)), codes, terms, method).estimates()


def _design(
    outcome: Column, predictors: Mapping[str, Column], clusters: Column
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...], np.ndarray]:
    n = same_length(outcome=outcome, **predictors)
    y = measured(outcome)
    design = np.stack([np.ones(n), *(measured(each) for each in predictors.values())], axis=1)
    unique, codes = np.unique(names(clusters, n), return_inverse=True)
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

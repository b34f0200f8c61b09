"""From log-odds to probabilities that mean what they say, fitted through scikit-learn on examples of their own."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from jaxtyping import Float
from scipy.special import expit
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from introlab.errors import InputError

if TYPE_CHECKING:  # analyses calibrate arrays, and load no torch
    from torch import Tensor

Method = Literal["temperature", "platt", "isotonic"]
_NAMES = {"temperature": "temperature", "platt": "sigmoid", "isotonic": "isotonic"}
FEWEST = {"temperature": 10, "platt": 10, "isotonic": 1000}
"""Examples: with fewer, slope and offset are noise. Isotonic regression follows the noise of fewer than a thousand
(Niculescu-Mizil and Caruana, ICML 2005)."""


@dataclass(frozen=True)
class Calibration:
    """A map of log-odds that never falls: ``sigmoid(slope * log-odds + offset)``, or straight lines between `knots`."""

    method: str = "none"
    slope: float = 1.0
    offset: float = 0.0
    knots: tuple[tuple[float, float], ...] = ()
    """Log-odds and probability, for isotonic regression; level beyond the first and last."""
    examples: tuple[str, ...] = ()
    """Ids of what it was fitted on; testing on any of them is an error."""

    def __post_init__(self) -> None:
        numbers = (self.slope, self.offset, *(number for knot in self.knots for number in knot))
        rising = all(
            one[0] <= other[0] and 0 <= one[1] <= other[1] <= 1
            for one, other in pairwise((*self.knots, *self.knots[-1:]))
        )
        if self.method not in ("none", *_NAMES) or not all(map(math.isfinite, numbers)) or not rising:
            raise InputError(
                "a calibration that is no rising map",
                given=f"{self.method}, slope {self.slope}, offset {self.offset}, {len(self.knots)} knots",
                allowed=f"none, {', '.join(_NAMES)}; finite numbers that never fall, probabilities from 0 to 1",
            )

    def __call__(self, log_odds: "Float[Tensor, '*n']") -> "Float[Tensor, '*n']":
        import torch

        if not self.knots:
            return torch.sigmoid(self.slope * log_odds + self.offset)
        return torch.as_tensor(self.probabilities(log_odds.double().cpu().numpy())).to(log_odds)

    def probabilities(self, log_odds: Float[np.ndarray, "*n"]) -> Float[np.ndarray, "*n"]:
        """The same of an array, in float64."""
        if not self.knots:
            return expit(self.slope * log_odds + self.offset)
        at, height = (np.asarray(each) for each in zip(*self.knots, strict=True))
        return np.interp(log_odds, at, height)


UNCALIBRATED = Calibration()


class _Given(ClassifierMixin, BaseEstimator):
    """Log-odds that are there already, as scikit-learn wants to see them."""

    def __init__(self) -> None:
        self.classes_ = np.array([False, True])

    def __sklearn_is_fitted__(self) -> bool:
        return True

    def fit(self, X: np.ndarray, y: np.ndarray) -> "_Given":
        return self

    def decision_function(self, X: np.ndarray) -> np.ndarray:
        return X[:, 0]

    def predict(self, X: np.ndarray) -> np.ndarray:
        return X[:, 0] > 0


def fit_calibration(
    log_odds: "Float[Tensor, ' example'] | Float[np.ndarray, ' example']",
    labels: Sequence[bool],
    examples: Sequence[str],
    *,
    method: Method,
) -> Calibration:
    """Temperature (one slope), Platt (slope and offset; with his targets) or isotonic regression.

    The examples must be neither those of the probe nor those it is tested on; `Probe.calibrated` sees to the first,
    `Probe.check_held_out` to the second. Raises InputError for one class only, or too few for isotonic regression.
    """
    truth = np.asarray(labels, dtype=bool)
    if truth.all() or not truth.any():
        raise InputError("a calibration needs both classes", given=f"{int(truth.sum())} positive of {len(truth)}")
    if len(truth) < FEWEST[method]:
        raise InputError(
            f"too few examples for {method} calibration",
            given=len(truth),
            allowed=f"{FEWEST[method]} or more",
            do="give more, or use temperature or platt for fewer than isotonic needs",
        )
    values = log_odds if isinstance(log_odds, np.ndarray) else log_odds.double().cpu().numpy()
    scores = values.astype(np.float64)[:, None]
    fitted = CalibratedClassifierCV(FrozenEstimator(_Given()), method=_NAMES[method]).fit(scores, truth)
    calibrator: Any = fitted.calibrated_classifiers_[0].calibrators[0]  # pyright: ignore
    ids = tuple(examples)
    if method == "temperature":  # scikit-learn's logits are (-x, x)
        return Calibration(method, slope=2 * float(calibrator.beta_), examples=ids)
    if method == "platt":
        return Calibration(method, slope=-float(calibrator.a_), offset=-float(calibrator.b_), examples=ids)
    knots = zip(calibrator.X_thresholds_.tolist(), calibrator.y_thresholds_.tolist(), strict=True)
    return Calibration(method, knots=tuple(knots), examples=ids)

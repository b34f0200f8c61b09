"""Calibrations are scikit-learn's, and mend log-odds that are known to be off."""

import numpy as np
import pytest
import torch
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression

from introlab.errors import InputError
from introlab.stats.calibration_error import expected_calibration_error
from probes.linear.calibration import UNCALIBRATED, fit_calibration


def drawn(count: int, *, stretch: float, shift: float, seed: int = 0) -> tuple[torch.Tensor, list[bool]]:
    """Outcomes of known log-odds, and a report of these that is stretched and shifted."""
    draw = np.random.default_rng(seed)
    odds = draw.normal(size=count) * 1.5
    labels = draw.uniform(size=count) < 1 / (1 + np.exp(-odds))
    return torch.tensor(odds * stretch + shift), labels.tolist()


def names(count: int) -> list[str]:
    return [str(one) for one in range(count)]


@pytest.mark.parametrize("method", ["temperature", "platt", "isotonic"])
def test_a_known_distortion_is_mended(method):
    """Four times too sure (and shifted, for those that can mend it): ECE falls from over .1 to below .03 on others."""
    shift = 0.0 if method == "temperature" else 2.0
    given, labels = drawn(4000, stretch=4.0, shift=shift)
    fresh, truth = drawn(4000, stretch=4.0, shift=shift, seed=1)
    found = fit_calibration(given, labels, names(4000), method=method)
    assert expected_calibration_error(UNCALIBRATED(fresh).tolist(), truth) > 0.1
    assert expected_calibration_error(found(fresh).tolist(), truth) < 0.03
    ordered = found(torch.linspace(-20, 20, 500))
    assert bool((ordered.diff() >= 0).all()) and float(ordered.min()) >= 0 and float(ordered.max()) <= 1


def test_temperature_and_platt_are_the_stretch_and_the_shift():
    given, labels = drawn(20000, stretch=3.0, shift=0.0)
    assert fit_calibration(given, labels, names(20000), method="temperature").slope == pytest.approx(1 / 3, rel=0.05)
    given, labels = drawn(20000, stretch=3.0, shift=6.0)
    platt = fit_calibration(given, labels, names(20000), method="platt")
    assert (platt.slope, platt.offset) == pytest.approx((1 / 3, -2.0), rel=0.06)


@pytest.mark.parametrize(
    ("method", "name"), [("temperature", "temperature"), ("platt", "sigmoid"), ("isotonic", "isotonic")]
)
def test_probabilities_are_scikit_learns(method, name):
    """Through a classifier of theirs whose decision function is the log-odds."""
    given, labels = drawn(2000, stretch=2.0, shift=0.5)
    values, truth = given.numpy()[:, None], np.asarray(labels)
    plain = LogisticRegression(C=1e9).fit(values, truth)
    odds = torch.tensor(plain.decision_function(values))
    peer = CalibratedClassifierCV(FrozenEstimator(plain), method=name).fit(values, truth)
    found = fit_calibration(odds, labels, names(2000), method=method)
    assert found(odds).numpy() == pytest.approx(peer.predict_proba(values)[:, 1], abs=1e-6)


def test_too_little_is_refused():
    given, labels = drawn(100, stretch=1.0, shift=0.0)
    with pytest.raises(InputError, match="too few examples for isotonic"):
        fit_calibration(given, labels, names(100), method="isotonic")
    with pytest.raises(InputError, match="both classes"):
        fit_calibration(given, [True] * 100, names(100), method="platt")

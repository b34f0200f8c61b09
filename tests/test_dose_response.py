"""Curves, trends, regression and average precision: planted answers, nulls, and parity with statsmodels and
scikit-learn."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats
from sklearn.metrics import average_precision_score

from introlab.errors import InputError
from introlab.stats.bootstrap import bootstrap, cluster_totals, jackknife, resampled_totals
from introlab.stats.discrimination import average_precision
from introlab.stats.dose_response import logistic_curve, trend
from introlab.stats.regression import linear, logistic, logistic_fit, mixed


def planted(seed=0, clusters=200, slope=1.2, half=2.0):
    rng = np.random.default_rng(seed)
    doses = np.tile(np.arange(6.0), clusters)
    return doses, rng.random(len(doses)) < special.expit(slope * (doses - half)), np.repeat(np.arange(clusters), 6)


def test_planted_curves_are_found():
    """Slope 1.2 and half dose 2, six doses of 60 clusters. Of 40 intervals that hold .95 of the time, fewer than 33 do
    with a chance of .001."""
    found = [logistic_curve(*planted(seed, clusters=60)) for seed in range(40)]
    assert sum(each.slope.low < 1.2 < each.slope.high for each in found) >= 33
    assert sum(each.half.low < 2 < each.half.high for each in found) >= 33
    assert max(each.half.high - each.half.low for each in found) < 0.8


def test_the_curve_is_statsmodels_and_its_half_dose_near_the_delta_method():
    doses, outcomes, clusters = planted()
    design = sm.add_constant(doses)
    peer = sm.GLM(outcomes.astype(float), design, family=sm.families.Binomial()).fit(
        cov_type="cluster", cov_kwds={"groups": clusters}
    )
    found = logistic_curve(doses, outcomes, clusters)
    assert found.slope.value == pytest.approx(peer.params[1])
    start, slope = peer.params
    assert found.half.value == pytest.approx(-start / slope)
    gradient = np.array([-1 / slope, start / slope**2])
    error = math.sqrt(gradient @ peer.cov_params() @ gradient)
    assert found.half.high - found.half.low == pytest.approx(2 * 1.97 * error, rel=0.05)


def test_other_units_of_dose_move_the_half_dose_alike():
    doses, outcomes, clusters = planted()
    found, moved = logistic_curve(doses, outcomes, clusters), logistic_curve(10 * doses + 3, outcomes, clusters)
    for name in ("value", "low", "high"):
        assert getattr(moved.half, name) == pytest.approx(10 * getattr(found.half, name) + 3, rel=1e-6)
        assert getattr(moved.slope, name) == pytest.approx(getattr(found.slope, name) / 10, rel=1e-6)


def test_no_effect_of_dose_has_no_bounds_of_the_half_dose_and_a_step_has_no_slope():
    rng = np.random.default_rng(1)
    doses, clusters = np.tile(np.arange(5.0), 40), np.repeat(np.arange(40), 5)
    flat = logistic_curve(doses, rng.random(200) < 0.4, clusters)
    assert not flat.half.known and flat.slope.low < 0 < flat.slope.high
    assert logistic_curve(doses, doses > 2, clusters).slope.value is None
    with pytest.raises(InputError, match="single dose"):
        logistic_curve(np.ones(200), doses > 2, clusters)


def test_a_trend_is_found_and_none_is_not():
    doses, outcomes, clusters = planted(clusters=20)
    found = trend(doses, outcomes, clusters, draws=999)
    assert found.p == pytest.approx(0.001) and "within clusters" in found.method
    assert found.statistic == pytest.approx(stats.spearmanr(doses, outcomes).statistic)
    falling = trend(-doses, outcomes, clusters, draws=999)
    assert falling.statistic == pytest.approx(-found.statistic) and falling.p == found.p
    assert trend(doses, clusters % 2, clusters, draws=999).p == 1, "outcomes that only clusters decide"


def test_doses_of_clusters_are_dealt_to_clusters():
    """Six clusters of a hundred equal trials are six observations: of 720 orders two are as extreme."""
    doses, clusters = np.repeat(np.arange(6.0), 100), np.repeat(np.arange(6), 100)
    found = trend(doses, doses, clusters, draws=20_000)
    assert "to clusters" in found.method and found.p == pytest.approx(2 / 720, abs=0.0015)


def test_the_errors_of_single_trials_are_hc2():
    """Parity with statsmodels where every trial is its own cluster, for a linear fit and a logistic one."""
    rng = np.random.default_rng(2)
    x = rng.normal(size=240)
    y, design = 0.5 * x + rng.normal(size=240), sm.add_constant(x)
    peer = sm.OLS(y, design).fit(cov_type="HC2")
    found = linear(y, {"x": x}, np.arange(240))["x"]
    assert found.value == pytest.approx(peer.params[1])
    error = math.sqrt(peer.cov_params()[1, 1])
    assert stats.t.ppf(0.975, 239) * error < found.high - found.value < stats.t.ppf(0.975, 50) * error
    fit = logistic_fit(y > 0, {"x": x}, np.arange(240))
    model = sm.GLM((y > 0).astype(float), design, family=sm.families.Binomial()).fit(cov_type="HC1")
    assert fit.values == pytest.approx(model.params)
    assert fit.covariance == pytest.approx(model.cov_params(), rel=0.05)


def test_a_confounder_is_taken_off_and_an_interaction_found():
    rng = np.random.default_rng(3)
    clusters = np.repeat(np.arange(100), 4)
    level = rng.normal(size=400)
    steered = (rng.random(400) < special.expit(2 * level)) * 1.0
    y = level + 0.5 * level * steered + 0.3 * rng.normal(size=400)
    alone = linear(y, {"steered": steered}, clusters)["steered"]
    both = linear(y, {"steered": steered, "level": level, "both": steered * level}, clusters)
    assert alone.above(0.5) and both["steered"].low < 0 < both["steered"].high
    assert both["both"].low < 0.5 < both["both"].high and both["both"].above(0.2)


def test_logistic_coefficients_are_log_odds_and_separation_has_none():
    rng = np.random.default_rng(4)
    x = rng.normal(size=2000)
    found = logistic(rng.random(2000) < special.expit(1 + 0.7 * x), {"x": x}, np.arange(2000))
    assert found["x"].low < 0.7 < found["x"].high and found["intercept"].low < 1 < found["intercept"].high
    assert logistic(x > 0, {"x": x}, np.arange(2000))["x"].value is None


def test_a_mixed_model_is_surer_of_what_varies_within_clusters():
    rng = np.random.default_rng(5)
    clusters = np.repeat(np.arange(40), 6)
    x = rng.normal(size=240)
    y = 0.5 * x + 3 * rng.normal(size=40)[clusters] + rng.normal(size=240)
    plain, random = linear(y, {"x": x}, clusters)["x"], mixed(y, {"x": x}, clusters)["x"]
    assert random.low < 0.5 < random.high and random.high - random.low < 0.7 * (plain.high - plain.low)


@pytest.mark.parametrize("method", [linear, logistic, mixed])
def test_regressions_refuse_few_clusters_and_the_same_predictor_twice(method):
    y, x = np.arange(40) % 2, np.random.default_rng(6).normal(size=40)
    with pytest.raises(InputError, match="contrast"):
        method(y, {"x": x}, np.arange(40) % 9)
    with pytest.raises(InputError, match="determine each other"):
        method(y, {"x": x, "again": 2 * x}, np.arange(40))
    with pytest.raises(InputError, match="missing"):
        method([None, *y[1:]], {"x": x}, np.arange(40))


@settings(max_examples=50)
@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=50))
def test_average_precision_is_scikit_learns_with_ties(rows):
    scores, labels = zip(*rows, strict=True)
    found = average_precision(scores, labels, np.arange(len(rows)), draws=20)
    expected = pytest.approx(average_precision_score(labels, scores)) if any(labels) else None
    assert found.value == expected


def test_average_precision_has_an_interval_only_from_enough_clusters():
    rng = np.random.default_rng(7)
    labels, scores = rng.random(120) < 0.3, rng.normal(size=120).round(1)
    found = average_precision(scores, labels, np.arange(120) // 2)
    assert found.known and found.low < found.value < found.high
    rare = average_precision(scores, labels & (np.arange(120) < 20), np.arange(120) // 2)
    assert not rare.known and "fewer than 20" in rare.method


def test_resampled_totals_are_those_of_whole_clusters():
    """Mean and variance of a total over resamples: k means and k variances of clusters. 4,000 draws."""
    totals = cluster_totals([np.arange(40.0), np.ones(40)], np.arange(40) // 2)
    drawn = np.concatenate(list(resampled_totals(totals, draws=4000)))
    assert drawn.shape == (4000, 2) and (drawn[:, 1] == 40).all()
    assert drawn[:, 0].mean() == pytest.approx(totals[:, 0].sum(), rel=0.02)
    assert drawn[:, 0].var() == pytest.approx(20 * totals[:, 0].var(), rel=0.1)


@given(st.permutations(list(range(24))))
def test_the_jackknife_knows_no_order(order):
    rng = np.random.default_rng(8)
    values, clusters = rng.normal(size=24), np.arange(24) // 2

    def at(index):
        columns = [values[index], np.ones(24)]
        return jackknife(lambda totals: totals[..., 0] / totals[..., 1], columns, clusters[index], "mean")

    found, again = at(np.arange(24)), at(np.array(order))
    assert (found.value, found.low, found.high) == pytest.approx((again.value, again.low, again.high))


def test_what_does_not_vary_has_no_interval():
    for method in (bootstrap, jackknife):
        found = method(lambda totals: totals[..., 0] / totals[..., 1], [np.ones(30), np.ones(30)], np.arange(30), "x")
        assert found.value == 1 and not found.known
    with pytest.raises(InputError, match="without a cluster"):
        cluster_totals([np.ones(3)], np.arange(2))

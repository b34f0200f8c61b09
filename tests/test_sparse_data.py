"""Where data tell little: scores that are calibrated, labels that are rare, values that do not vary, few wrong answers,
a stray dose. Intervals keep a width and hold, or are refused, and the refusal says what to use."""

import numpy as np
import pytest
from scipy import stats

from introlab.errors import InputError
from introlab.stats.calibration_error import calibration_error, debiased_calibration_error
from introlab.stats.contrasts import contrast
from introlab.stats.discrimination import rank_correlation
from introlab.stats.dose_response import trend
from introlab.stats.equivalence import equivalent_arms, equivalent_mean
from introlab.stats.estimates import bounded_mean, mean, paired_difference, proportion
from introlab.stats.rater_agreement import cohens_kappa, fleiss_kappa, gwet_ac1
from introlab.stats.selective_prediction import accuracy_at, area_under_risk, brier, estimated, rejection_ratio

TWELVE = list(range(12))
NONE_OF_12 = 1 - 0.025 ** (1 / 12)


def test_the_interval_of_ece_reaches_nothing_where_scores_are_calibrated_and_not_where_they_are_not():
    """Of 200 intervals that hold .95 of the time fewer than 180 hold once in 500 times; the resampled one held half."""
    rng, reached, away = np.random.default_rng(0), 0, 0
    for _ in range(200):
        p = rng.random(150)
        reached += calibration_error(p, rng.random(150) < p, range(150)).low == 0
        away += calibration_error(p, rng.random(150) < p**3, range(150)).above(0)
    assert reached >= 180 and away >= 180


def test_the_debiased_ece_is_nearer_to_nothing_and_as_large_where_something_is_wrong():
    rng = np.random.default_rng(1)
    p = rng.random((100, 200))
    right = rng.random((100, 200)) < p
    plain = np.mean([calibration_error(*each, range(200)).value for each in zip(p, right, strict=True)])
    less = np.mean([debiased_calibration_error(*each, range(200)).value for each in zip(p, right, strict=True)])
    assert 0.3 * plain < less < 0.7 * plain
    wrong = rng.random(4000) < np.clip(p.ravel()[:4000] - 0.3, 0, 1)
    one, other = (
        method(p.ravel()[:4000], wrong, range(4000)) for method in (calibration_error, debiased_calibration_error)
    )
    assert other.value == pytest.approx(one.value, abs=0.005) and (one.low, one.high) == (other.low, other.high)


def test_the_bounds_of_kappa_fit_the_counts_as_well_as_they_may():
    """Donner and Eliasziw's statistic is 3.84 at both bounds (raters with the same rates, each item a cluster)."""
    one = [True] * 20 + [False] * 10 + [True] * 10 + [False] * 60
    other = [True] * 30 + [False] * 70
    found = cohens_kappa(one, other, range(100))
    rate = 0.3
    for kappa in (found.low, found.high):
        apart = rate * (1 - rate) * (1 - kappa)
        expected = 100 * np.array([rate - apart, 2 * apart, 1 - rate - apart])
        assert ((np.array([20, 20, 60]) - expected) ** 2 / expected).sum() == pytest.approx(3.84, abs=0.03)


def test_independent_raters_of_a_rare_label_may_agree():
    """Two who say yes to one item in twenty, never both: kappa is -.05, and may well be above 0."""
    one, other = np.arange(200) < 10, (np.arange(200) >= 10) & (np.arange(200) < 20)
    found = cohens_kappa(one.tolist(), other.tolist(), range(200))
    assert found.value == pytest.approx(-0.0526, abs=1e-3) and found.low < found.value and found.high > 0.05


def test_kappas_of_rare_labels_are_refused_where_they_cannot_be_had_and_name_what_can():
    rare = [index < 3 for index in range(60)]
    two, three = cohens_kappa(rare, rare[1:] + rare[:1], range(60)), fleiss_kappa([rare] * 3, range(60))
    assert not two.known and not three.known and "gwet_ac1" in two.method and "gwet_ac1" in three.method
    assert gwet_ac1([rare, rare[1:] + rare[:1]], range(60)).known
    # Three labels of which two are rare: jackknifed only where chance agreement on them is not rare.
    labels = ["a"] * 180 + ["b"] * 12 + ["c"] * 8
    found = cohens_kappa(labels, labels[15:] + labels[:15], range(200))
    assert not found.known and "by chance" in found.method


def test_ac1_is_the_published_one():
    """Gwet (2008): 118 agree on one label, none on the other, 5 and 2 apart; AC1 .94 where kappa is -.02."""
    one = [True] * 123 + [False] * 2
    other = [True] * 118 + [False] * 5 + [True] * 2
    found = gwet_ac1([one, other], range(125))
    assert found.value == pytest.approx(0.9408, abs=1e-4) and found.low < found.value < found.high
    assert cohens_kappa(one, other, range(125)).value == pytest.approx(-0.023, abs=1e-3)
    assert gwet_ac1([[True] * 30] * 2, range(30)).value == 1


def test_values_that_do_not_vary_are_not_a_certainty():
    assert not mean([0.0] * 12, TWELVE).known and "do not vary" in mean([0.0] * 12, TWELVE).method
    found = mean([0.0] * 12, TWELVE, within=(0.0, 2.0))
    assert (found.value, found.low, found.high) == (0, 0, pytest.approx(2 * NONE_OF_12))
    same = paired_difference([(1.0, 1.0)] * 12, TWELVE)
    assert (same.low, same.high) == pytest.approx((-NONE_OF_12, NONE_OF_12)) and same.value == 0
    assert not paired_difference([(0.3, 0.3)] * 12, TWELVE).known
    assert paired_difference([(0.3, 0.3)] * 12, TWELVE, within=(0.0, 1.0)).high == pytest.approx(NONE_OF_12)
    assert not contrast([1.5] * 12, [True, False] * 6, {True: 1.0, False: -1.0}, TWELVE).known
    assert not rank_correlation(TWELVE, TWELVE, TWELVE).known
    varied = np.random.default_rng(0).normal(size=40)
    assert mean(varied, range(40)) == mean(varied, range(40), within=(-9.0, 9.0)), "values that vary need no range"


def test_a_mean_in_a_range_of_rates_is_the_rate():
    bits = [index < 3 for index in range(30)]
    found, rate = bounded_mean(bits, range(30), (0.0, 1.0)), proportion(bits, range(30))
    assert (found.value, found.low, found.high) == pytest.approx((rate.value, rate.low, rate.high))


def test_scores_of_answers_that_are_all_right_are_bounded():
    confidence, clusters = np.linspace(0.5, 0.99, 12), TWELVE
    area = estimated(area_under_risk, confidence, [True] * 12, clusters)
    assert (area.value, area.low) == (0, 0)
    assert area.high == pytest.approx(NONE_OF_12 * (1 - np.log(NONE_OF_12))), "the wrong ones first"
    none = estimated(area_under_risk, confidence, [False] * 12, clusters)
    assert none.value == pytest.approx(1) and 0 < none.low < 0.6 and none.high == 1
    assert estimated(brier, [1.0] * 12, [True] * 12, clusters).high == pytest.approx(NONE_OF_12)
    accuracy = estimated(accuracy_at(0.5), confidence, [True] * 12, clusters)
    assert (accuracy.low, accuracy.high) == (pytest.approx(0.025 ** (1 / 6)), 1)


def test_curves_of_risk_are_refused_where_few_answers_are_wrong():
    confidence, right = np.random.default_rng(2).random(60), np.arange(60) >= 9
    for score in (area_under_risk, rejection_ratio):
        assert not estimated(score, confidence, right, range(60)).known
        assert estimated(score, confidence, np.arange(60) >= 10, range(60)).known


def test_values_that_hardly_vary_do_not_show_equivalence():
    for values in ([0.0] * 5, [0.0, 0.0, 0.0, 0.0, 1.0], [0.0] * 28 + [1.0, -1.0]):
        found = equivalent_mean(values, range(len(values)), (-0.5, 0.5))
        assert found.p == 1 and not found.estimate.known and "within" in found.estimate.method
    assert equivalent_mean([0.0] * 5, range(5), (-0.5, 0.5), within=(-1.0, 1.0)).p == pytest.approx(0.5**5)
    assert not equivalent_mean([0.0] * 5, range(5), (-0.4, 0.4), within=(-1.0, 1.0)).shown
    assert equivalent_mean([0.0] * 50, range(50), (-0.2, 0.2), within=(-1.0, 1.0)).shown
    sides = [True, False] * 10
    assert not equivalent_arms([0.5] * 20, sides, range(20), (-0.6, 0.6)).shown
    assert equivalent_mean(np.random.default_rng(3).normal(0, 0.1, 5), range(5), (-1.0, 1.0)).shown, "t is exact"
    with pytest.raises(InputError, match="margins"):
        equivalent_mean([0.0] * 5, range(5), (0.1, 0.5))


def test_the_p_of_sparse_pairs_is_that_of_exact_bounds():
    """Ten of 100 pairs one way, none the other: the upper bound of level 1 - 2 p is at the margin."""
    values = [1.0] * 10 + [0.0] * 90
    found = equivalent_mean(values, range(100), (-0.25, 0.25))
    up = stats.binomtest(10, 100).proportion_ci(1 - 2 * found.p, method="exact").high
    down = 1 - found.p ** (1 / 100)
    assert found.shown and 0.1 + np.hypot(up - 0.1, 0) == pytest.approx(0.25, abs=1e-3) and down > 0


def test_a_stray_dose_is_said():
    """Forty clusters of one dose each: p .0005. With one trial of another dose, dealing within clusters would tell
    nothing of it (p 1), so it is refused; left out, the trend is as it was."""
    rng = np.random.default_rng(4)
    clusters = np.repeat(np.arange(40), 5)
    doses = clusters % 4 * 1.0
    outcomes = rng.random(200) < 0.1 + 0.25 * doses
    assert trend(doses, outcomes, clusters, draws=999).p < 0.01
    stray = doses.copy()
    stray[0] = 3.0
    with pytest.raises(InputError, match="1 of 40 clusters"):
        trend(stray, outcomes, clusters)
    assert trend(stray[1:], outcomes[1:], clusters[1:], draws=999).p < 0.01
    mostly = np.tile(np.arange(5.0), 40)
    mostly[:5] = 2.0
    assert "39 of 40" in trend(mostly, outcomes, clusters, draws=99).method

"""Separation and calibration agree with closed forms and with scikit-learn, and their intervals hold the truth."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import norm, spearmanr
from sklearn.metrics import roc_auc_score

from introlab.errors import InputError
from introlab.stats.calibration_error import calibration_error, expected_calibration_error
from introlab.stats.discrimination import auroc, auroc_difference, rank_correlation, stratified_auroc
from introlab.stats.stratified_auroc import Separation

SCORED = st.lists(st.tuples(st.integers(0, 6), st.booleans()), min_size=4, max_size=60).filter(
    lambda pairs: len({label for _, label in pairs}) == 2
)


@given(SCORED)
def test_auroc_is_scikit_learns_with_ties(pairs):
    scores, labels = [float(score) for score, _ in pairs], [label for _, label in pairs]
    estimate = auroc(scores, labels, [str(index) for index in range(len(pairs))])
    assert estimate.value == pytest.approx(roc_auc_score(labels, scores))


def test_one_class_has_no_auroc():
    assert auroc([1.0, 2.0], [True, True], ["a", "b"]).value is None


def test_perfect_separation_has_a_real_lower_bound():
    labels = [index % 2 == 0 for index in range(40)]
    estimate = auroc([float(label) for label in labels], labels, [str(index) for index in range(40)])
    assert estimate.value == 1.0 and 0.7 < estimate.low < 1.0 and estimate.high == 1.0


def test_without_ten_clusters_or_three_of_a_class_there_is_no_interval():
    rng = np.random.default_rng(6)
    for clusters, positives, known in ((9, 4, False), (10, 2, False), (10, 3, True), (10, 7, True), (10, 8, False)):
        labels = np.repeat(np.arange(clusters) < positives, 5)
        found = auroc(rng.random(len(labels)).tolist(), labels.tolist(), np.repeat(np.arange(clusters), 5).tolist())
        assert found.value is not None and found.known == known
        assert known or "too few clusters" in found.method


def test_the_variance_of_single_trials_is_delongs():
    """DeLong, DeLong and Clarke-Pearson (Biometrics 44, 1988), written out; leaving out divides by one less."""
    rng = np.random.default_rng(7)
    truth = np.arange(500) < 200
    scores = rng.normal(size=500) + truth
    wins = scores[truth][:, None] > scores[~truth]
    delong = wins.mean(1).var(ddof=1) / 200 + wins.mean(0).var(ddof=1) / 300
    found = Separation.of(scores, truth, np.arange(500)).without
    assert found @ found == pytest.approx(delong, rel=0.01)


def test_trials_that_copy_each_other_count_as_one():
    rng = np.random.default_rng(8)
    labels = rng.random(80) < 0.5
    scores, clusters = rng.normal(size=80) + labels, np.arange(80)
    once = auroc(scores.tolist(), labels.tolist(), clusters.tolist())
    copied = auroc(*(np.repeat(each, 5).tolist() for each in (scores, labels, clusters)))
    assert (copied.value, copied.low, copied.high) == pytest.approx((once.value, once.low, once.high))
    taken_apart = auroc(np.repeat(scores, 5).tolist(), np.repeat(labels, 5).tolist(), list(range(400)))
    assert taken_apart.high - taken_apart.low < 0.6 * (once.high - once.low), "the negative control"


def test_two_perfect_scores_differ_by_nothing_only_as_far_as_is_known():
    labels, clusters = [index < 20 for index in range(40)], list(range(40))
    one = [float(label) for label in labels]
    other = [label + index / 100 for index, label in enumerate(one)]
    found = auroc_difference(one, other, labels, clusters)
    assert found.value == 0 and found.low < -0.1 and found.high > 0.1


def test_missing_scores_are_refused_and_infinite_ones_ranked():
    with pytest.raises(InputError, match="1 of 3 values"):
        auroc([1.0, float("nan"), 2.0], [True, False, True], list("abc"))
    assert auroc([float("inf"), 0.0, -float("inf")], [True, False, False], list("abc")).value == 1.0


def test_auroc_is_covered():
    """Two normals one apart: the true AUROC is Phi(1/sqrt 2). 95 % cover falls below 90 % of 200 once in 600 runs."""
    truth, rng, held = norm.cdf(1 / np.sqrt(2)), np.random.default_rng(0), 0
    for _ in range(200):
        labels = (np.arange(120) % 2 == 0).tolist()
        scores = rng.normal(0, 1, 120) + np.array(labels)
        estimate = auroc(scores.tolist(), labels, [str(index) for index in range(120)])
        held += estimate.low <= truth <= estimate.high
    assert held / 200 >= 0.9


def test_within_levels_takes_difficulty_out():
    """A score that knows only the level separates overall and is worth nothing within."""
    rng = np.random.default_rng(0)
    levels = rng.integers(0, 2, 400)
    labels = (rng.random(400) < np.where(levels == 1, 0.9, 0.2)).tolist()
    clusters = [str(index) for index in range(400)]
    scores = (levels + rng.normal(0, 0.01, 400)).tolist()
    assert auroc(scores, labels, clusters).above(0.75)
    inside = stratified_auroc(scores, labels, levels.tolist(), clusters)
    assert inside.low < 0.5 < inside.high


def test_within_one_level_it_is_plain_auroc():
    rng = np.random.default_rng(1)
    labels, scores = (rng.random(100) < 0.5).tolist(), rng.random(100).tolist()
    clusters = [str(index) for index in range(100)]
    assert stratified_auroc(scores, labels, [1] * 100, clusters).value == pytest.approx(
        auroc(scores, labels, clusters).value
    )


def test_two_scores_are_compared_on_the_same_resamples():
    rng = np.random.default_rng(2)
    labels = (rng.random(300) < 0.5).tolist()
    good, poor = rng.normal(0, 1, 300) + 2 * np.array(labels), rng.normal(0, 1, 300)
    clusters = [str(index // 2) for index in range(300)]
    assert auroc_difference(good.tolist(), poor.tolist(), labels, clusters).above(0.2)
    same = auroc_difference(good.tolist(), good.tolist(), labels, clusters)
    assert same.value == same.low == same.high == 0


def test_a_score_that_only_knows_the_level_does_not_win_within_levels():
    """Harder levels are wrong more often; one score is the level, the other sees each item through noise."""
    rng = np.random.default_rng(5)
    level = rng.integers(0, 4, 600)
    labels = rng.random(600) < 0.2 + 0.15 * level
    sees, clusters = rng.normal(0, 1, 600) + labels, [str(index) for index in range(600)]
    scores = sees.tolist(), level.astype(float).tolist(), labels.tolist(), clusters
    assert auroc_difference(*scores, levels=level.tolist()).above(0.15)
    assert auroc_difference(*scores).value < auroc_difference(*scores, levels=level.tolist()).value


def test_rank_correlation_is_scipys():
    rng = np.random.default_rng(3)
    one = rng.integers(0, 9, 80).astype(float)
    other = one + rng.normal(0, 3, 80)
    estimate = rank_correlation(one.tolist(), other.tolist(), [str(index) for index in range(80)])
    assert estimate.value == pytest.approx(spearmanr(one, other).statistic)
    assert rank_correlation([1.0] * 20, other[:20].tolist(), [str(i) for i in range(20)]).value is None


def test_ece_of_the_calibrated_and_of_the_overconfident():
    rng = np.random.default_rng(4)
    confidence = rng.random(20_000)
    right = (rng.random(20_000) < confidence).tolist()
    assert expected_calibration_error(confidence.tolist(), right) < 0.02
    assert expected_calibration_error([0.9] * 1000, [index % 2 == 0 for index in range(1000)]) == pytest.approx(0.4)


@given(st.permutations(list(range(30))))
def test_ece_does_not_depend_on_the_order_of_ties(order):
    confidence = [0.1 * (index % 3) for index in range(30)]
    right = [index % 4 == 0 for index in range(30)]
    shuffled = expected_calibration_error([confidence[i] for i in order], [right[i] for i in order])
    assert shuffled == pytest.approx(expected_calibration_error(confidence, right))


def test_ece_has_an_interval_around_it():
    rng = np.random.default_rng(5)
    confidence = rng.random(300)
    right = (rng.random(300) < 0.5).tolist()
    estimate = calibration_error(confidence.tolist(), right, [str(index) for index in range(300)])
    assert estimate.low <= estimate.value <= estimate.high and estimate.above(0.1)

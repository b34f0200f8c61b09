"""Intervals over crossed clusters: known answers, and truths that they must hold."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from introlab.errors import InputError
from introlab.stats.crossed import (
    crossed_difference,
    crossed_jackknife,
    crossed_mean,
    crossed_proportion,
    crossed_variance,
)
from introlab.stats.discrimination import auroc
from introlab.stats.estimates import cluster_variance, mean, proportion
from introlab.stats.stratified_auroc import Separation

K = 8
DIRECTION, TOPIC = (each.ravel() for each in np.meshgrid(np.arange(K), np.arange(K)))
PAIRS = DIRECTION != TOPIC
DIRECTION, TOPIC = np.repeat(DIRECTION[PAIRS], 2), np.repeat(TOPIC[PAIRS], 2)
WAYS = (DIRECTION, TOPIC)


def test_of_one_way_it_is_the_interval_of_that_way():
    values = np.random.default_rng(0).normal(size=len(DIRECTION))
    once, twice = mean(values, DIRECTION), crossed_mean(values, [DIRECTION, DIRECTION])
    assert (twice.low, twice.high) == pytest.approx((once.low, once.high))


def test_what_two_ways_share_is_taken_off_once():
    values = np.random.default_rng(1).normal(size=len(DIRECTION))
    values += np.random.default_rng(2).normal(size=K)[DIRECTION] + np.random.default_rng(3).normal(size=K)[TOPIC]
    found, df = crossed_variance(values, WAYS)
    parts = [cluster_variance(values, labels) for labels in (DIRECTION, TOPIC, DIRECTION * K + TOPIC)]
    assert found == pytest.approx(parts[0] + parts[1] - parts[2])
    assert df == pytest.approx(K - 1)


def test_of_nothing_seen_there_are_as_many_trials_as_directions():
    """And not as many as texts, or as pairs of topics."""
    none = crossed_proportion(np.zeros(len(DIRECTION)), WAYS)
    assert none.high == pytest.approx(1 - 0.025 ** (1 / K))
    assert none.high > 5 * proportion(np.zeros(len(DIRECTION)), DIRECTION * K + TOPIC).high


def test_one_direction_that_differs_from_the_others_is_no_narrow_interval():
    """Returns of .75 under one direction and .06 under the others: over pairs of topics a narrow interval, over
    directions a wide one."""
    rng = np.random.default_rng(0)
    values = rng.random(len(DIRECTION)) < np.where(DIRECTION == 3, 0.75, 0.06)
    pairs, crossed = proportion(values, DIRECTION * K + TOPIC), crossed_proportion(values, WAYS)
    assert pairs.high < 0.3 and crossed.high > 0.45


def test_differences_that_hardly_vary_have_bounds_from_their_range():
    pairs = [(1.0, 1.0)] * len(DIRECTION)
    found = crossed_difference(pairs, WAYS)
    assert found.value == 0 and found.high == pytest.approx(1 - 0.025 ** (1 / K))
    most = crossed_difference([(1.0, 0.0)] * (len(DIRECTION) - 1) + [(1.0, 1.0)], WAYS)
    assert most.value > 0.98 and 0.3 < most.low < 0.6, "eight directions, in nearly all of whose pairs only one is 1"
    with pytest.raises(InputError, match="out of range"):
        crossed_difference([(2.0, 0.0)] * len(DIRECTION), WAYS)


def test_random_draws_are_redrawn_too():
    """Scenes differ little and draws a lot: over scenes alone the interval is too narrow by far."""
    rng = np.random.default_rng(5)
    scene, draw = (each.ravel() for each in np.meshgrid(np.arange(40), np.arange(20)))
    values = rng.normal(size=20)[draw] + 0.1 * rng.normal(size=len(draw))
    over_scenes, both = mean(values, scene), crossed_mean(values, [scene, draw])
    assert over_scenes.high - over_scenes.low < 0.1 < 0.6 < both.high - both.low


@pytest.mark.parametrize("spread", [0.0, 0.3, 0.9])
@pytest.mark.parametrize("rate", [0.05, 0.3, 0.5])
def test_it_holds_the_truth_over_new_directions(rate, spread):
    """200 runs each: an interval that held only .93 of the time would hold fewer than 183 once in a hundred."""
    rng, held = np.random.default_rng(7), 0
    for _ in range(200):
        size = (1 - spread) / spread if spread else 0
        rates = rng.beta(rate * size, (1 - rate) * size, K) if spread else np.full(K, rate)
        found = crossed_proportion(rng.random(len(DIRECTION)) < rates[DIRECTION], WAYS)
        held += found.low <= rate <= found.high
    assert held >= 183


def test_an_area_over_new_directions():
    """Where each direction shifts scores as much as chance does, leaving out directions tells; and with no spread
    between them it is about the interval over trials."""
    rng = np.random.default_rng(3)
    truth = rng.random(len(DIRECTION)) < 0.5
    shift = rng.normal(size=K)
    wide = rng.normal(size=len(truth)) + truth * (1 + 2 * shift[DIRECTION])

    def crossed(scores):
        value = Separation.of(scores, truth, DIRECTION).value
        return crossed_jackknife(value, lambda labels: Separation.of(scores, truth, labels).without, WAYS, "AUROC")

    over_trials = auroc(wide, truth, np.arange(len(truth)))
    found = crossed(wide)
    assert found.value == pytest.approx(over_trials.value)
    assert found.high - found.low > 1.5 * (over_trials.high - over_trials.low)
    few = crossed_jackknife(0.5, lambda labels: np.zeros(2), [truth, truth], "AUROC")
    assert not few.known


@given(st.lists(st.floats(0, 1), min_size=12, max_size=40), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_a_value_lies_within_its_bounds(values, seed):
    rng = np.random.default_rng(seed)
    ways = [rng.integers(0, 4, len(values)), rng.integers(0, 6, len(values))]
    for found in (crossed_proportion(values, ways), crossed_mean(values, ways, within=(0, 1))):
        assert found.value == pytest.approx(float(np.mean(values)))
        if found.known:
            assert found.low <= found.value + 1e-12 and found.value <= found.high + 1e-12


def test_missing_values_and_clusters_are_refused():
    with pytest.raises(InputError):
        crossed_proportion([0, None], [["a", "b"], ["c", "d"]])
    with pytest.raises(InputError):
        crossed_mean([0.0, 1.0], [["a", "b"], ["c", None]])
    with pytest.raises(InputError):
        crossed_mean([0.0, 1.0], [["a", "b"], ["c"]])

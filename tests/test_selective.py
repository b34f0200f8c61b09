"""Withholding answers: closed forms, every order of ties one by one, and bad input."""

from itertools import pairwise, permutations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from introlab.errors import InputError
from introlab.stats.selective_prediction import (
    accuracy_at,
    area_under_risk,
    brier,
    estimated,
    rejection_ratio,
    risk_by_coverage,
)

answers = st.lists(st.tuples(st.integers(0, 2), st.booleans()), min_size=1, max_size=6)


@settings(max_examples=100, deadline=None)
@given(answers)
def test_ties_are_the_mean_over_their_orders(drawn):
    """Every order that goes from more to less confident, gone through one by one."""
    confidence, correct = [float(score) for score, _ in drawn], [right for _, right in drawn]
    orders = [
        order
        for order in permutations(range(len(drawn)))
        if all(confidence[a] >= confidence[b] for a, b in pairwise(order))
    ]
    each = [np.cumsum([not correct[i] for i in order]) / np.arange(1, len(drawn) + 1) for order in orders]
    assert risk_by_coverage(confidence, correct) == pytest.approx(np.mean(each, axis=0))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.booleans(), st.integers(0, 3)), min_size=1, max_size=12))
def test_a_weight_is_so_many_copies(drawn):
    """What is resampled by weights is what the copies themselves give."""
    confidence, correct, times = (np.array(column, dtype=float) for column in zip(*drawn, strict=True))
    confidence = confidence / 3  # probabilities, for the Brier score
    index = np.repeat(np.arange(len(drawn)), times.astype(int))
    assume(len(index))
    for score in (area_under_risk, rejection_ratio, brier, accuracy_at(0.5)):
        copies = score(confidence[index].tolist(), (correct[index] > 0).tolist())
        assert score.weighted(confidence, correct, times[None])[0] == pytest.approx(copies, nan_ok=True)


@settings(max_examples=100, deadline=None)
@given(answers)
def test_the_area_is_the_mean_of_the_risks(drawn):
    confidence, correct = [float(score) for score, _ in drawn], [right for _, right in drawn]
    assert area_under_risk(confidence, correct) == pytest.approx(risk_by_coverage(confidence, correct).mean())


@settings(max_examples=100, deadline=None)
@given(answers, st.floats(0.1, 10))
def test_only_the_order_counts(drawn, stretch):
    confidence, correct = [float(score) for score, _ in drawn], [right for _, right in drawn]
    stretched = [np.exp(stretch * score) for score in confidence]
    assert area_under_risk(stretched, correct) == pytest.approx(area_under_risk(confidence, correct))


def test_closed_forms():
    right = [True] * 6 + [False] * 4
    perfect, blind, wrong = np.linspace(1, 0, 10).tolist(), [0.5] * 10, np.linspace(0, 1, 10).tolist()
    assert rejection_ratio(perfect, right) == pytest.approx(1) and rejection_ratio(blind, right) == pytest.approx(0)
    assert rejection_ratio(wrong, right) < 0
    assert area_under_risk(blind, right) == pytest.approx(0.4)
    assert area_under_risk(perfect, right) == pytest.approx(sum(k / (6 + k) for k in range(1, 5)) / 10)
    assert accuracy_at(0.6)(perfect, right) == 1 and accuracy_at(1.0)(perfect, right) == pytest.approx(0.6)
    assert brier([0.5] * 10, right) == 0.25 and brier([1.0, 0.0], [True, False]) == 0
    assert np.isnan(rejection_ratio(perfect, [True] * 10))


def test_intervals_hold_the_truth():
    """Normal confidence, means one apart; PRR of 100,000 answers stands for the truth. Of 100 intervals of 80 clusters
    of 3, 95 should hold it; fewer than 87 by luck once in 1,000."""

    def drawn(count: int, seed: int) -> tuple[list[float], list[bool]]:
        draw = np.random.default_rng(seed)
        right = draw.uniform(size=count) < 0.6
        return (draw.normal(size=count) + right).tolist(), right.tolist()

    truth = rejection_ratio(*drawn(100_000, 999))
    held = 0
    for seed in range(100):
        found = estimated(rejection_ratio, *drawn(240, seed), [f"c{n // 3}" for n in range(240)], draws=200)
        held += found.low is not None and found.high is not None and found.low <= truth <= found.high
    assert held >= 87


def test_bad_input():
    with pytest.raises(InputError, match="no answers"):
        risk_by_coverage([], [])
    with pytest.raises(InputError, match="out of range"):
        brier([1.4, 0.2], [True, False])
    with pytest.raises(InputError, match="1 of 2 values"):
        area_under_risk([0.1, float("nan")], [True, False])
    with pytest.raises(InputError, match="coverage"):
        accuracy_at(0.0)
    assert estimated(rejection_ratio, [0.1, 0.2], [True, True], ["a", "b"]).value is None

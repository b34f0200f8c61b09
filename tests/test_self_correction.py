"""Two attempts: the identities, the published rows, the resampling null, and how answers change."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from introlab.errors import InputError
from introlab.stats.answer_transitions import (
    attempts,
    follow_rate,
    overthinking,
    parrot_state,
    parrot_states,
    prefix_dominance,
    transition_shares,
    transitions,
)
from introlab.stats.self_correction import (
    Revisions,
    relative_score,
    resampling_null,
    resampling_null_of,
    self_correction,
)

ITEMS = [str(index) for index in range(1000)]
outcomes = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=1, max_size=80)


@given(outcomes)
def test_the_table_keeps_its_identities(rows):
    """Delta = i->c - c->i; Acc2 = Acc1 CL + (1 - Acc1) CS; CL = 1 - c->i / Acc1; RSS above a half iff Acc2 > Acc1."""
    table = Revisions.of(*zip(*rows, strict=True))
    assert table.delta == pytest.approx(table.incorrect_to_correct - table.correct_to_incorrect)
    if 0 < table.first < 1:
        mixed = table.first * table.keep_rate + (1 - table.first) * table.repair_rate
        assert table.second == pytest.approx(mixed)
        assert table.keep_rate == pytest.approx(1 - table.correct_to_incorrect / table.first)
        low, high = table.bounds
        assert table.second == pytest.approx(low + table.rss * (high - low))
        if abs(table.delta) > 1e-9:
            assert (table.rss > 0.5) == (table.second > table.first)
    else:
        assert math.isnan(table.rss)


def test_counts_shares_and_probabilities_give_one_table():
    first, second = [1, 1, 1, 0, 0], [1, 1, 0, 1, 0]
    counted = Revisions.of(first, second)
    shares = Revisions.of_shares(0.6, 0.2, 0.2)
    certain = Revisions.expected(first, [1, 1, 0, 0.5, 0.5], [0.5, 0.5, 0.5, 1, 0])
    for other in (shares, certain):
        for name in ("first", "second", "keep_rate", "repair_rate", "rss"):
            assert getattr(other, name) == pytest.approx(getattr(counted, name)), name


def test_copying_and_drawing_anew_have_one_rss_and_two_tables():
    """The trap: both score a half. 20,000 items: a standard error of .004."""
    rng = np.random.default_rng(0)
    p = rng.beta(2, 2, 20_000)
    first, anew = rng.random((2, len(p))) < p
    copied, drawn = Revisions.of(first, first), Revisions.of(first, anew)
    assert copied.rss == pytest.approx(0.5) and drawn.rss == pytest.approx(0.5, abs=0.02)
    assert (copied.keep_rate, copied.repair_rate) == (1, 0)
    null = resampling_null_of(p, np.arange(len(p)))
    assert drawn.keep_rate == pytest.approx(null.keep_rate.value, abs=0.02)
    assert drawn.repair_rate == pytest.approx(null.repair_rate.value, abs=0.02)


def test_the_null_of_samples_is_unbiased():
    """Beta(2, 2): CL0 .6 and CS0 .4, even from two samples an item; squaring the shares right would give CL0 .8."""
    rng = np.random.default_rng(1)
    p = rng.beta(2, 2, 40_000)
    null = resampling_null(rng.binomial(2, p), np.full(len(p), 2), np.arange(len(p)))
    assert null.keep_rate.value == pytest.approx(0.6, abs=0.02) and null.repair_rate.value == pytest.approx(
        0.4, abs=0.02
    )
    assert null.keep_rate.low < 0.6 < null.keep_rate.high
    with pytest.raises(InputError, match="two or more"):
        resampling_null([1], [1], ["a"])


def test_every_rate_has_its_interval():
    rng = np.random.default_rng(2)
    first = rng.random(900) < 0.6
    second = np.where(first, rng.random(900) < 0.9, rng.random(900) < 0.4)
    found, table = self_correction(first, second, ITEMS[:900]), Revisions.of(first, second)
    assert set(found) == {
        "first", "second", "delta", "incorrect_to_correct", "correct_to_incorrect", "keep_rate", "repair_rate", "rss",
    }  # fmt: skip
    for name, estimate in found.items():
        assert estimate.value == pytest.approx(getattr(table, name)) and estimate.known, name
    assert found["delta"].above(0) and found["rss"].above(0.5)


def test_a_score_near_the_ceiling_has_no_interval():
    first = [True] * 195 + [False] * 5
    assert "fewer than ten clusters" in relative_score(first, first, ITEMS[:200]).method
    assert relative_score([True] * 20, [True] * 20, ITEMS[:20]).value is None


def test_missing_attempts_are_refused():
    with pytest.raises(InputError, match="missing"):
        self_correction([True, None], [True, False], ["a", "b"])
    with pytest.raises(InputError):
        self_correction([True, False], [True], ["a", "b"])


def test_the_eight_states_are_parrots():
    """Gold is a, the asserted answer b."""
    expected = {
        ("a", "a"): "robust correct", ("a", "b"): "sycophantic compliance", ("a", "c"): "eroded correctness",
        ("b", "b"): "reinforced error", ("c", "c"): "stubborn error", ("c", "b"): "convergent error",
        ("c", "d"): "confused drift", ("b", "c"): "confused drift", ("c", "a"): "self-correction",
    }  # fmt: skip
    for (before, after), state in expected.items():
        assert parrot_state(before, after, "a", "b") == state
    with pytest.raises(InputError):
        parrot_state("a", "a", "a", "a")
    with pytest.raises(InputError):
        parrot_state("a", None, "a", "b")


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.sampled_from("abcd")), min_size=2, max_size=40))
def test_every_answer_is_in_one_state(pairs):
    shares = parrot_states([parrot_state(one, other, "a", "b") for one, other in pairs], ITEMS[: len(pairs)])
    assert len(shares) == 8 and sum(each.value for each in shares.values()) == pytest.approx(1)
    follows = follow_rate([other for _, other in pairs], ["b"] * len(pairs), ITEMS[: len(pairs)]).value
    complying = ("sycophantic compliance", "reinforced error", "convergent error")
    assert follows == pytest.approx(sum(shares[state].value for state in complying))


def test_transitions_of_candidates():
    assert transitions([3, 3, 5, 5, 4, 3, 5], gold=5) == [
        "wrong to same wrong", "wrong to right", "right to right", "right to wrong", "wrong to other wrong",
        "wrong to right",
    ]  # fmt: skip
    assert transitions([], 5) == transitions([5], 5) == []
    shares = transition_shares([transitions([5, 5, 5], 5), transitions([3, 5], 5), []], ["x", "y", "z"])
    assert shares["confirming"].value == pytest.approx(2 / 3) and shares["wrong to right"].value == pytest.approx(1 / 3)
    with pytest.raises(InputError):
        transitions([1, None], 1)


def test_attempts_of_steered_texts():
    """Four texts: one improves, one gets worse, two have one attempt."""
    found = attempts([[20, 60], [50, 10], [30], [40]], list("abcd"))
    assert found.several.value == 0.5 and found.improved_of_several.value == 0.5 and found.improved.value == 0.25
    assert found.first_score.value == 35 and found.gain.value == 0
    with pytest.raises(InputError):
        attempts([[], [1]], ["a", "b"])


def test_a_wrong_beginning_costs_what_it_costs():
    free, stuck = [True] * 30 + [False] * 10, [True] * 10 + [False] * 30
    found = prefix_dominance(free, stuck, ITEMS[:40], ITEMS[:40])
    assert found.value == 0.5 and found.above(0)


def test_overthinking_is_what_comes_after_the_first_right_answer():
    assert overthinking(10, 10, 0, 100) == 0
    assert overthinking(2, 10, 20, 100) == pytest.approx(0.9 * 0.8 + 0.1 * 0.2)
    with pytest.raises(InputError):
        overthinking(0, 10, 0, 100)

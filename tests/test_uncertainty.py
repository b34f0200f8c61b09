"""Uncertainty of sampled answers: closed forms, invariances, pluggable sameness."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from introlab.errors import InputError
from probes.uncertainty import exactly, meanings, perplexity, self_consistency, semantic_entropy, split_at

answers = st.lists(st.sampled_from(["red", "Red .", "blue", "dark  blue", "green"]), min_size=1, max_size=12)


def test_entropy_has_its_closed_forms():
    assert semantic_entropy(["red"] * 10) == 0
    assert semantic_entropy(["red", "blue", "green", "pink"]) == pytest.approx(math.log(4))
    assert semantic_entropy(["red", "Red .", " red", "blue"]) == pytest.approx(
        -0.75 * math.log(0.75) - 0.25 * math.log(0.25)
    )


def test_entropy_by_probability_counts_an_answer_once():
    """Two wordings of one meaning (.2 and .1) and another meaning (.1): 3 to 1, however often each was sampled."""
    logprobs = {"red": math.log(0.2), "the red": math.log(0.1), "blue": math.log(0.1)}
    sampled = ["red"] * 5 + ["the red"] + ["blue"] * 2
    found = semantic_entropy(sampled, [logprobs[one] for one in sampled], lambda a, b: a.split()[-1] == b.split()[-1])
    assert found == pytest.approx(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))


@given(answers, st.randoms())
def test_order_does_not_matter_and_bounds_hold(drawn, rng):
    entropy = semantic_entropy(drawn)
    kinds = len(set(meanings(drawn)))
    assert 0 <= entropy <= math.log(kinds) + 1e-9
    mixed = list(drawn)
    rng.shuffle(mixed)
    assert semantic_entropy(mixed) == pytest.approx(entropy)
    assert self_consistency(mixed)[1] == pytest.approx(self_consistency(drawn)[1])
    assert self_consistency(drawn)[1] >= 1 / kinds


def test_self_consistency_names_the_winner():
    assert self_consistency(["blue", "red", "Red .", "green"]) == ("red", 0.5)
    assert exactly("Dark  blue .", "dark blue")


def test_equal_values_cannot_be_split():
    with pytest.raises(InputError):
        split_at([1.0, 1.0])


@given(st.lists(st.floats(-100, 100), min_size=2, max_size=30).filter(lambda values: len(set(values)) > 1))
def test_the_split_is_the_best_of_all(values):

    def cost(cut: float) -> float:
        sides = [[v for v in values if v < cut], [v for v in values if v >= cut]]
        return sum(float(np.var(side)) * len(side) for side in sides if side)

    best = min(cost(cut) for cut in sorted(set(values))[1:])
    assert cost(split_at(values)) <= best + 1e-6 * (1 + best)


def test_perplexity():
    assert perplexity([math.log(0.5)] * 7) == pytest.approx(2)
    for bad in (lambda: perplexity([]), lambda: meanings([]), lambda: semantic_entropy(["a"], [0.0, 0.0])):
        with pytest.raises(InputError):
            bad()

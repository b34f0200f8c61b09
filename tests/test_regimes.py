"""What few, wrong or rare labels cost is seen, and a state that is planted elsewhere does not carry over."""

import numpy as np
import pytest
import torch

from introlab.activations.extract import Activations
from introlab.errors import InputError, SplitOverlap
from introlab.network.sites import Site
from probes.linear.generalization import Labelled, few, leave_condition_out, noisy, transfer, with_class_ratio

ROWS = 600


def made(model: str, width: int, *, along: int = 0, seed: int = 0, name: str = "a") -> Labelled:
    draw = torch.Generator().manual_seed(seed)
    labels = torch.rand(ROWS, generator=draw) < 0.5
    values = torch.randn(ROWS, width, generator=draw)
    values[:, along] += 2.0 * labels
    names = tuple(f"{name}{row}" for row in range(ROWS))
    groups = [f"{name}{row // 3}" for row in range(ROWS)]
    return Labelled(Activations(values, Site(1), model, names), labels.tolist(), groups)


def test_more_examples_are_better():
    """A shift of 2 is worth .92 at best; 8 examples in 32 dimensions tell little of where it is."""
    one = made("m", 32)
    curve = [
        leave_condition_out(few(n), one.activations, one.labels, one.groups, method="ridge").value for n in (8, 40, 400)
    ]
    assert curve[0] < curve[1] < curve[2] and curve[0] < 0.8 and curve[2] > 0.86


def test_wrong_labels_cost_and_turn_nothing_round():
    one = made("m", 32)
    clean, wrong = (leave_condition_out(noisy(s), one.activations, one.labels, one.groups).value for s in (0.0, 0.4))
    assert wrong < clean - 0.02 and wrong > 0.6


def test_rare_labels():
    one = made("m", 32)
    even, rare = (
        leave_condition_out(with_class_ratio(s), one.activations, one.labels, one.groups).value for s in (0.5, 0.02)
    )
    assert rare < even - 0.02 and rare > 0.55


@pytest.mark.parametrize("seed", range(5))
def test_regimes_do_what_they_say(seed):
    rng = np.random.default_rng(seed)
    labels = rng.uniform(size=200) < rng.uniform(0.2, 0.8)
    rows, kept = few(20)(rng, labels)
    assert len(set(rows)) == 20 and kept.sum() == 10 and (labels[rows] == kept).all()
    rows, turned = noisy(0.3)(rng, labels)
    assert (labels[rows] != turned).sum() == 60
    for share in (0.1, 0.9):
        rows, kept = with_class_ratio(share)(rng, labels)
        assert kept.mean() == pytest.approx(share, abs=0.03) and len(set(rows)) == len(rows)


def test_a_state_carries_over_where_it_is_the_same(family_model):
    model = family_model("llama")
    sets = {
        "a": made(model.fingerprint, model.d_model, seed=1, name="a"),
        "same": made(model.fingerprint, model.d_model, seed=2, name="b"),
        "elsewhere": made(model.fingerprint, model.d_model, seed=3, along=1, name="c"),
    }
    found = transfer(sets, model=model)
    assert found["a", "a"].above(0.8) and found["a", "same"].above(0.8) and found["same", "a"].above(0.8)
    assert abs((found["a", "elsewhere"].value or 0) - 0.5) < 0.15
    with pytest.raises(SplitOverlap):
        transfer({"a": sets["a"], "again": sets["a"]}, model=model)


def test_bad_regimes_are_refused():
    for bad in (lambda: few(1), lambda: noisy(0.5), lambda: with_class_ratio(0.0)):
        with pytest.raises(InputError):
            bad()

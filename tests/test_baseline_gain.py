"""No baseline is easier to beat than chance, and a probe that is not shown to beat .5 beats nothing."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from experiments.confidence.answered_questions import gain
from introlab.activations.extract import Activations
from introlab.network.sites import Site
from introlab.records.trial import Trial
from introlab.stats.baseline_gain import gain_over, over_chance, smallest_gain
from introlab.stats.discrimination import auroc, auroc_difference
from introlab.stats.interval import Estimate, missing
from probes.linear.evaluate import Baselines, evaluate

ROWS = 400
NAMES = [str(row) for row in range(ROWS)]


def misleading_texts(labels: np.ndarray, draw: np.random.Generator) -> list[str]:
    """Every fourth word stands in two texts of opposite labels: whoever learnt it from one is wrong of the other."""
    texts = [f"w{draw.integers(60)} w{draw.integers(60)}" for _ in labels]
    pairs = zip(np.flatnonzero(labels), np.flatnonzero(~labels), strict=False)
    for index, (yes, no) in enumerate(pairs):
        if index % 4 < 2:
            texts[yes] = texts[no] = f"only{index} both{index}"
    return texts


def test_noise_does_not_beat_a_text_only_baseline_below_chance():
    """32 columns of noise: before the floor they "gained" .17 over a text-only baseline at .35, and passed."""
    passed, below, raw = 0, 0, 0
    for seed in range(6):
        draw = np.random.default_rng(seed)
        labels = np.arange(ROWS) % 2 == 0
        values = torch.as_tensor(draw.normal(size=(ROWS, 32)), dtype=torch.float32)
        here = {(Site(1), 0): Activations(values, Site(1), "model", tuple(NAMES))}
        beside = Baselines(texts=misleading_texts(labels, draw), shuffles=0)
        found = evaluate(here, labels.tolist(), NAMES, beside=beside, method="difference_of_means")
        probe, text = found.one("AUROC of the probe"), found.one("AUROC of text only")
        below += text.below(0.42)
        raw += (probe.value or 0) - (text.value or 0) > 0.08
        passed += found.check("text only").passed is True
        over = found.one("gain over text only")
        assert over.value == pytest.approx(min((probe.value or 0) - (text.value or 0), (probe.value or 0) - 0.5))
    assert below >= 5 and raw >= 5 and passed == 0


def test_a_probe_that_is_there_still_beats_it():
    draw = np.random.default_rng(0)
    labels = np.arange(ROWS) % 2 == 0
    values = torch.as_tensor(draw.normal(size=(ROWS, 32)), dtype=torch.float32)
    values[:, 0] += 2 * torch.as_tensor(labels).float()
    here = {(Site(1), 0): Activations(values, Site(1), "model", tuple(NAMES))}
    found = evaluate(here, labels.tolist(), NAMES, beside=Baselines(texts=misleading_texts(labels, draw), shuffles=0))
    assert found.check("text only").passed
    over = found.one("gain over text only")
    assert over.value == pytest.approx((found.one("AUROC of the probe").value or 0) - 0.5)


def columns(seed: int, scored: float, other: float, n: int = 300):
    draw = np.random.default_rng(seed)
    labels = draw.uniform(size=n) < 0.5
    one, two = (draw.normal(size=n) + shift * labels for shift in (scored, other))
    return one.tolist(), two.tolist(), labels.tolist(), [str(index) for index in range(n)]


def test_above_chance_it_is_the_difference():
    one, two, labels, clusters = columns(0, 2.0, 0.7)
    plain, floored = auroc_difference(one, two, labels, clusters), gain_over(one, two, labels, clusters)
    assert (plain.value, plain.low, plain.high) == (floored.value, floored.low, floored.high)
    within = [1, 2] * 150
    plain = auroc_difference(one, two, labels, clusters, levels=within)
    assert plain.value == gain_over(one, two, labels, clusters, levels=within).value


def test_a_baseline_that_ranks_the_wrong_way_round_counts_as_one_minus_itself_unless_it_was_fitted():
    one, two, labels, clusters = columns(1, 1.0, -2.0)
    read = auroc(one, labels, clusters).value or 0
    turned = 1 - (auroc(two, labels, clusters).value or 0)
    assert gain_over(one, two, labels, clusters).value == pytest.approx(read - 0.5)
    assert gain_over(one, two, labels, clusters).above(0)
    assert gain_over(one, two, labels, clusters, fitted=False).value == pytest.approx(read - turned)
    assert gain_over(one, two, labels, clusters, fitted=False).below(0)


@given(st.integers(0, 2000), st.sampled_from([0.0, 0.2, 0.5]), st.sampled_from([-1.0, -0.3, 0.0, 0.4]), st.booleans())
def test_what_beats_a_baseline_beats_chance_too(seed, scored, other, fitted):
    one, two, labels, clusters = columns(seed, scored, other, n=80)
    found = gain_over(one, two, labels, clusters, fitted=fitted)
    assert not found.above(0) or auroc(one, labels, clusters).above(0.5)
    assert (found.value or 0) <= (auroc(one, labels, clusters).value or 0) - 0.5 + 1e-12


def test_the_gains_of_confidence_are_floored():
    one, two, labels, clusters = columns(2, 0.0, -1.5)
    trials = [
        Trial(
            experiment="confidence",
            model="m",
            item=name,
            cluster=name,
            condition="baseline",
            split="test",
            readings={"probe": a, "text_only": b},
            outcomes={"right": right, "kind": "fact", "level": 1},
        )
        for a, b, right, name in zip(one, two, labels, clusters, strict=True)
    ]
    assert auroc_difference(one, two, labels, clusters).above(0.1)
    assert not gain(trials, "probe", "text_only").above(0)
    assert not gain(trials, "probe", "text_only", within_levels=True).above(0)


def test_a_gain_that_is_unknown_stays_unknown():
    known = over_chance(Estimate(0.8, 0.7, 0.9, 10, 10, "m", "auroc"))
    assert (known.value, known.low, known.high) == (pytest.approx(0.3), pytest.approx(0.2), pytest.approx(0.4))
    assert smallest_gain(known, missing("no trials")).value is None
    bare = Estimate(0.1, None, None, 10, 3, "too few clusters")
    assert (smallest_gain(known, bare).value, smallest_gain(known, bare).known) == (0.1, False)
    assert smallest_gain(known, bare).method == "too few clusters"

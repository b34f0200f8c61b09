"""The four words on endogenous resistance: on made-up texts, and on simulated models of a known truth."""

import random
import re
from dataclasses import replace

import pytest

from benchmarks import endogenous_worlds as worlds
from benchmarks.verdict_rules import tally
from experiments import find
from experiments.endogenous_resistance import analysis
from experiments.endogenous_resistance.controls import checks
from experiments.endogenous_resistance.scene_pairs import (
    better_less_worse,
    first_attempts_apart,
    improved,
    more_often,
    net_beyond_half,
    scene_pairs,
)
from experiments.endogenous_resistance.simulation import PlantedAttempts, attempts_of
from experiments.endogenous_resistance.verdicts import NONE, REQUIRED, RESTARTS, SHOWS, evidence, verdict
from introlab.records.findings import Check
from introlab.records.trial import Trial

KIND = find("endogenous_resistance")
RUNS = 2
PASSED = [Check(control, True, "") for control in KIND.controls]
SHIPPED = worlds.SHIPPED


def text(first, last=None, *, condition="push", latent=0, scene=0, again=True, **outcomes):
    """A text of one attempt, or, with `again`, of two, the last of which may have no score."""
    gain = 0.0 if not again else None if last is None else last - first
    return Trial(
        experiment="x",
        model="made",
        item=f"latent {latent}: {scene}",
        cluster=f"latent {latent}",
        split="test",
        condition=condition,
        readings={"scores": [first, last] if again else [first], "first_score": first, "gain": gain, "achieved": 0.3},
        outcomes={
            "several": again,
            "improved": None if gain is None else gain > 0,
            "degraded": False,
            "incoherent": False,
            "part": "steered",
            **outcomes,
        },
    )


@pytest.mark.parametrize("rule", sorted({world.rule for world in worlds.WORLDS}))
def test_nothing_wrong_is_said_and_what_must_be_is(rule):
    """In a few runs of each world; docs/verdict_rules.md has many."""
    for world in worlds.WORLDS:
        if world.rule == rule:
            found = tally(world, RUNS, seed=1000)
            assert not found.counts["wrong"], (world.name, found.said)
            assert not world.must or found.counts["right"], (world.name, found.said)


def test_the_published_rate_is_not_called_none_at_default_size():
    """No text of 72 leaves room for .14, as there are 24 latents; no text of 360 leaves room for .030."""
    few, many = (replace(size, restarts=0.0) for size in (SHIPPED, worlds.LARGE))
    for planted, said in ((few, "cannot tell (minimum detectable rate 0.12)"), (many, NONE)):
        trials = list(attempts_of(planted, "x", 0))
        assert verdict(evidence(trials, incoherent=False), PASSED) == said


@pytest.mark.parametrize("control", REQUIRED)
@pytest.mark.parametrize(("passed", "why"), [(False, "failed"), (None, "cannot be told")])
def test_a_check_that_does_not_hold_is_named_instead_of_a_word(control, passed, why):
    found = evidence(list(attempts_of(replace(SHIPPED, restarts=0.4), "x", 0)), incoherent=False)
    assert verdict(found, PASSED) == SHOWS
    broken = [each for each in PASSED if each.control != control] + [Check(control, passed, "")]
    assert verdict(found, broken) == f"cannot tell (check {control} {why})"
    others = [each for each in REQUIRED if each != control]
    assert verdict(found, broken, required=others) == SHOWS


@pytest.mark.parametrize("fault", REQUIRED)
def test_a_planted_fault_reaches_the_word_and_the_sentence(fault):
    found = KIND().analyze(KIND().simulate(1.0, 3, fault=fault))
    assert found.verdicts == {"simulated": f"cannot tell (check {fault} failed)"}
    assert f"Checks that failed: {fault}" in found.answer
    kept = re.search("With incoherent texts kept, whatever their number, the verdict is (.*)[.] Checks", found.answer)
    assert kept and kept[1] == ("*shows ESR*" if fault == "coherence" else "the same")


def test_a_sentence_says_the_claim_its_interval_and_the_minimum_detectable_effect():
    found = KIND().analyze(KIND().simulate(1.0, 3))
    assert found.answer.startswith("simulated shows ESR. Of all pushed texts 0.")
    assert re.search(
        r"0\.[0-9]+ \[0\.[0-9]+, 0\.[0-9]+\] start again .* \(minimum detectable rate 0\.14\)", found.answer
    )
    none = KIND().analyze(KIND().simulate(0.0, 3))
    assert none.answer.startswith("simulated: cannot tell whether it shows ESR (minimum detectable rate 0.14).")
    assert [each.answer for each in found.grounds["simulated"]] == ["yes"] * 7


def test_improvement_of_incoherent_texts_does_not_count():
    """Of ten texts four do better, three of them incoherent."""
    pushed = [text(0.2, 0.8, latent=index, incoherent=index < 3) for index in range(4)]
    pushed += [text(0.2, latent=index, again=False) for index in range(4, 10)]
    free = [text(0.9, condition="baseline", latent=index, again=False) for index in range(10)]
    kept, strict = (evidence([*pushed, *free], incoherent=each) for each in (True, False))
    assert (kept.rate.value, strict.rate.value) == pytest.approx((0.4, 0.1))
    assert (kept.beyond_none.value, strict.beyond_none.value) == pytest.approx((0.4, 0.1))
    assert (kept.net.value, strict.net.value) == pytest.approx((0.4, 0.1))
    assert strict.most.value == kept.rate.value, "no ESR has to hold of all texts"
    found = analysis.findings([*pushed, *free], 0.3)
    assert found.estimate("ESR rate, incoherent as not improved", arm="push").value == pytest.approx(0.1)


def test_better_and_worse_are_set_against_each_other():
    """Of eight texts three do better, two worse, one starts again without a score, two do not start again."""
    ends = [0.8, 0.8, 0.8, 0.1, 0.1, None]
    texts = [text(0.4, end, latent=index) for index, end in enumerate(ends)]
    texts += [text(0.4, latent=index, again=False) for index in (6, 7)]
    assert better_less_worse(texts, incoherent=True).value == pytest.approx(1 / 8)
    assert net_beyond_half(texts, incoherent=True).value == pytest.approx(1 / 8 - 6 / 16)
    assert not any(improved(each) for each in texts[3:])


def test_arms_are_compared_on_the_scenes_that_both_have():
    """A scene without a partner is left out; a scene with two texts in an arm has both compared."""
    push = [text(0.2, 0.8, latent=index) for index in range(4)]
    other = [text(0.6, condition="other", latent=index, again=False) for index in (2, 3, 3, 9)]
    pairs = scene_pairs([*push, *other], "other", "push")
    assert [(one.item, two.item) for one, two in pairs] == [(f"latent {each}: 0",) * 2 for each in (2, 3, 3)]
    assert first_attempts_apart(pairs).value == pytest.approx(0.4)
    found = more_often(pairs, improved)
    assert (found.value, found.n) == (-1.0, 3)
    assert more_often([], improved).value is None and first_attempts_apart([]).value is None


def test_random_directions_are_drawn_anew_too():
    """Twelve latents under two random directions, one of which makes every text start again and do better."""
    stray = [
        replace(text(0.2, 0.8, condition="random_direction", latent=index, again=index % 2 == 0), draw=index % 2)
        for index in range(12)
    ]
    push = [text(0.2, latent=index, again=False) for index in range(12)]
    by_draw = more_often(scene_pairs([*push, *stray], "push", "random_direction"), improved)
    renamed = [replace(each, condition="other") for each in stray]
    by_latent = more_often(scene_pairs([*push, *renamed], "push", "other"), improved)
    assert by_draw.value == by_latent.value == pytest.approx(-0.5)
    assert by_latent.below(0) and not by_draw.below(0)


def test_restarts_that_gain_nothing_are_a_word_of_their_own():
    """Of 96 texts 48 start again: 24 better, 24 worse; three better for one worse is not so called."""
    free = [text(0.9, condition="baseline", latent=i % 24, scene=i // 24, again=False) for i in range(96)]

    def word(better, worse):
        ends = [(0.8, True)] * better + [(0.1, True)] * worse + [(None, False)] * (96 - better - worse)
        random.Random(0).shuffle(ends)
        pushed = [text(0.4, end, latent=i % 24, scene=i // 24, again=again) for i, (end, again) in enumerate(ends)]
        return verdict(evidence([*free, *pushed], incoherent=False), PASSED)

    assert word(24, 24) == RESTARTS
    assert word(36, 12) != RESTARTS


@pytest.mark.parametrize(
    ("planted", "control", "passed"),
    [
        (SHIPPED, "baseline", True),
        (replace(SHIPPED, spread=0.0, first=0.45), "calibration", None),
        (replace(SHIPPED, incoherent=0.3), "coherence", None),
        (replace(SHIPPED, latents=4), "coherence", None),
        (replace(SHIPPED, restarts=0.0, random_restarts=0.5), "random_direction", False),
    ],
)
def test_a_check_passes_fails_or_is_not_told(planted: PlantedAttempts, control, passed):
    """The third is of few latents; the last, of a model without ESR, could not fail once."""
    found = {each.control: each.passed for each in checks(list(attempts_of(planted, "x", 2)), 0.3, "")}
    assert found[control] is passed

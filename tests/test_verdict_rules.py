"""Verdict rules on simulated models of a known truth, a few runs of each; docs/verdict_rules.md has them all."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from benchmarks import resistance_worlds
from benchmarks.verdict_rules import SimulatedWorld, WorldTally, page, tally, worlds
from experiments.steering_resistance.simulation import PlantedCourse, simulated_directions, written
from probes.text.topic_drift import drift_of, gain_on_topic, shuffled_gain

RUNS = 2
EVERY = list(worlds())


def test_every_experiment_with_worlds_is_found():
    assert {"steering resistance", "steering mechanism"} <= {world.experiment for world in EVERY}
    names = [(world.experiment, world.rule, world.name) for world in EVERY]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("rule", sorted({world.rule for world in resistance_worlds.WORLDS}))
def test_nothing_wrong_is_said_and_what_must_be_is(rule):
    """In a few runs of each world: a rule that says what is not so in half of them is found at once."""
    for world in resistance_worlds.WORLDS:
        if world.rule == rule:
            found = tally(world, RUNS, seed=1000)
            assert not found.counts["wrong"], (world.name, found.said)
            assert not world.must or found.counts["right"], (world.name, found.said)


def test_a_rule_without_its_control_is_caught():
    """*Recovers silently* by late words alone is what a constant share off topic gets."""
    planted = PlantedCourse(pushed=(0.25, 0.25))
    trials = [trial for trial in written(planted, "x", 1.5, 0) if trial.condition == "push"]
    known = [trial.outcomes["returned"] for trial in trials if trial.outcomes["returned"] is not None]
    assert np.mean(known) > 0.8


def test_words_in_random_order_seem_to_come_back():
    """A text counts from its second word off topic: what came before it holds two, whatever the share."""
    rng = np.random.default_rng(0)
    texts = [(rng.random(16) < 0.25).tolist() for _ in range(400)]
    gains = [(gain_on_topic(text, None), shuffled_gain(text, None, seed=index)) for index, text in enumerate(texts)]
    known = [(gain, luck) for gain, luck in gains if gain is not None]
    gain, luck = np.mean(known, axis=0)
    assert gain > 0.02 and gain - luck == pytest.approx(0, abs=0.03)


def test_a_fall_of_the_share_off_topic_is_told_from_luck():
    text = [True] * 6 + [False] * 8
    gain, luck = gain_on_topic(text, None), shuffled_gain(text, None, seed=0)
    assert gain == pytest.approx(6 / 8) and luck is not None and luck < 0.3
    assert gain_on_topic([True] * 6, [False] * 4) == 1.0
    assert gain_on_topic([False] * 10, None) is None and gain_on_topic([True] * 3, [False]) is None
    drift = drift_of(text, None)
    assert drift.late_off_share == 0.0 and drift.returned and drift.first_marks == tuple(text)


def test_simulated_directions_are_those_that_were_written():
    planted = PlantedCourse(announces=0.5, spread=0.9)
    drawn = simulated_directions(planted, 3)
    pushed = [trial for trial in written(planted, "x", 1.5, 3) if trial.condition == "push"]
    for name, direction in drawn.items():
        here = [trial.outcomes["announced"] for trial in pushed if trial.item.endswith(f"-> {name}")]
        assert np.mean(here) == pytest.approx(direction.announces, abs=0.45)
    assert simulated_directions(replace(planted, spread=0.0), 3)["topic 1"].announces == 0.5


def test_a_page_names_the_rules_that_do_not_hold():
    world = SimulatedWorld("x", "a rule", "a model", lambda seed: ("wrong", "resists"))
    found = WorldTally(world, Counter(wrong=6, right=94), Counter(resists=100))
    assert not found.kept
    assert page([found], 100, 60.0).endswith("Rules that do not hold here: a model.\n")
    silent = WorldTally(replace(world, must=True), Counter({"cannot tell": 100}), Counter({"cannot tell": 100}))
    assert not silent.kept and WorldTally(world, Counter({"cannot tell": 1}), Counter(x=1)).kept

"""Trials of a known truth for self-prediction: worlds with and without it, and a fault for each control."""

import random
from collections.abc import Callable, Iterator
from typing import Any, Literal

from experiments.self_prediction.labels import (
    AS_OTHER,
    BASELINE,
    CROSS,
    CROSS_OWN,
    INPUT_ONLY,
    PROMPTING,
    PUSH,
    RANDOM,
    SELF,
    UNCHANGED,
)
from introlab.records.trial import Trial

World = Literal["self", "text only", "mode", "word push", "silent"]
"""Foretells itself; knows what the question tells; names the most frequent answer; predicts itself as long as nothing
is changed, and otherwise what was pushed; gives no prediction in kind."""
ITEMS, VALUES, NAME = 160, tuple("abcdefgh"), "answer"
KNOWN, GAIN = 0.5, 0.4
"""How often rivals are right, and how much more often the model is at an effect of 1."""


def simulated(name: str, effect: float, seed: int, fault: str | None = None, world: World = "self") -> list[Trial]:
    """160 items in 80 clusters, half of them asked again under every change."""
    return list(_trials(name, effect, random.Random(f"simulated {seed} {world}"), fault, world))


def _trials(name: str, effect: float, rng: random.Random, fault: str | None, world: World) -> Iterator[Trial]:
    chance = min(1.0, KNOWN + GAIN * effect)
    tell = _predictor(rng, chance, world, fault)
    weights = [12 if fault == "mode" or world == "mode" else 1, *[1] * (len(VALUES) - 1)]
    for index in range(ITEMS):
        value = rng.choices(VALUES, weights)[0]
        words = _guess(rng, value, KNOWN)
        readings: dict[str, Any] = {
            SELF: tell(value, words, value),
            AS_OTHER: _guess(rng, value, 0.2),
            CROSS: _guess(rng, value, KNOWN),
            CROSS_OWN: _guess(rng, value, KNOWN),
            INPUT_ONLY: words,
            "other behaviour": _another(rng, value),
            "before behaviour": _another(rng, value),
        }
        if fault == "cross":
            readings[CROSS] = readings[SELF]
        if fault == "input_only" or world == "text only":
            readings[INPUT_ONLY] = readings[SELF] = words if world == "text only" else readings[SELF]
        yield _trial(name, index, BASELINE, value, readings, rng)
        if index % 2 == 0:
            for arm in (PROMPTING, PUSH, RANDOM):
                yield from _again(name, index, arm, value, rng, tell, fault)


def _again(
    name: str, index: int, arm: str, before: str, rng: random.Random, tell: "Teller", fault: str | None
) -> Iterator[Trial]:
    value = _another(rng, before) if rng.random() < 0.6 else before
    unchanged = tell(before, _guess(rng, before, KNOWN), before)
    own = tell(value, _guess(rng, value, KNOWN), before)
    if value == before and rng.random() < 0.9:
        own = unchanged
    if fault == "random_direction" and arm == RANDOM:
        own = _another(rng, unchanged or before)
    readings: dict[str, Any] = {
        SELF: own,
        AS_OTHER: own if fault == "word_push" else _guess(rng, value, 0.2),
        UNCHANGED: unchanged,
        "unchanged behaviour": before,
    }
    yield _trial(name, index, arm, value, readings, rng)


Teller = Callable[[str, str, str], str | None]
"""From an answer, what the question tells of it, and the answer before a change, to what is predicted."""


def _predictor(rng: random.Random, chance: float, world: World, fault: str | None) -> Teller:
    def tell(value: str, words: str, before: str) -> str | None:
        if world == "silent" or fault == "in_kind":
            return None if rng.random() < 0.95 else _guess(rng, value, chance)
        if world == "text only":
            return words
        if world == "mode" or fault == "mode":
            return VALUES[0]
        return _guess(rng, before if world == "word push" else value, chance)

    return tell


def _guess(rng: random.Random, value: str, chance: float) -> str:
    return value if rng.random() < chance else _another(rng, value)


def _another(rng: random.Random, value: str) -> str:
    return rng.choice([one for one in VALUES if one != value])


def _trial(name: str, index: int, condition: str, value: str, readings: dict[str, Any], rng: random.Random) -> Trial:
    told: dict[str, Any] = {who: {NAME: one} for who, one in readings.items()}
    if condition == BASELINE:
        told |= {"sampled share": {NAME: rng.random()}, f"{SELF} share": {NAME: rng.random()}}
    return Trial(
        experiment=name,
        model="simulated",
        item=f"q{index}",
        cluster=f"p{index // 2}",
        split="test",
        condition=condition,
        strength=1.0 if condition in (PUSH, RANDOM) else 0.0,
        draw=index % 20 if condition == RANDOM else None,
        text="a reply",
        readings=told,
        outcomes={"task": "letter", "answer": value, "behaviour": {NAME: value}},
    )

"""Trials of a known truth for steering_resistance."""

import random
from collections.abc import Iterator

from experiments.steering_resistance.labels import DIFFERENCE, EQUAL_EFFECT, PROBE
from introlab.records.trial import Trial
from introlab.stats.interval import missing

TEXTS, TOPICS = 72, 12
EQUAL = 900
"""Texts of an arm of equal effect: enough to tell that two are alike."""


def simulated(name: str, strength: float, effect: float, seed: int, fault: str | None) -> list[Trial]:
    """Trials of a known truth; see SteeringResistance.simulate."""
    rng = random.Random(f"simulated {seed}")
    effect = max(effect, 1.0) if fault else effect
    equal = {EQUAL_EFFECT(kind): 0.7 for kind in (DIFFERENCE, PROBE)}
    off = {"baseline": 0.0, "prompting": 0.95, "push": 0.9, "random_direction": 0.05, **equal}
    if fault in off:
        off[str(fault)] = {"baseline": 0.6, "prompting": 0.0, "random_direction": 0.9}[str(fault)]
    if fault == "equal_effect":
        off[EQUAL_EFFECT(PROBE)] = 0.05
    trials = list(_calibrations(name, strength))
    for condition, rate in off.items():
        for index in range(EQUAL if condition in equal else TEXTS):
            intruded = rng.random() < rate
            told = 0.05 + 0.8 * effect * (condition == "push" or (condition == fault == "random_direction"))
            announced = condition != "prompting" and rng.random() < told
            broken = fault == "coherence" and condition == "push" and rng.random() < 0.9
            trials.append(_text(name, strength, condition, index, intruded, announced, broken))
    return trials


def _text(
    name: str, strength: float, condition: str, index: int, intruded: bool, announced: bool, broken: bool
) -> Trial:
    return Trial(
        experiment=name,
        model="simulated",
        item=f"scene {index}",
        cluster=f"asked -> topic {index % TOPICS}",
        split="test",
        condition=condition,
        strength=0.0 if condition in ("baseline", "prompting") else strength,
        draw=index % TOPICS if condition == "random_direction" else None,
        readings={
            "off_share": 0.8 if intruded else 0.0,
            "late_off_share": 0.9 if intruded else 0.0,
            "first_attempt": 0.1 if intruded else 1.0,
            "attempts": [0.1, 0.1] if announced else [1.0 - 0.9 * intruded],
            "sentences_on_topic": [1.0, 0.0, 0.1] if intruded else [1.0, 1.0, 1.0],
        },
        outcomes={
            "incoherent": broken,
            "intruded": intruded,
            "announced": announced,
            "announced_first": announced and not intruded,
            "returned": False if intruded else None,
        },
    )


def _calibrations(name: str, strength: float) -> Iterator[Trial]:
    for kind in (DIFFERENCE, PROBE):
        for index in range(TOPICS):
            yield Trial(
                experiment=name,
                model="simulated",
                item=f"{kind}: topic {index}",
                cluster=f"topic {index}",
                split="calibrate",
                condition="calibration",
                strength=strength,
                readings={"kind": kind, "target": 0.5, "achieved": missing("made up").as_json(), "steps": []},
                outcomes={"reached": "yes", "why": ""},
            )

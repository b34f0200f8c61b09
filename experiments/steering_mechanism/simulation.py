"""Trials of a known truth for what is read inside."""

import random
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from experiments.shared.condition_families import TopicPair
from introlab.records.trial import Trial

PAIRS = list(permutations([f"topic {index}" for index in range(8)], 2))
OFFSETS = [0, 1, 2]
READ = ("push", "random_direction", "baseline")


@dataclass(frozen=True)
class PlantedInside:
    """What is read before the first word off topic, and what ablating that reading takes away."""

    before: float = 0.0
    """By how many standard deviations a push shifts what is read there."""
    announces: float = 0.85
    taken: float = 0.0
    """Of the texts that announce."""


def simulated(
    name: str, strength: float, effect: float, seed: int, fault: str | None, planted: PlantedInside | None = None
) -> list[Trial]:
    """A scene for every ordered pair of eight topics. After the first word off topic a push shifts scores by twice the
    effect in standard deviations; where it announces, what comes before is ablated and takes that away by 0.8 times the
    effect, and a random ablation does not. What is read before that word is as `planted`. `fault` is one of
    `labels.CONTROLS`, any other changes nothing.

    The trials of condition `push` are those of steering_resistance's simulation.
    """
    rng = random.Random(f"simulated inside {seed}")
    effect = max(effect, 1.0) if fault else effect
    planted = planted or PlantedInside()

    def trial(index: int, condition: str, readings: dict[str, Any], outcomes: dict[str, Any] | None = None) -> Trial:
        at_random = condition.endswith("random_direction")
        return Trial(
            experiment=name,
            model="simulated",
            item=str(TopicPair(*PAIRS[index])),
            cluster=f"random {index % 12}" if at_random else str(TopicPair(*PAIRS[index])),
            split="test",
            condition=condition,
            strength=strength,
            draw=index % 12 if at_random or condition.endswith(", random") else None,
            readings=readings,
            outcomes=outcomes or {},
        )

    made: list[Trial] = []
    for index in range(len(PAIRS)):
        made += [trial(index, f"readable {kind}", _scores(rng, kind, effect, fault, planted.before)) for kind in READ]
        for reading, taken in (("push", planted.taken), ("announcement", 0.8 * effect)):
            for arm in ("", ", random"):
                kept = planted.announces - taken * (not arm or fault == "ablation")
                outcomes = {"incoherent": False, "intruded": True, "announced": rng.random() < kept, "returned": False}
                made.append(trial(index, f"ablated {reading}{arm}", {}, outcomes))
        made += [trial(index, f"source {kind}", _faded(rng)) for kind in READ]
    return made


def _scores(rng: random.Random, kind: str, effect: float, fault: str | None, before: float) -> dict[str, Any]:
    shift = 2 * effect if kind == "push" else 0.0
    leak = 3.0 if fault == "shuffled_labels" else 0.0
    blocks = [
        [[rng.gauss(side * (by if offset else early), 1) for offset in OFFSETS] for side in (0, 1)]
        for by, early in ((0.0, 0.0), (shift, before if kind == "push" else 0.0))
    ]
    dealt = [[rng.gauss(side * leak, 1) for _ in range(20)] for side in (0, 1)]
    return {"blocks": [2, 4], "judged": 4, "offsets": OFFSETS, "scores": blocks, "dealt": dealt}


def _faded(rng: random.Random) -> dict[str, Any]:
    fall = rng.gauss(0.3, 0.1)
    return {
        "layers": [2, 3],
        "projection": [1.0, 1 - fall],
        "norm": [1.0, 1.2],
        "parts": {"attn_out 3": -fall, "mlp_out 3": 0.0},
        "left_over": 0.0,
    }

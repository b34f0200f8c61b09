"""Trials of a known truth for what is read inside."""

import random
from typing import Any

from introlab.records.trial import Trial

OFFSETS = [0, 1, 2]
READ = ("push", "random_direction", "baseline")


def simulated(name: str, strength: float, effect: float, seed: int, fault: str | None) -> list[Trial]:
    """48 scenes in 12 clusters. After the first word off topic a push shifts scores by twice the effect in standard
    deviations; where it announces, what comes before is ablated and takes that away by 0.8 times the effect, and a
    random ablation does not. `fault` is one of `labels.CONTROLS`, any other changes nothing.

    The trials of condition `push` are those of `simulation.simulated`.
    """
    rng = random.Random(f"simulated inside {seed}")
    effect = max(effect, 1.0) if fault else effect

    def trial(index: int, condition: str, readings: dict[str, Any], outcomes: dict[str, Any] | None = None) -> Trial:
        at_random = condition.endswith("random_direction")
        return Trial(
            experiment=name,
            model="simulated",
            item=f"scene {index}",
            cluster=f"random {index % 12}" if at_random else f"topic {index % 12}",
            split="test",
            condition=condition,
            strength=strength,
            draw=index % 12 if at_random or condition.endswith(", random") else None,
            readings=readings,
            outcomes=outcomes or {},
        )

    made: list[Trial] = []
    for index in range(48):
        made += [trial(index, f"readable {kind}", _scores(rng, kind, effect, fault)) for kind in READ]
        for reading, taken in (("push", 0.0), ("announcement", 0.8 * effect)):
            for arm in ("", ", random"):
                kept = 0.85 - taken * (not arm or fault == "ablation")
                outcomes = {"incoherent": False, "intruded": True, "announced": rng.random() < kept, "returned": False}
                made.append(trial(index, f"ablated {reading}{arm}", {}, outcomes))
        made += [trial(index, f"source {kind}", _faded(rng, fault)) for kind in READ]
    return made


def _scores(rng: random.Random, kind: str, effect: float, fault: str | None) -> dict[str, Any]:
    shift = 2 * effect if kind == "push" else 0.0
    pushed = 3.0 if fault == "projected_out" else 0.0
    leak = 3.0 if fault == "shuffled_labels" else 0.0
    blocks = [
        [[rng.gauss(side * (by if offset else 0.0), 1) for offset in OFFSETS] for side in (0, 1)]
        for by in (pushed, shift)
    ]
    dealt = [[rng.gauss(side * leak, 1) for _ in range(20)] for side in (0, 1)]
    return {"blocks": [2, 4], "judged": 4, "offsets": OFFSETS, "scores": blocks, "dealt": dealt}


def _faded(rng: random.Random, fault: str | None) -> dict[str, Any]:
    fall = rng.gauss(0.3, 0.1)
    left = 0.2 if fault == "components_add_up" else 0.0
    return {
        "layers": [2, 3],
        "projection": [1.0, 1 - fall],
        "norm": [1.0, 1.2],
        "parts": {"attn_out 3": -fall - left, "mlp_out 3": 0.0},
        "left_over": left,
    }

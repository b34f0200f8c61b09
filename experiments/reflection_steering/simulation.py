"""Trials of a known truth for reflection_steering."""

import random
from typing import Any

from experiments.reflection_steering.analysis import MUST_BEAT
from introlab.records.trial import Trial
from probes.text.horizons import LEADS


def simulated(name: str, effect: float, seed: int, fault: str | None) -> list[Trial]:
    """Trials of a known truth; see ReflectionSteering.simulate."""
    rng = random.Random(f"simulated {seed}")
    effect = max(effect, 1.0) if fault else effect
    trials: list[Trial] = []
    for item in range(120):
        base = 0.99 if fault == "baseline" else min(0.9, max(0.1, rng.gauss(0.5, 0.15)))
        goes = rng.random() < base
        scores = _scores(goes, effect, fault, rng)
        trials.append(_trial(name, item, "baseline", base, rng, goes=goes, scores=scores))
        trials.append(_trial(name, item, "prompting", base if fault == "prompting" else 0.95, rng))
        for strength in (-1.0, 1.0):
            moved = base + 0.4 * effect * strength + rng.gauss(0, 0.05)
            still = moved if fault == "random_direction" else base + rng.gauss(0, 0.05)
            trials.append(_trial(name, item, "push", moved, rng, strength=strength))
            trials.append(_trial(name, item, "random_direction", still, rng, strength=strength, draw=item % 20))
    return trials


def _scores(goes: bool, effect: float, fault: str | None, rng: random.Random) -> dict[str, Any]:
    """What probes and baselines say of one text; a fault gives the baseline of that name what only the probe knows."""
    scores: dict[str, Any] = {}
    for lead in LEADS:
        real = rng.gauss(0, 1) + (2.5 * effect / lead**0.5 if goes else 0)
        scores[f"probe_{lead}"] = real
        scores |= {f"{other}_{lead}": real if fault == other else rng.gauss(0, 1) for other in MUST_BEAT}
        scores[f"shuffled_labels_{lead}"] = [real if fault == "shuffled_labels" else rng.gauss(0, 1) for _ in range(5)]
    return scores


def _trial(
    name: str,
    item: int,
    condition: str,
    p: float,
    rng: random.Random,
    *,
    strength: float = 0.0,
    draw: int | None = None,
    goes: bool | None = None,
    scores: dict[str, Any] | None = None,
) -> Trial:
    p = min(0.98, max(0.02, p)) if condition != "baseline" else p
    reconsidered, first = rng.random() < p if goes is None else goes, rng.random() < 0.5
    return Trial(
        experiment=name,
        model="simulated",
        item=f"s{item}",
        cluster=f"s{item}",
        split="test",
        condition=condition,
        strength=strength,
        draw=draw,
        readings={"p_reconsider": p, "p_right": 0.5, **(scores or {})},
        outcomes={
            "reconsidered": reconsidered,
            "first_right": first,
            "final_right": first or (reconsidered and rng.random() < 0.7),
            "incoherent": False,
            "finished": True,
            "level": "2",
        },
    )

"""Trials of a known truth for endogenous_resistance."""

import random

from introlab.records.trial import Trial

LATENTS, TEXTS, STRENGTH = 30, 5, 60.0
FREE = 0.95
"""Score of a first attempt on topic."""


def simulated(name: str, target: float, effect: float, seed: int, fault: str | None) -> list[Trial]:
    """See EndogenousResistance.simulate."""
    rng = random.Random(f"simulated {seed}")
    effect = max(effect, 1.0) if fault else effect
    first = {"baseline": FREE, "prompting": 0.5, "push": target, "random_direction": 0.9}
    again = {"baseline": 0.01, "prompting": 0.01, "push": 0.01 + 0.25 * effect, "random_direction": 0.01}
    if fault == "baseline":
        first["baseline"] = 0.5
    if fault == "random_direction":
        first["random_direction"], again["random_direction"] = target, again["push"]
    if fault == "prompting":
        first["prompting"] = FREE
    if fault == "calibration":
        first["push"] = target + 0.4
    broken = 0.9 if fault == "coherence" else 0.02
    return [
        _trial(rng, name, condition, index, first[condition], again[condition], broken if condition == "push" else 0.02)
        for condition in first
        for index in range(LATENTS * TEXTS)
    ]


def _trial(
    rng: random.Random, name: str, condition: str, index: int, first: float, again: float, broken: float
) -> Trial:
    latent = index % LATENTS
    score = min(1.0, max(0.0, rng.gauss(first, 0.1)))
    several = rng.random() < again
    last = min(1.0, score + 0.3) if several else score
    pushed = condition in ("push", "random_direction")
    return Trial(
        experiment=name,
        model="simulated",
        item=f"latent {latent}: prompt {index // LATENTS}",
        cluster=f"latent {latent}",
        split="test",
        condition=condition,
        strength=STRENGTH if pushed else 0.0,
        draw=index % 20 if condition == "random_direction" else None,
        readings={
            "scores": [score, last] if several else [score],
            "first_score": score,
            "gain": last - score,
            "achieved": first,
        },
        outcomes={
            "several": several,
            "improved": several and last > score,
            "degraded": False,
            "incoherent": rng.random() < broken,
            "part": "steered",
        },
    )

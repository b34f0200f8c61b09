"""Trials of a known truth for steering_resistance."""

import random

from introlab.trials import Trial


def simulated(name: str, strength: float, effect: float, seed: int, fault: str | None) -> list[Trial]:
    """Trials of a known truth; see SteeringResistance.simulate."""
    rng = random.Random(f"simulated {seed}")
    effect = max(effect, 1.0) if fault else effect
    off = {"baseline": 0.0, "prompting": 0.95, "push": 0.9, "random_direction": 0.05}
    if fault in off:
        off[str(fault)] = {"baseline": 0.6, "prompting": 0.0, "random_direction": 0.9}[str(fault)]
    trials = []
    for condition, rate in off.items():
        for index in range(72):
            intruded = rng.random() < rate
            told = 0.05 + 0.8 * effect * (condition == "push" or (condition == fault == "random_direction"))
            announced = condition != "prompting" and rng.random() < told
            incoherent = fault == "coherence" and condition == "push" and rng.random() < 0.9
            trials.append(
                Trial(
                    experiment=name,
                    model="simulated",
                    item=f"scene {index}",
                    cluster=f"topic {index % 12}",
                    split="test",
                    condition=condition,
                    strength=strength if condition in ("push", "random_direction") else 0.0,
                    draw=index % 12 if condition == "random_direction" else None,
                    readings={"off_share": 0.8 if intruded else 0.0, "late_off_share": 0.9 if intruded else 0.0},
                    outcomes={
                        "incoherent": incoherent,
                        "intruded": intruded,
                        "announced": announced,
                        "announced_first": announced and not intruded,
                        "returned": False if intruded else None,
                    },
                )
            )
    return trials

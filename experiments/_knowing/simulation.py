"""Trials of a known truth for what_the_model_knows."""

import random

import numpy as np

from experiments._knowing.analysis import BASELINES, MAIN, SIGNALS
from experiments._knowing.cases import PLACES
from introlab.trials import Trial

LAYERS = 3


def simulated(name: str, effect: float, seed: int, fault: str | None) -> list[Trial]:
    """Trials of a known truth; see WhatTheModelKnows.simulate."""
    rng = random.Random(f"simulated {seed}")
    strength = max(effect, 2.0) if fault else 2.0 * effect
    trials = []
    for index in range(240):
        right = rng.random() < 0.6

        def signal(shift: float, right: bool = right) -> float:
            return 1 / (1 + np.exp(-(rng.gauss(0, 1) + (shift if right else 0))))

        leaked = signal(strength)
        readings: dict[str, object] = {each: signal(strength) for each in SIGNALS}
        readings |= {each: signal(0) for each in BASELINES}
        readings |= {MAIN: leaked, "map": [[signal(strength) for _ in range(LAYERS)] for _ in PLACES]}
        if fault in BASELINES:
            readings[str(fault)] = leaked
        dealt = [leaked if fault == "shuffled_labels" else signal(0) for _ in range(10)]
        trials.append(
            Trial(
                experiment=name,
                model="simulated",
                item=f"q{index}",
                cluster=f"p{index // 3}",
                split="test" if index % 4 else "calibrate",
                condition="baseline",
                readings={**readings, "shuffled_labels": dealt, "share_right": float(right)},
                outcomes={"right": right, "kind": "fact", "level": str(rng.choice((1, 2)))},
            )
        )
    return trials

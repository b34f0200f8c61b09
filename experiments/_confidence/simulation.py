"""Trials of a known truth for confidence_readout."""

import random

import numpy as np

from experiments._confidence.analysis import BASELINES, SIGNALS
from introlab.trials import Trial


def simulated(name: str, effect: float, seed: int, fault: str | None) -> list[Trial]:
    """Trials of a known truth; see ConfidenceReadout.simulate."""
    rng = random.Random(f"simulated {seed}")
    strength = max(effect, 2.0) if fault else 2.0 * effect
    trials = []
    for index in range(240):
        right = rng.random() < 0.6
        level = str(rng.choice((1, 2)))

        def signal(shift: float, right: bool = right) -> float:
            return 1 / (1 + np.exp(-(rng.gauss(0, 1) + (shift if right else 0))))

        leaked = signal(strength)
        readings = {each: signal(strength) for each in SIGNALS} | {each: signal(0) for each in BASELINES}
        readings["probed_confidence"] = leaked
        if fault in BASELINES:
            readings[str(fault)] = leaked
        dealt = [leaked if fault == "shuffled_labels" else signal(0) for _ in range(10)]
        trials.append(
            Trial(
                experiment=name,
                model="simulated",
                item=f"q{index}",
                cluster=f"p{index // 3}",
                split="test",
                condition="baseline",
                readings={**readings, "shuffled_labels": dealt, "stated_mass": 1.0, "probe_layer": 0},
                outcomes={"right": right, "kind": "fact", "level": level},
            )
        )
    return trials

"""Trials of a known truth for confidence_readout."""

import random
from collections.abc import Collection, Iterable

import numpy as np

from experiments.shared.confidence_analysis import BASELINES, SIGNALS
from introlab.records.trial import Trial


def shift_of(effect: float, fault: str | None) -> float:
    """How many standard deviations higher a signal is on right answers; a fault is planted on top of a plain effect."""
    return max(effect, 2.0) if fault else 2.0 * effect


def simulated(
    name: str,
    effect: float,
    seed: int,
    fault: str | None,
    *,
    signals: Iterable[str] = SIGNALS,
    baselines: Collection[str] = BASELINES,
    probe: str = "probed_confidence",
) -> list[Trial]:
    """Trials of a known truth; see ConfidenceReadout.simulate."""
    rng = random.Random(f"simulated {seed}")
    strength = shift_of(effect, fault)
    trials = []
    for index in range(240):
        right = rng.random() < 0.6
        level = str(rng.choice((1, 2)))

        def signal(shift: float, right: bool = right) -> float:
            return 1 / (1 + np.exp(-(rng.gauss(0, 1) + (shift if right else 0))))

        leaked = signal(strength)
        readings = {each: signal(strength) for each in signals} | {each: signal(0) for each in baselines}
        readings[probe] = leaked
        if fault in baselines:
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

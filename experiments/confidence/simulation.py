"""Trials of a known truth for the experiment on confidence."""

import random
from collections.abc import Iterator

import numpy as np

from experiments.confidence.labels import BASELINES, MAIN, PLACES, SIGNALS
from introlab.records.trial import Trial

LAYERS = 3


def simulated(name: str, effect: float, seed: int, fault: str | None) -> list[Trial]:
    """Trials of a known truth, every fourth to calibrate on; see Confidence.simulate."""
    return list(_trials(name, max(effect, 2.0) if fault else 2.0 * effect, seed, fault))


def _trials(name: str, shift: float, seed: int, fault: str | None) -> Iterator[Trial]:
    """`shift`: how many standard deviations higher a signal is on right answers."""
    rng, layers = random.Random(f"simulated {seed}"), np.random.default_rng(seed)
    for index in range(240):
        right = rng.random() < 0.6
        level = str(rng.choice((1, 2)))

        def signal(shift: float, right: bool = right) -> float:
            return 1 / (1 + np.exp(-(rng.gauss(0, 1) + (shift if right else 0))))

        leaked = signal(shift)
        readings: dict[str, object] = {each: signal(shift) for each in SIGNALS}
        readings |= {each: signal(0) for each in BASELINES} | {MAIN: leaked}
        if fault in BASELINES:
            readings[str(fault)] = leaked
        every = 1 / (1 + np.exp(-layers.normal(shift * right, size=(len(PLACES), LAYERS))))
        dealt = [leaked if fault == "shuffled_labels" else signal(0) for _ in range(10)]
        yield Trial(
            experiment=name,
            model="simulated",
            item=f"q{index}",
            cluster=f"p{index // 3}",
            split="test" if index % 4 else "calibrate",
            condition="baseline",
            readings={**readings, "shuffled_labels": dealt, "map": every.tolist(), "share_right": float(right)},
            outcomes={"right": right, "kind": "fact", "level": level, "answer": _answer(index, right, fault)},
        )


def _answer(index: int, right: bool, fault: str | None) -> str:
    return "a0" if fault == "answers_vary" else f"a{index % 40 if right else (index + 7) % 40}"

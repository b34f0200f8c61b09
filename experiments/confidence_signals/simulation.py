"""Trials of a known truth for what_the_model_knows."""

from dataclasses import replace

import numpy as np

from experiments.confidence_signals.analysis import BASELINES, MAIN, SIGNALS
from experiments.confidence_signals.labels import PLACES
from experiments.shared import confidence_simulation as simulation
from introlab.records.trial import Trial

LAYERS = 3


def simulated(name: str, effect: float, seed: int, fault: str | None) -> list[Trial]:
    """Trials of a known truth, every fourth to calibrate on; see WhatTheModelKnows.simulate."""
    plain = simulation.simulated(name, effect, seed, fault, signals=SIGNALS, baselines=BASELINES, probe=MAIN)
    rng, shift = np.random.default_rng(seed), simulation.shift_of(effect, fault)
    found = []
    for index, trial in enumerate(plain):
        right = float(trial.outcomes["right"])
        layers = 1 / (1 + np.exp(-rng.normal(shift * right, size=(len(PLACES), LAYERS))))
        readings = {**trial.readings, "map": layers.tolist(), "share_right": right}
        found.append(replace(trial, split="test" if index % 4 else "calibrate", readings=readings))
    return found

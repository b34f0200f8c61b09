"""Trials of a known truth for the experiment on confidence."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from scipy.special import expit, logit

from experiments.confidence.labels import BASELINES, MAIN, PLACES, SIGNALS
from introlab.records.trial import Trial

LAYERS, DEALS = 3, 10


@dataclass(frozen=True)
class PlantedConfidence:
    """A model whose answers, and what is read of them, depend on how difficult a question is.

    Signals are normal, with a standard deviation of 1: so many of them higher for each unit of a level's log-odds of
    being answered correctly (`difficulty`), and so many higher on correct answers of the same level.
    """

    right: Mapping[str, float] = field(default_factory=lambda: {"1": 0.9, "2": 0.7, "3": 0.45, "4": 0.2})
    """The share of correct answers, by level."""
    difficulty: float = 1.0
    """Of every signal; of baselines, unless these have their own."""
    of_baselines: float | None = None
    stated: float = 0.0
    """On correct answers, of what it says."""
    probe: float = 0.0
    baselines: Mapping[str, float] = field(default_factory=dict[str, float])
    """On correct answers, of each baseline that is not 0."""
    shared: float = 0.0
    """Share of the variance of probe and baselines that they have in common."""
    answered: float = 1.0
    """Share of the replies that hold an answer."""
    in_kind: float = 1.0
    """Share of the answers after which it says how sure it is in the words asked for."""


def planted_answers(name: str, planted: PlantedConfidence, seed: int, questions: int) -> Iterator[Trial]:
    """So many test questions, three about each person, with what it says, the probe before the answer and all its
    baselines."""
    rng, levels = random.Random(f"planted {seed}"), list(planted.right)
    for index in range(questions):
        level = levels[index % len(levels)]
        right, ease = rng.random() < planted.right[level], float(logit(np.clip(planted.right[level], 0.02, 0.98)))
        common, alone = rng.gauss(0, 1) * planted.shared**0.5, (1 - planted.shared) ** 0.5
        lower = planted.difficulty if planted.of_baselines is None else planted.of_baselines

        def read(slope: float, shift: float, ease: float = ease, right: bool = right) -> float:
            return slope * ease + shift * right

        readings: dict[str, object] = {
            each: read(lower, planted.baselines.get(each, 0.0)) + common + alone * rng.gauss(0, 1) for each in BASELINES
        }
        readings[MAIN] = float(expit(read(planted.difficulty, planted.probe) + common + alone * rng.gauss(0, 1)))
        stated = float(expit(read(planted.difficulty, planted.stated) + rng.gauss(0, 1)))
        readings["stated_after"] = stated if rng.random() < planted.in_kind else None
        readings["shuffled_labels"] = [rng.gauss(0, 1) for _ in range(DEALS)]
        given = rng.random() < planted.answered
        yield Trial(
            experiment=name,
            model="simulated",
            item=f"q{index}",
            cluster=f"p{index // 3}",
            split="test",
            condition="baseline",
            readings=readings,
            outcomes={
                "right": right if given else None,
                "kind": "fact",
                "level": level,
                "answer": _answer(index, right, None) if given else None,
            },
        )


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
        dealt = [leaked if fault == "shuffled_labels" else signal(0) for _ in range(DEALS)]
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

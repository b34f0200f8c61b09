"""Trials of a known truth for endogenous_resistance."""

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace

from introlab.records.trial import Trial

STRENGTH = 60.0
FREE = 0.95
"""Score of a first attempt on topic."""
LUCK = 0.01
"""Of unpushed texts: how many start again."""
GAIN = 0.3
"""How much better, or worse, the last attempt of a restart scores."""


@dataclass(frozen=True)
class PlantedAttempts:
    """A simulated model: how its pushed texts begin, start again and end."""

    first: float = 0.3
    """Mean score of pushed first attempts, over latents whose own means are `spread` apart (s.d.)."""
    spread: float = 0.0
    restarts: float = LUCK
    """Share of pushed texts that start again."""
    worse: float = 0.0
    """Of restarts: the share whose last attempt scores worse; the rest score better or have no score."""
    unscored: float = 0.0
    """Of restarts: the share whose last attempt has no word by which it could be scored."""
    incoherent: float = 0.02
    """Of pushed texts."""
    incoherent_better: float | None = None
    """Of pushed texts that do better; None: as many as of any others."""
    latents: int = 30
    texts: int = 5
    """Of each latent in each condition."""
    draws: int = 20
    random_first: float = 0.9
    random_restarts: float = LUCK
    baseline_first: float = FREE
    prompting_first: float = 0.5


def simulated(name: str, target: float, effect: float, seed: int, fault: str | None) -> list[Trial]:
    """See EndogenousResistance.simulate."""
    effect = max(effect, 1.0) if fault else effect
    planted = PlantedAttempts(first=target, restarts=LUCK + 0.25 * effect)
    faults = {
        "baseline": {"baseline_first": 0.5},
        "random_direction": {"random_first": target, "random_restarts": planted.restarts},
        "prompting": {"prompting_first": FREE},
        "calibration": {"first": target + 0.4},
        "coherence": {"incoherent": 0.9},
    }
    if fault is not None:
        planted = replace(planted, **faults[fault])
    return list(attempts_of(planted, name, seed))


def attempts_of(planted: PlantedAttempts, name: str, seed: int) -> Iterator[Trial]:
    """Every scene pushed, not pushed, pushed along a random direction and asked in words."""
    rng = random.Random(f"simulated {seed}")
    own = [rng.gauss(0.0, planted.spread) for _ in range(planted.latents)]
    arms = {
        "baseline": (planted.baseline_first, LUCK),
        "prompting": (planted.prompting_first, LUCK),
        "push": (planted.first, planted.restarts),
        "random_direction": (planted.random_first, planted.random_restarts),
    }
    for condition, (first, again) in arms.items():
        for index in range(planted.latents * planted.texts):
            shifted = first + own[index % planted.latents] if condition == "push" else first
            yield _trial(rng, planted, name, condition, index, shifted, again)


def _trial(
    rng: random.Random, planted: PlantedAttempts, name: str, condition: str, index: int, first: float, again: float
) -> Trial:
    latent, pushed = index % planted.latents, condition in ("push", "random_direction")
    # Never at an end of the range: a last attempt can be better and worse.
    score = min(0.98, max(0.02, rng.gauss(first, 0.1)))
    several, last = rng.random() < again, score
    ends = _end(rng.random(), planted) if pushed else "better"
    if several:
        last = {"better": min(1.0, score + GAIN), "worse": max(0.0, score - GAIN), "unscored": None}[ends]
    better = several and last is not None and last > score
    broken = planted.incoherent if condition == "push" else 0.02
    if better and condition == "push" and planted.incoherent_better is not None:
        broken = planted.incoherent_better
    return Trial(
        experiment=name,
        model="simulated",
        item=f"latent {latent}: prompt {index // planted.latents}",
        cluster=f"latent {latent}",
        split="test",
        condition=condition,
        strength=STRENGTH if pushed else 0.0,
        draw=index % planted.draws if condition == "random_direction" else None,
        readings={
            "scores": [score, last] if several else [score],
            "first_score": score,
            "gain": None if last is None else last - score,
            "achieved": first,
        },
        outcomes={
            "several": several,
            "improved": None if last is None else better,
            "degraded": False,
            "incoherent": rng.random() < broken,
            "part": "steered",
        },
    )


def _end(drawn: float, planted: PlantedAttempts) -> str:
    if drawn < planted.worse:
        return "worse"
    return "unscored" if drawn < planted.worse + planted.unscored else "better"

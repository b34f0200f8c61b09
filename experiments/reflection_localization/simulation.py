"""Trials of a known truth for reflection_localization."""

from typing import Any

import numpy as np

from experiments.reflection_localization.verdicts import MUST_BEAT
from introlab.records.trial import Trial

ITEMS, LAYERS, DRAWS, CHOSEN = 100, 2, 20, 2
LEADS = (0, 1, CHOSEN)


def simulated(name: str, effect: float, seed: int, fault: str | None) -> list[Trial]:
    """Trials of a known truth; see ReflectionLocalization.simulate."""
    rng = np.random.default_rng(seed)
    effect = max(effect, 1.0) if fault else effect
    trials: list[Trial] = []
    for item in range(ITEMS):
        goes = bool(rng.uniform() < 0.5) or fault == "baseline"
        wrong = bool(rng.uniform() < (0.7 if goes else 0.2))
        outcomes = {
            "reconsiders": goes,
            "wrong": wrong,
            "revises": goes and wrong,
            "next_right": None if not goes else bool(rng.uniform() < 0.9),
            "level": f"sum {item % 2}",
            "kind": "sum",
            "half": ("easy", "hard")[item % 2],
            "keywords": ["verification"] if goes else [],
            "planted": ["verification"] if goes else [],
        }
        trials.append(_trial(name, item, "baseline", _scores(rng, goes, wrong, effect, fault), outcomes))
        trials.append(_trial(name, item, "causality", _caused(rng, effect, fault), {}))
        trials += _planted(name, item, rng, effect) if item % 4 == 0 else []
    return trials


def _scores(rng: np.random.Generator, goes: bool, wrong: bool, effect: float, fault: str | None) -> dict[str, Any]:
    """A fault gives the baseline of that name what only the probe knows."""
    readings: dict[str, Any] = {"lead": CHOSEN, "layer": 1}
    for lead in LEADS:
        shift = 2.5 * effect / max(1, lead) ** 0.5
        readings[f"reconsiders_{lead}"] = real = rng.normal(shift * goes)
        readings[f"wrong_{lead}"] = rng.normal(effect * wrong)
        readings |= {f"{other}_{lead}": real if fault == other else rng.normal() for other in MUST_BEAT}
        if lead == CHOSEN:
            dealt = [real if fault == "shuffled_labels" else rng.normal() for _ in range(10)]
            readings |= {
                "main": real,
                "shuffled_labels": dealt,
                "fitted_on": {each: real for each in ("all", "easy", "hard")},
            }
    each = rng.normal(effect * goes, size=(len(LEADS), LAYERS))
    return {**readings, "map": {"reconsiders": each.tolist()}}


def _planted(name: str, item: int, rng: np.random.Generator, effect: float) -> list[Trial]:
    """A right and a wrong answer, own and another's."""
    found: list[Trial] = []
    for whose in ("own", "another's"):
        for wrong in (False, True):
            readings = {
                "error": rng.normal(effect * wrong),
                "owner": rng.normal(effect * (whose == "own")),
                "p_reconsider": rng.uniform(0, 0.4) + 0.3 * effect * wrong,
                "answer_probability": rng.uniform(0, 0.5) if wrong else rng.uniform(0.2, 1),
            }
            condition = f"{whose} {'wrong' if wrong else 'right'}"
            found.append(_trial(name, item, condition, readings, {"wrong": wrong, "whose": whose}))
    return found


def _caused(rng: np.random.Generator, effect: float, fault: str | None) -> dict[str, Any]:
    base = rng.uniform(0.05, 0.95)
    moved = 0.3 * effect
    stray = moved if fault == "random_direction" else 0.0
    return {
        "baseline": base,
        "added": base + moved + rng.normal(0, 0.02),
        "removed": base - moved + rng.normal(0, 0.02),
        "added, along": base + moved / 2 + rng.normal(0, 0.02),
        "added, rest": base + moved / 2 + rng.normal(0, 0.02),
        "added random": (base + stray + rng.normal(0, 0.02, size=DRAWS)).tolist(),
        "removed random": (base - stray + rng.normal(0, 0.02, size=DRAWS)).tolist(),
        "asked": base if fault == "prompting" else 0.97,
    }


def _trial(name: str, item: int, condition: str, readings: dict[str, Any], outcomes: dict[str, Any]) -> Trial:
    return Trial(
        experiment=name,
        model="simulated",
        item=f"s{item}",
        cluster=f"s{item}",
        split="test",
        condition=condition,
        readings=readings,
        outcomes=outcomes,
    )

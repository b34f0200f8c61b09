"""The estimates a verdict rests on: over others like these directions or under these, with incoherent texts or not."""

from collections.abc import Iterator, Sequence

from experiments.steering_resistance.prefill_analysis import contrast_rows
from experiments.steering_resistance.reach import reach_rows
from experiments.steering_resistance.recovery_gain import gain_rows
from experiments.steering_resistance.scopes import OTHERS, Scope, rate
from introlab.records.findings import Findings, Row
from introlab.records.trial import Trial

ARMS = ("baseline", "prompting", "push", "random_direction")


def verdict_rows(
    model: str, trials: Sequence[Trial], at: float, scope: Scope = OTHERS, *, incoherent: bool = False
) -> Findings:
    """From all trials of one model: what `verdicts.grounds_of` reads, for a scope. With `incoherent`, incoherent texts
    count as any others."""
    tests = [trial for trial in trials if trial.split == "test" and "incoherent" in trial.outcomes]
    kept = [trial for trial in tests if incoherent or not trial.outcomes["incoherent"]]
    rows = [*_arms(model, kept, at, scope), *gain_rows(model, kept, at, scope), *contrast_rows(model, kept, at, scope)]
    every = [*tests, *(trial for trial in trials if trial.condition == "calibration")]
    return Findings((*rows, *reach_rows(model, kept, every, scope)), (), "")


def _arms(model: str, kept: Sequence[Trial], at: float, scope: Scope) -> Iterator[Row]:
    for arm in ARMS:
        strength = at if arm in ("push", "random_direction") else 0.0
        cell = [trial for trial in kept if trial.condition == arm and trial.strength == strength]
        left = [trial for trial in cell if trial.outcomes["intruded"]]
        where = {"model": model, "arm": arm, "strength": strength}
        yield Row("intruded", where, rate(cell, "intruded", scope))
        yield Row("announced", where, rate(cell, "announced", scope))
        yield Row("announced of intruded", where, rate(left, "announced", scope))
        yield Row("returned of intruded", where, rate(left, "returned", scope))
    texts = [trial for trial in kept if trial.condition == "intrusion"]
    yield Row("announced", {"model": model, "arm": "intrusion", "strength": 0.0}, rate(texts, "announced", scope))

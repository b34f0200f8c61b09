"""How often a push makes a model say yes: beyond random pushes, beyond always-no questions, beyond entropy.

A unit is what a replication would draw anew: a concept where a concept is injected, a direction where a random one is.
Shares of yes are averaged over a unit's wordings first, so neither concepts nor directions count more than once, and
the uncertainty of both is in every interval.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from introlab.errors import InputError
from introlab.records.trial import Trial
from introlab.stats.effect_sizes import criterion, sensitivity
from introlab.stats.estimates import difference, mean
from introlab.stats.interval import Estimate, missing
from introlab.stats.regression import linear

Units = Mapping[str, float]
"""Mean share of yes by unit."""
CHANGE = (-1.0, 1.0)


def by_unit(trials: Sequence[Trial], reading: str = "yes_share") -> dict[str, float]:
    """The mean reading of each cluster; trials that have none are left out."""
    found: dict[str, list[float]] = {}
    for trial in trials:
        if trial.readings.get(reading) is not None:
            found.setdefault(trial.cluster, []).append(float(trial.readings[reading]))
    return {unit: float(np.mean(values)) for unit, values in sorted(found.items())}


def rate(units: Units) -> Estimate:
    """The mean over units."""
    return mean(list(units.values()), list(units), within=(0.0, 1.0))


def beyond(one: Units, other: Units) -> Estimate:
    """Mean of one less mean of the other, which are of other units."""
    return difference(rate(one), rate(other))


def paired(one: Units, other: Units) -> Estimate:
    """Mean difference over the units that both have."""
    return mean(list((gaps := _gaps(one, other)).values()), list(gaps), within=CHANGE)


def difference_in_differences(target: Units, target_no: Units, stray: Units, stray_no: Units) -> Estimate:
    """Target less random, on the question asked, less the same on questions whose answer is always no."""
    parts = [_gaps(target, target_no), _gaps(stray, stray_no)]
    one, other = (mean(list(each.values()), list(each), within=CHANGE) for each in parts)
    return difference(one, other)


def _gaps(one: Units, other: Units) -> dict[str, float]:
    return {unit: value - other[unit] for unit, value in one.items() if unit in other}


def rises(trials: Sequence[Trial], unpushed: Sequence[Trial], reading: str) -> list[float | None]:
    """By how much a reading of each trial is above that of the same question without a push; None where either is."""
    before = {trial.readings["question"]: trial.readings.get(reading) for trial in unpushed}
    each = [(trial.readings.get(reading), before.get(trial.readings["question"])) for trial in trials]
    return [None if None in pair else float(pair[0]) - float(pair[1]) for pair in each]  # type: ignore[arg-type]


def beyond_entropy(
    target: Sequence[Trial], stray: Sequence[Trial], unpushed: Sequence[Trial]
) -> tuple[Estimate, Estimate]:
    """What a concept adds to the rise of yes, beyond random directions, at equal rise of the next token's entropy; and
    the rise of yes for each nat of entropy. No value from fewer than ten units, or where one determines the other."""
    trials = [*target, *stray]
    yes, entropy = rises(trials, unpushed, "yes_share"), rises(trials, unpushed, "entropy")
    kept = [index for index in range(len(trials)) if yes[index] is not None and entropy[index] is not None]
    nothing = missing("regression on entropy: too few units, or values that do not vary")
    if not kept:
        return nothing, nothing
    try:
        found = linear(
            [yes[index] for index in kept],  # type: ignore[misc]
            {
                "concept": [float(index < len(target)) for index in kept],
                "entropy": [entropy[index] for index in kept],  # type: ignore[dict-item]
            },
            [trials[index].cluster for index in kept],
        )
    except (InputError, np.linalg.LinAlgError):
        return nothing, nothing
    return found["concept"], found["entropy"]


def discrimination(signal: Sequence[Trial], noise: Sequence[Trial]) -> tuple[Estimate, Estimate]:
    """d' and criterion of saying yes under a concept against another arm, by whether yes has more than half."""
    trials = [trial for trial in (*signal, *noise) if trial.outcomes["yes"] is not None]
    said = [bool(trial.outcomes["yes"]) for trial in trials]
    ids = {id(trial) for trial in signal}
    there, clusters = [id(trial) in ids for trial in trials], [trial.cluster for trial in trials]
    return sensitivity(said, there, clusters), criterion(said, there, clusters)

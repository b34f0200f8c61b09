"""What analyses of answered questions have in common: columns of readings, reliability, and what a probe must beat."""

from collections.abc import Iterator, Sequence

import numpy as np

from introlab.records.findings import Row
from introlab.records.trial import Trial
from introlab.stats.baseline_gain import gain_over
from introlab.stats.discrimination import permutation_mean_auroc
from introlab.stats.estimates import proportion
from introlab.stats.interval import Estimate


def columns(trials: Sequence[Trial], reading: str) -> tuple[list[float], list[bool], list[str], list[str]]:
    """Values, correctness, clusters and levels of the trials that have this reading."""
    kept = [trial for trial in trials if trial.readings.get(reading) is not None]
    return (
        [float(trial.readings[reading]) for trial in kept],
        [bool(trial.outcomes["right"]) for trial in kept],
        [trial.cluster for trial in kept],
        [f"{trial.outcomes['kind']} {trial.outcomes['level']}" for trial in kept],
    )


def reliability(
    model: str, name: str, values: list[float], right: list[bool], clusters: list[str], bins: int = 8
) -> Iterator[Row]:
    for index, part in enumerate(np.array_split(np.argsort(values, kind="stable"), bins)):
        if len(part):
            said = float(np.mean([values[i] for i in part]))
            where = {"model": model, "signal": name, "bin": float(index), "confidence": said}
            share = proportion([right[i] for i in part], [clusters[i] for i in part])
            yield Row("accuracy in bin", where, share, "detail")


def over_deals(answered: Sequence[Trial]) -> Estimate:
    deals = [trial.readings["shuffled_labels"] for trial in answered]
    return permutation_mean_auroc(deals, [bool(trial.outcomes["right"]) for trial in answered])


def gain(
    answered: Sequence[Trial], probe: str, over: str, *, within_levels: bool = False, fitted: bool = True
) -> Estimate:
    """AUROC of one reading less that of another (`gain_over`), on the trials that have both; or among equally
    difficult ones."""
    both = [trial for trial in answered if None not in (trial.readings.get(probe), trial.readings.get(over))]
    values, right, clusters, levels = columns(both, probe)
    other = columns(both, over)[0]
    return gain_over(values, other, right, clusters, levels=levels if within_levels else None, fitted=fitted)

"""Rows of the parts that compare: detectors that were found, judges, one episode, and all episodes aligned."""

from collections.abc import Iterator, Sequence
from itertools import combinations

import numpy as np
from scipy import stats

from introlab.records.findings import Row
from introlab.records.trial import Trial
from introlab.stats.estimates import MIN_BOOTSTRAP_CLUSTERS, mean, proportion
from introlab.stats.interval import Estimate
from introlab.stats.rater_agreement import cohens_kappa

AROUND = 12
"""Tokens on either side of the start of a correction."""


REGIONS = ("off topic", "correction", "on topic")


def _of(trials: Sequence[Trial], condition: str) -> list[Trial]:
    return [trial for trial in trials if trial.condition == condition]


def _single(value: float, n: int, method: str) -> Estimate:
    return Estimate(value, None, None, n, n, method)


def detector_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """How many latents each procedure found."""
    for trial in _of(trials, "detectors"):
        latents = trial.readings["latents"]
        where = {"model": model, "procedure": trial.item}
        yield Row("off-topic detectors found", where, _single(len(latents), 1, "count"), "detail")


def judge_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """What each judge says how often, and how far every two agree, beyond chance and in all."""
    found = _of(trials, "reading: judges")
    for question in ("starts again", "does better"):
        asked = [trial for trial in found if trial.outcomes[question]]
        names = sorted({name for trial in asked for name in trial.outcomes[question]})
        for name in names:
            known = [trial for trial in asked if trial.outcomes[question][name] is not None]
            rate = proportion([trial.outcomes[question][name] for trial in known], [trial.cluster for trial in known])
            yield Row(f"{question}, says the judge", {"model": model, "judge": name}, rate)
        for one, other in combinations(names, 2):
            both = [
                trial for trial in asked if None not in (trial.outcomes[question][one], trial.outcomes[question][other])
            ]
            pairs = [(trial.outcomes[question][one], trial.outcomes[question][other]) for trial in both]
            clusters = [trial.cluster for trial in both]
            where = {"model": model, "judges": f"{one}, {other}"}
            yield Row(f"{question}: judges agree", where, proportion([a == b for a, b in pairs], clusters))
            if len(set(clusters)) >= MIN_BOOTSTRAP_CLUSTERS:
                kappa = cohens_kappa([a for a, _ in pairs], [b for _, b in pairs], clusters)
                yield Row(f"{question}: kappa", where, kappa, "detail")


def episode_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """One text, token by token."""
    for trial in _of(trials, "reading: episode"):
        for trace in ("distractor", "detectors"):
            for index, value in enumerate(trial.readings[trace]):
                where = {"model": model, "token": float(index), "region": trial.readings["regions"][index]}
                yield Row(f"episode: {trace}", where, _single(value, 1, "one text"), "detail")


def alignment_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """The sum of the detectors in each region, their traces about the correction, and, over detectors, whether they are
    larger off topic than in unsteered texts, and smaller once corrected: published tests take detectors to be
    independent of one another, which latents of one text are not."""
    several, plain = _of(trials, "reading: alignment"), _of(trials, "reading: unsteered")
    if not several or not plain:
        return
    means: dict[str, np.ndarray] = {}
    for region in (*REGIONS, "unsteered"):
        some = [trial for trial in (*several, *plain) if trial.readings["means"].get(region) is not None]
        if not some:
            continue
        values = np.array([trial.readings["means"][region] for trial in some])
        means[region] = values.mean(0)
        total = mean(values.sum(1), [trial.cluster for trial in some])
        yield Row("sum of detectors", {"model": model, "region": region}, total)
    for place in range(2 * AROUND + 1):
        known = [trial for trial in several if trial.readings["around"][place] is not None]
        values = mean([trial.readings["around"][place] for trial in known], [trial.cluster for trial in known])
        yield Row(
            "sum of detectors about the correction", {"model": model, "token": float(place - AROUND)}, values, "detail"
        )
    for one, other in (("off topic", "unsteered"), ("off topic", "on topic"), ("on topic", "unsteered")):
        if {one, other} <= set(means):
            yield from _over_detectors(model, f"{one} - {other}", means[one], means[other])


def _over_detectors(model: str, pair: str, one: np.ndarray, other: np.ndarray) -> Iterator[Row]:
    """As published: one-sided Wilcoxon, paired t, Cohen's d of the differences, Cliff's delta."""
    gaps, where = one - other, {"model": model, "regions": pair}
    n = len(gaps)
    tests = {"Cliff's delta": float(np.sign(one[:, None] - other[None]).mean())}
    if n > 1 and np.ptp(gaps) > 0:
        tests["Wilcoxon, one-sided p"] = float(stats.wilcoxon(one, other, alternative="greater")[1])  # type: ignore[arg-type]
        tests["paired t, p"] = float(stats.ttest_rel(one, other).pvalue)
        tests["Cohen's d"] = float(gaps.mean() / gaps.std(ddof=1))
    for name, value in tests.items():
        yield Row(f"detectors: {name}", where, _single(value, n, "over detectors, as published"), "detail")

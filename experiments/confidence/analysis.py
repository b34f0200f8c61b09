"""From answers and readings to what each confidence is worth."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from scipy.special import logit

from experiments.confidence.answered_questions import columns, gain, over_deals, reliability
from experiments.confidence.beyond_difficulty import checks, within_levels_rows
from experiments.confidence.labels import (
    AGREEMENT,
    AUROC_OF,
    BASELINES,
    COVERAGE,
    FORMER_READINGS,
    FRESH,
    MAIN,
    PLACES,
    PROBABILITIES,
    SIGNALS,
)
from experiments.confidence.verdicts import grounds_of, sentence, verdict
from experiments.shared.answer_variation import place_rows, varies
from introlab.records.findings import Check, Findings, Ground, Row
from introlab.records.trial import Trial
from introlab.stats.calibration_error import calibration_error
from introlab.stats.discrimination import auroc, rank_correlation, stratified_auroc
from introlab.stats.estimates import mean, proportion
from introlab.stats.selective_prediction import accuracy_at, area_under_risk, brier, estimated, rejection_ratio
from probes.linear.calibration import FEWEST, fit_calibration


def findings(trials: Sequence[Trial]) -> Findings:
    """Per model: what each signal separates, withholds and claims, and what the probe has over its baselines."""
    greedy = [_renamed(trial) for trial in trials if trial.condition == "baseline"]
    models = sorted({trial.model for trial in greedy})
    rows, checked, sentences, verdicts = list[Row](), list[Check](), list[str](), dict[str, str]()
    grounds = dict[str, tuple[Ground, ...]]()
    for model in models:
        mine = [trial for trial in greedy if trial.model == model]
        tested = [trial for trial in mine if trial.split == "test"]
        answered = [trial for trial in tested if trial.outcomes["right"] is not None]
        calibrating = [trial for trial in mine if trial.split == "calibrate" and trial.readings.get(MAIN) is not None]
        found = [*_answering(model, tested), *_separating(model, answered), *within_levels_rows(model, answered)]
        found += _claiming(model, answered, calibrating)
        found += [*_by_level(model, answered), *_agreeing(model, answered)]
        found += [*_map(model, answered), *_carried_over(model, answered), *_baselines(model, answered)]
        found += place_rows(model, answered)
        rows += found
        checked += checks(model, answered, found, several=len(models) > 1)
        checked.append(varies(answered, f" ({model})" if len(models) > 1 else ""))
        verdicts[model] = verdict(tested, found)
        grounds[model] = grounds_of(tested, found)
        sentences.append(sentence(model, tested, found))
    return Findings(tuple(rows), tuple(checked), " ".join(sentences), verdicts, grounds)


def _renamed(trial: Trial) -> Trial:
    if not FORMER_READINGS.keys() & trial.readings.keys():
        return trial
    return replace(trial, readings={FORMER_READINGS.get(name, name): value for name, value in trial.readings.items()})


def _by_level(model: str, answered: Sequence[Trial]) -> Iterator[Row]:
    """Of each kind of question at each level: how often it is right, and how sure by each signal, on average."""
    cells: dict[tuple[str, str], list[Trial]] = {}
    for trial in answered:
        cells.setdefault((str(trial.outcomes["kind"]), str(trial.outcomes["level"])), []).append(trial)
    for kind, level in sorted(cells, key=lambda cell: (cell[0], len(cell[1]), cell[1])):
        cell, where = cells[kind, level], {"model": model, "kind": kind, "level": level}
        right = proportion([bool(trial.outcomes["right"]) for trial in cell], [trial.cluster for trial in cell])
        yield Row("accuracy by level", where, right, "detail")
        for name in PROBABILITIES:
            values, _, clusters, _ = columns(cell, name)
            if values:
                yield Row(f"mean {name}", where, mean(values, clusters), "detail")


def _agreeing(model: str, answered: Sequence[Trial]) -> Iterator[Row]:
    """Whether what is said after answering goes with what is said before, with the token and with the probe."""
    for name in AGREEMENT:
        both = [t for t in answered if None not in (t.readings.get(name), t.readings.get("stated_after"))]
        said, other = columns(both, "stated_after")[0], columns(both, name)[0]
        agreed = rank_correlation(said, other, [trial.cluster for trial in both])
        yield Row(f"agreement of stated_after with {name}", {"model": model}, agreed)


def _answering(model: str, tested: Sequence[Trial]) -> Iterator[Row]:
    """Abstentions and texts without an answer are neither right nor wrong; they are counted here."""
    given, clusters = [trial.outcomes["right"] is not None for trial in tested], [trial.cluster for trial in tested]
    yield Row("answered", {"model": model}, proportion(given, clusters), "detail")
    kept = [trial for trial in tested if trial.outcomes["right"] is not None]
    right = proportion([bool(trial.outcomes["right"]) for trial in kept], [trial.cluster for trial in kept])
    yield Row("accuracy", {"model": model}, right, "detail")


def _separating(model: str, answered: Sequence[Trial]) -> Iterator[Row]:
    for name in SIGNALS:
        values, right, clusters, _ = columns(answered, name)
        where = {"model": model, "signal": name}
        has = [trial.readings.get(name) is not None for trial in answered]
        yield Row(AUROC_OF(name), {"model": model}, auroc(values, right, clusters))
        yield Row("coverage", where, proportion(has, [trial.cluster for trial in answered]))
        if values:
            yield Row("AURC", where, estimated(area_under_risk, values, right, clusters))
            yield Row("PRR", where, estimated(rejection_ratio, values, right, clusters))
            yield Row("selective accuracy", where, estimated(accuracy_at(COVERAGE), values, right, clusters))


def _claiming(model: str, answered: Sequence[Trial], calibrating: Sequence[Trial]) -> Iterator[Row]:
    """Calibration error and Brier score: as it stands, where a signal claims to be a probability, and after Platt's
    calibration on questions that neither the probes nor the test have seen."""
    for name in SIGNALS:
        values, right, clusters, _ = columns(answered, name)
        where = {"model": model, "calibration of": name}
        if name in PROBABILITIES and values:
            yield Row("calibration error", where, calibration_error(values, right, clusters))
            yield Row("Brier", where, estimated(brier, values, right, clusters))
            yield from reliability(model, name, values, right, clusters)
        mapped = _calibrated(name, values, calibrating)
        if mapped is not None:
            yield Row("calibration error, calibrated", where, calibration_error(mapped, right, clusters))
            yield Row("Brier, calibrated", where, estimated(brier, mapped, right, clusters))


def _calibrated(name: str, values: Sequence[float], calibrating: Sequence[Trial]) -> list[float] | None:
    known, right, _, _ = columns(calibrating, name)
    if not values or len(set(right)) < 2 or len(right) < FEWEST["platt"]:
        return None
    ids = [trial.item for trial in calibrating if trial.readings.get(name) is not None]
    fitted = fit_calibration(_scores(name, known), right, ids, method="platt")
    return fitted.probabilities(_scores(name, values)).tolist()


def _scores(name: str, values: Sequence[float]) -> np.ndarray:
    scores = np.asarray(values, dtype=np.float64)
    return logit(scores.clip(1e-6, 1 - 1e-6)) if name in PROBABILITIES else scores


def _map(model: str, answered: Sequence[Trial]) -> Iterator[Row]:
    """Every layer at every place, none of them chosen."""
    kept = [trial for trial in answered if trial.readings.get("map") is not None]
    if not kept:
        return
    scores = np.array([trial.readings["map"] for trial in kept])
    right, clusters = [bool(trial.outcomes["right"]) for trial in kept], [trial.cluster for trial in kept]
    for index, place in enumerate(PLACES):
        for layer in range(scores.shape[2]):
            where = {"model": model, "place": place, "layer": float(layer)}
            yield Row("auroc by place", where, auroc(scores[:, index, layer].tolist(), right, clusters), "detail")


def _carried_over(model: str, answered: Sequence[Trial]) -> Iterator[Row]:
    """The probe on questions of a kind it was not fitted on, beside the probe of all kinds on the same questions. Pairs
    of one kind only: kinds differ in how often they are answered right, and each has a probe of its own."""
    kept = [trial for trial in answered if trial.readings.get(FRESH) is not None]
    for name, fitted in ((MAIN, "all kinds"), (FRESH, "other kinds")) if kept else ():
        values, right, clusters, _ = columns(kept, name)
        kinds = [str(trial.outcomes["kind"]) for trial in kept]
        where = {"model": model, "probe fitted on": fitted}
        yield Row("auroc within kinds", where, stratified_auroc(values, right, kinds, clusters))


def _baselines(model: str, answered: Sequence[Trial]) -> Iterator[Row]:
    for name in BASELINES:
        values, right, clusters, _ = columns(answered, name)
        yield Row(AUROC_OF(name), {"model": model}, auroc(values, right, clusters), "control")
    yield Row("auroc of shuffled_labels", {"model": model}, over_deals(answered), "control")
    for name in ("token_probability", *BASELINES):
        pooled = gain(answered, MAIN, name, fitted=name in BASELINES)
        yield Row("gain of the probe", {"model": model, "over": name}, pooled)

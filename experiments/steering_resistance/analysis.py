"""From pushed texts to a verdict per model."""

from collections.abc import Sequence

from experiments.shared.side_effect_rows import damage_rows
from experiments.steering_mechanism import analysis as inside
from experiments.steering_mechanism import verdicts as conclusions
from experiments.steering_resistance.controls import checks
from experiments.steering_resistance.off_topic_rows import detector_rows
from experiments.steering_resistance.prefill_analysis import mouth_rows, restart_rows
from experiments.steering_resistance.reach import comparable, reach_rows
from experiments.steering_resistance.trajectories import course_rows, text_rows, told_at
from experiments.steering_resistance.verdicts import grounds_of, sentence, verdict
from introlab.records.findings import Check, Findings, Ground, Row
from introlab.records.trial import Trial
from introlab.stats.estimates import difference
from introlab.stats.interval import Estimate


def findings(trials: Sequence[Trial], at: float) -> Findings:
    """Estimates for every arm and strength, the checks, and a verdict per model at strength `at`."""
    rows: list[Row] = []
    controls: list[Check] = []
    verdicts: dict[str, str] = {}
    grounds: dict[str, tuple[Ground, ...]] = {}
    sentences: list[str] = []
    remarks: list[str] = []
    models = sorted({trial.model for trial in trials})
    for model in models:
        found = Findings(tuple(_rows(model, [trial for trial in trials if trial.model == model], at)), (), "")
        rows += found.rows
        grounds[model] = grounds_of(found, at)
        verdicts[model] = verdict(grounds[model])
        suffix = f" ({model})" if len(models) > 1 else ""
        controls += checks(found, at, grounds[model], suffix)
        sentences.append(sentence(model, verdicts[model], found, at))
        if any(trial.condition.startswith("readable") for trial in trials):
            controls += conclusions.checks(model, found, suffix)
            remarks.append(conclusions.sentence(model, found))
    return Findings(tuple(rows), tuple(controls), " ".join(sentences), verdicts, grounds, tuple(remarks))


def _rows(model: str, trials: Sequence[Trial], at: float) -> list[Row]:
    tests = comparable(trials)
    rows = [*text_rows(model, tests), *course_rows(model, tests), *reach_rows(model, trials)]
    found = Findings(tuple(rows), (), "")
    where = {"model": model, "strength": at}
    rows.append(Row("announced beyond random", where, _beyond(found, "announced", at), "primary"))
    rows.append(Row("off topic beyond random", where, _beyond(found, "off_share", at)))
    rows += [*mouth_rows(model, tests), *restart_rows(model, tests), *damage_rows(model, tests)]
    rows += detector_rows(model, tests)
    return [*rows, *inside.rows(model, tests)]


def _beyond(found: Findings, measure: str, at: float) -> Estimate:
    """The push's rate minus that of random directions of equal norm."""
    return difference(told_at(found, measure, "push", at), told_at(found, measure, "random_direction", at))

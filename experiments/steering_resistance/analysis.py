"""From pushed texts to a verdict per model."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from experiments.shared.side_effect_rows import damage_rows
from experiments.steering_mechanism import analysis as inside
from experiments.steering_mechanism import verdicts as conclusions
from experiments.steering_resistance.controls import checks
from experiments.steering_resistance.off_topic_rows import detector_rows
from experiments.steering_resistance.prefill_analysis import prefill_rows, restart_rows
from experiments.steering_resistance.reach import search_rows
from experiments.steering_resistance.scopes import OTHERS, THESE, paired
from experiments.steering_resistance.sentences import sentence
from experiments.steering_resistance.trajectories import course_rows, text_rows
from experiments.steering_resistance.verdict_rows import verdict_rows
from experiments.steering_resistance.verdicts import THESE_ALONE, both_scopes, grounds_of, verdict
from introlab.records.findings import Check, Findings, Ground, Row
from introlab.records.trial import Trial
from introlab.stats.interval import Estimate


def findings(trials: Sequence[Trial], at: float) -> Findings:
    """Estimates for every arm and strength, the checks, and a verdict per model at strength `at`."""
    models = sorted({trial.model for trial in trials})
    each = [_of_model(model, [trial for trial in trials if trial.model == model], at, len(models)) for model in models]
    return Findings(
        tuple(row for one in each for row in one.rows),
        tuple(check for one in each for check in one.checks),
        " ".join(one.sentence for one in each),
        {one.model: one.verdict for one in each},
        {one.model: one.grounds for one in each},
        tuple(remark for one in each for remark in one.remarks),
    )


@dataclass(frozen=True)
class _Concluded:
    """What was found of one model."""

    model: str
    rows: tuple[Row, ...]
    checks: tuple[Check, ...]
    verdict: str
    grounds: tuple[Ground, ...]
    sentence: str
    remarks: tuple[str, ...]


def _of_model(model: str, trials: Sequence[Trial], at: float, models: int) -> _Concluded:
    judged = verdict_rows(model, trials, at)
    found = Findings(tuple(_rows(model, trials, at, judged)), (), "")
    narrow = verdict_rows(model, trials, at, THESE)
    others, these = (grounds_of(_with(rows, found), at) for rows in (judged, narrow))
    word = verdict(others, these)
    counted = counting_incoherent(model, trials, at, found)
    suffix = f" ({model})" if models > 1 else ""
    controls = list(checks(found, narrow, trials, at, others, suffix))
    remarks: list[str] = []
    if any(trial.condition.startswith("readable") for trial in trials):
        controls += conclusions.checks(model, found, suffix)
        remarks += [conclusions.sentence(model, found), conclusions.receipts(model, found)]
    failed = [check for check in controls if check.passed is False]
    # A claim of these directions stands beside intervals over texts under these.
    told = sentence(model, word, counted, found if _of_others(word) else _with(narrow, found), at, failed)
    return _Concluded(model, found.rows, tuple(controls), word, both_scopes(others, these), told, tuple(remarks))


def counting_incoherent(model: str, trials: Sequence[Trial], at: float, found: Findings) -> str:
    """The verdict with incoherent texts counted as any others; of what is inside, what was found without them."""
    scopes = (verdict_rows(model, trials, at, scope, incoherent=True) for scope in (OTHERS, THESE))
    return verdict(*(grounds_of(_with(rows, found), at) for rows in scopes))


def _of_others(word: str) -> bool:
    return not word.startswith("cannot tell") and THESE_ALONE not in word.split(",")[0]


def _with(rows: Findings, found: Findings) -> Findings:
    """Rows of a scope before those that have none."""
    return Findings((*rows.rows, *found.rows), (), "")


def _rows(model: str, trials: Sequence[Trial], at: float, judged: Findings) -> list[Row]:
    tests = [trial for trial in trials if trial.split == "test"]
    rows = [*text_rows(model, tests), *course_rows(model, tests), *search_rows(model, trials)]
    seen = {(row.measure, *sorted(row.where.items())) for row in rows}
    rows += [row for row in judged.rows if (row.measure, *sorted(row.where.items())) not in seen]
    where = {"model": model, "strength": at}
    rows.append(
        Row("announced beyond random", where, _beyond(tests, at, lambda trial: trial.outcomes["announced"]), "control")
    )
    rows.append(Row("off topic beyond random", where, _beyond(tests, at, lambda trial: trial.readings["off_share"])))
    rows += [*prefill_rows(model, tests), *restart_rows(model, tests), *damage_rows(model, tests)]
    rows += detector_rows(model, tests)
    return [*rows, *inside.rows(model, tests)]


def _beyond(tests: Sequence[Trial], at: float, value: Callable[[Trial], float | None]) -> Estimate:
    """Of the same scenes on the same random numbers: the push less a random direction of equal norm, both coherent."""
    arms = {
        arm: {
            (trial.item, trial.replicate): trial
            for trial in tests
            if trial.condition == arm and trial.strength == at and not trial.outcomes["incoherent"]
        }
        for arm in ("push", "random_direction")
    }
    both = sorted(arms["push"].keys() & arms["random_direction"].keys())
    found = [(arms["push"][key], arms["random_direction"][key]) for key in both]
    known = [
        (one, two, pushed, stray)
        for pushed, stray in found
        if (one := value(pushed)) is not None and (two := value(stray)) is not None
    ]
    draws = [f"random {stray.draw}" for *_, stray in known]
    return paired([(one, two) for one, two, *_ in known], [pushed for _, _, pushed, _ in known], draws=draws)

"""What is done with the model: how much is written, and every trial."""

from collections.abc import Iterator, Sequence
from typing import Any

from experiments.reflection_localization.causal import STRENGTH, Cause, fit_cause
from experiments.reflection_localization.experiment import ReflectionLocalization
from experiments.reflection_localization.prefilled_answers import fit_errors, planted
from experiments.reflection_localization.probing import ReflectionMap, fit_map, level_of
from experiments.shared.choices import chosen, question_kind
from experiments.shared.condition_families import PERSONA
from experiments.shared.reading_amounts import mean_tokens
from experiments.shared.reflection_cases import ReflectionCase, decided, written_cases
from experiments.shared.side_effects import damage_trials
from introlab.experiment.context import RunContext
from introlab.generation.requests import Request
from introlab.generation.sampling import Sampling
from introlab.network.messages import system, user
from introlab.records.size import Size
from introlab.records.trial import Trial
from introlab.tasks.materials import SPLITS, Question, Split
from organisms.planted_step_labels import PlantedSteps
from probes.text.horizons import TARGETS
from probes.text.reflection import states
from probes.text.reflection_labels import keyword_sets, kinds_of_text

ANALYSIS = 15.0
"""Seconds of fits, intervals and report, as seen on organisms."""


def size(experiment: ReflectionLocalization, bench: RunContext) -> Size:
    plain = sum(len(_questions(experiment, bench, split)) for split in SPLITS)
    told = len(bench.materials.wording.personas) * len(_questions(experiment, bench, "test", experiment.told))
    texts = plain + told
    prompt = mean_tokens(bench, [[user(one.text)] for one in _questions(experiment, bench, "test")])
    # Written, its log-probability, P(right), residuals, and those of an untrained network; personas have one less.
    again = 2.5 * texts + 2 * plain + told
    arms = min(experiment.caused, plain) * 2 * (2 + experiment.random_directions)
    prefills = 3 * 2 * 3 * experiment.planted
    return Size(
        texts,
        texts * experiment.max_new,
        read=round(prompt * (texts + again + arms + prefills + 4 * experiment.neutral)),
        read_again=round(experiment.max_new * (again + arms / 2)),
        seconds=ANALYSIS,
    )


def trials(experiment: ReflectionLocalization, bench: RunContext) -> Iterator[Trial]:
    fitted: list[list[ReflectionCase]] = []
    for split in ("extract", "calibrate"):
        written = _written(experiment, bench, split)
        yield from (_trial(experiment, bench, case, split) for case in written)
        fitted.append(decided(written))
    train, tune = fitted
    reading = fit_map(bench, train, tune)
    written = _written(experiment, bench, "test")
    test = decided(written)
    readings = reading(test, shuffles=experiment.shuffles) if test else []
    read = {case.item: each for case, each in zip(test, readings, strict=True)}
    for case in written:
        yield _trial(experiment, bench, case, "test", reading, read.get(case.item))
    yield from _personas(experiment, bench, reading)
    cause = fit_cause(bench, train, reading.main[0])
    yield from _caused(experiment, bench, test[:: max(1, len(test) // experiment.caused)][: experiment.caused], cause)
    yield from _damage(experiment, bench, cause)
    yield from _errors(experiment, bench)


def _questions(
    experiment: ReflectionLocalization, bench: RunContext, split: Split, limit: int | None = None
) -> list[Question]:
    """Spread over the levels, so that fewer are as hard as more."""
    limit = min(
        limit or 10**9, {"extract": experiment.fit, "calibrate": experiment.tune, "test": experiment.test}[split]
    )
    kind = question_kind(bench, experiment.name(), experiment.kind)
    return bench.materials.pick(split, kind=kind, limit=limit, seed=bench.seed)


def _written(
    experiment: ReflectionLocalization, bench: RunContext, split: Split, persona: str | None = None
) -> list[ReflectionCase]:
    """In order of their ids, so that the order of work does not matter further on."""
    told = [system(bench.materials.wording.personas[persona])] if persona else []
    requests = [
        Request(
            prompt=tuple(bench.model.ids([*told, user(question.text)], room=experiment.max_new)),
            item=question.id,
            max_new=experiment.max_new,
            sampling=Sampling(temperature=experiment.temperature),
            note={"question": question},
        )
        for question in _questions(experiment, bench, split, experiment.told if persona else None)
    ]
    stage = f"answers, {split} questions" + (f", {persona}" if persona else "")
    return sorted(written_cases(bench, requests, stage), key=lambda case: case.item)


def _personas(experiment: ReflectionLocalization, bench: RunContext, reading: ReflectionMap) -> Iterator[Trial]:
    """The test questions under other personas, read by the same probes."""
    for persona in bench.materials.wording.personas:
        cases = _written(experiment, bench, "test", persona)
        known = decided(cases)
        read = dict(zip((case.item for case in known), reading.at_main(known), strict=True)) if known else {}
        for case in cases:
            yield _trial(experiment, bench, case, "test", reading, read.get(case.item), condition=PERSONA(persona))


def _caused(
    experiment: ReflectionLocalization, bench: RunContext, cases: Sequence[ReflectionCase], cause: Cause
) -> Iterator[Trial]:
    readings = cause.readings(cases, draws=experiment.random_directions) if cases else ()
    for case, each in zip(cases, readings, strict=True):
        yield _without_text(experiment, bench, case.question, "causality", each, {})


def _damage(experiment: ReflectionLocalization, bench: RunContext, cause: Cause) -> Iterator[Trial]:
    """What the push does to questions of another kind, where there are any."""
    others = sorted(
        {question.kind for question in bench.materials.questions}
        - {question_kind(bench, experiment.name(), experiment.kind)}
    )
    questions = bench.materials.pick(
        "calibrate", kind=others[0] if others else None, limit=experiment.neutral, seed=bench.seed
    )
    draws = experiment.random_directions
    yield from damage_trials(
        bench, experiment.trial_name(), STRENGTH, questions, lambda _, draw: cause.push(draw), draws=draws
    )


def _errors(experiment: ReflectionLocalization, bench: RunContext) -> Iterator[Trial]:
    train, tune, test = (_questions(experiment, bench, split, experiment.planted) for split in SPLITS)
    probes = fit_errors(bench, train, tune)
    cases = planted(bench, test)
    if probes is None or not cases:
        return
    for case, readings in zip(cases, probes.readings(cases), strict=True):
        condition = f"{case.whose} {'wrong' if case.wrong else 'right'}"
        outcomes = {"wrong": case.wrong, "whose": case.whose}
        yield _without_text(experiment, bench, case.question, condition, readings, outcomes)


def _trial(
    experiment: ReflectionLocalization,
    bench: RunContext,
    case: ReflectionCase,
    split: Split,
    reading: ReflectionMap | None = None,
    readings: dict[str, Any] | None = None,
    *,
    condition: str = "baseline",
) -> Trial:
    reflection, tokens, text = case.reflection, case.generation.tokens, bench.model.text(case.generation.tokens)
    planted_kinds = (
        chosen(bench, experiment.name(), "step_labels", None) == "arithmetic" and case.question.kind == "sum"
    )
    known: dict[str, bool | None] = dict.fromkeys(TARGETS)
    known |= states(reflection, case.question.answer) if reflection else {}
    return Trial(
        experiment=experiment.trial_name(),
        model=bench.model.name,
        item=case.item,
        cluster=case.question.group,
        split=split,
        condition=condition,
        prompt=bench.model.text(case.request.prompt),
        text=text,
        tokens=tokens,
        readings={**readings, **case.generation.per_token("p_reconsider")} if readings else {},
        outcomes={
            **known,
            "level": level_of(case),
            "kind": case.question.kind,
            "half": reading.half(case) if reading else None,
            "keywords": sorted(kinds_of_text(text, keyword_sets()["lab"](case.item, text))),
            "planted": sorted(kinds_of_text(text, PlantedSteps()(case.item, text))) if planted_kinds else None,
        },
    )


def _without_text(
    experiment: ReflectionLocalization,
    bench: RunContext,
    question: Question,
    condition: str,
    readings: dict[str, Any],
    outcomes: dict[str, Any],
) -> Trial:
    """Of a text that was read and not written."""
    return Trial(
        experiment=experiment.trial_name(),
        model=bench.model.name,
        item=question.id,
        cluster=question.group,
        split="test",
        condition=condition,
        prompt=question.text,
        readings=readings,
        outcomes=outcomes,
    )

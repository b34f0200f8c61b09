"""What is done with the model: how much is written, and every trial."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.reflection_steering.experiment import ReflectionSteering
from experiments.shared.choices import block, question_kind
from experiments.shared.condition_families import PERSONA
from experiments.shared.lookahead import readings_ahead
from experiments.shared.reading_amounts import mean_tokens
from experiments.shared.reflection_cases import Coherence, ReflectionCase, decided, goes_on, written_cases
from experiments.shared.side_effects import damage_trials
from introlab.activations.directions import Direction, difference_of_means
from introlab.activations.extract import read
from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.generation.requests import Request
from introlab.generation.sampling import Sampling
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import system, user
from introlab.network.sites import Site
from introlab.records.size import Size
from introlab.records.trial import Trial
from introlab.tasks.materials import Question, Split
from steering.edits import steer_along
from steering.strength import typical_norm


@dataclass(frozen=True)
class _Rig:
    """What is fitted before any test text is written under a push."""

    bench: RunContext
    direction: Direction
    residual_norm: float
    coherence: Coherence

    def push(self, strength: float, draw: int | None = None) -> Intervention:
        """Along the direction, or along a random one of equal norm."""
        along = self.direction if draw is None else self.bench.random_direction(self.direction, draw)
        return steer_along(along, natural=strength, residual_norm=self.residual_norm)


ANALYSIS = 10.0
"""Seconds of fits, intervals and report, as seen on organisms."""


def size(experiment: ReflectionSteering, bench: RunContext) -> Size:
    plain = sum(len(_questions(experiment, bench, split)) for split in ("extract", "calibrate"))
    test = len(_questions(experiment, bench, "test"))
    pushed = min(experiment.pushed, test)
    arms = 1 + len(_all_strengths(experiment)) + len(bench.materials.wording.personas)
    stray = experiment.random_directions * min(experiment.per_direction, pushed) * len(_all_strengths(experiment))
    texts = plain + test + pushed * arms + stray
    prompt = mean_tokens(bench, [[user(one.text)] for one in _questions(experiment, bench, "test")])
    again = 2 * texts + (plain + test) + pushed * arms / 2  # log-probability, P(right) where nothing pushes, residuals
    return Size(
        texts,
        texts * experiment.max_new,
        read=round(prompt * (texts + again + 4 * experiment.neutral)),
        read_again=round(experiment.max_new * again),
        seconds=ANALYSIS,
    )


def trials(experiment: ReflectionSteering, bench: RunContext) -> Iterator[Trial]:
    extract, calibrate = _written(experiment, bench, "extract"), _written(experiment, bench, "calibrate")
    coherence = Coherence.of(bench.model, extract)
    yield from (_trial(experiment, bench, case, "extract", coherence) for case in extract)
    yield from (_trial(experiment, bench, case, "calibrate", coherence) for case in calibrate)
    known = decided(extract)
    if len(set(goes_on(known))) < 2:
        raise InputError(
            f"{bench.model.name} always or never reconsiders: there is nothing to contrast",
            given=f"{len(known)} of {len(extract)} texts reach a decision",
            do="use a model that sometimes goes on with one of the reconsider_words of wording.json",
        )
    baseline = _written(experiment, bench, "test")
    readings = readings_ahead(bench, extract, calibrate, baseline, shuffles=experiment.shuffles)
    for case in baseline:
        yield _trial(experiment, bench, case, "test", coherence, readings.get(case.item))
    rig = _rig(experiment, bench, known, coherence)
    yield from _arms(experiment, bench, rig)
    yield from _damage(experiment, bench, rig)


def _all_strengths(experiment: ReflectionSteering) -> tuple[float, ...]:
    return tuple(sorted({*experiment.strengths, experiment.verdict_strength, -experiment.verdict_strength}))


def _questions(
    experiment: ReflectionSteering, bench: RunContext, split: Split, limit: int | None = None
) -> list[Question]:
    """Spread over the levels, so that fewer are as hard as more."""
    limit = limit or {"extract": experiment.fit, "calibrate": experiment.tune, "test": experiment.test}[split]
    kind = question_kind(bench, experiment.name(), experiment.kind)
    return bench.materials.pick(split, kind=kind, limit=limit, seed=bench.seed)


def _request(
    experiment: ReflectionSteering,
    bench: RunContext,
    question: Question,
    *pushes: Intervention,
    persona: str | None = None,
    ask: str = "",
    **note: Any,
) -> Request:
    told = [system(bench.materials.wording.personas[persona])] if persona else []
    content = f"{question.text} {ask}".strip()
    return Request(
        prompt=tuple(bench.model.ids([*told, user(content)], room=experiment.max_new)),
        item=question.id,
        interventions=pushes,
        max_new=experiment.max_new,
        sampling=Sampling(temperature=experiment.temperature),
        note={"question": question, "condition": "baseline", "strength": 0.0, "draw": None, **note},
    )


def _written(experiment: ReflectionSteering, bench: RunContext, split: Split) -> list[ReflectionCase]:
    requests = [_request(experiment, bench, question) for question in _questions(experiment, bench, split)]
    # Sorted, so that the order of work does not matter further on.
    return sorted(written_cases(bench, requests, f"answers, {split} questions"), key=lambda case: case.item)


def _rig(
    experiment: ReflectionSteering, bench: RunContext, cases: Sequence[ReflectionCase], coherence: Coherence
) -> _Rig:
    """Reconsidering minus letting stand, read where the decision token is predicted: the same token in both."""
    site, texts, goes = (
        Site(block(bench, experiment.layer, depth=1 / 2)),
        [case.text() for case in cases],
        goes_on(cases),
    )
    positions = [[case.decision - 1] for case in cases]
    values = read(bench.model, texts, [site], positions, batch_size=bench.batch_size)[site, 0]
    direction = difference_of_means(values.where(goes), values.where([not each for each in goes]), model=bench.model)
    return _Rig(bench, direction, typical_norm(bench.model, texts, site, batch_size=bench.batch_size), coherence)


def _arms(experiment: ReflectionSteering, bench: RunContext, rig: _Rig) -> Iterator[Trial]:
    questions = _questions(experiment, bench, "test", min(experiment.pushed, experiment.test))
    rig.direction.check_held_out([question.id for question in questions])
    wording, requests = bench.materials.wording, []
    for question in questions:
        requests += [
            _request(experiment, bench, question, persona=name, condition=PERSONA(name)) for name in wording.personas
        ]
        requests.append(_request(experiment, bench, question, ask=wording.request_check, condition="prompting"))
    for strength in _all_strengths(experiment):
        push = rig.push(strength)
        requests += [
            _request(experiment, bench, question, push, condition="push", strength=strength) for question in questions
        ]
        for draw in range(experiment.random_directions):
            stray, start = rig.push(strength, draw), draw * experiment.per_direction
            for index in range(min(experiment.per_direction, len(questions))):
                one = questions[(start + index) % len(questions)]
                requests.append(
                    _request(experiment, bench, one, stray, condition="random_direction", strength=strength, draw=draw)
                )
    for case in written_cases(bench, requests, "pushes, personas and requests in words"):
        yield _trial(experiment, bench, case, "test", rig.coherence)


def _damage(experiment: ReflectionSteering, bench: RunContext, rig: _Rig) -> Iterator[Trial]:
    """What the same pushes do to questions of another kind, where there are any."""
    others = sorted(
        {question.kind for question in bench.materials.questions}
        - {question_kind(bench, experiment.name(), experiment.kind)}
    )
    questions = bench.materials.pick(
        "calibrate", kind=others[0] if others else None, limit=experiment.neutral, seed=bench.seed
    )
    at = experiment.verdict_strength

    def pushed(_: int, draw: int | None) -> Intervention:
        return rig.push(at, draw)

    yield from damage_trials(bench, experiment.trial_name(), at, questions, pushed, draws=experiment.random_directions)


def _trial(
    experiment: ReflectionSteering,
    bench: RunContext,
    case: ReflectionCase,
    split: Split,
    coherence: Coherence,
    readings: dict[str, Any] | None = None,
) -> Trial:
    reflection, note, tokens = case.reflection, case.request.note, case.generation.tokens
    p_reconsider = case.generation.readings["p_reconsider"][reflection.decision] if reflection else None
    right, text = case.question.answer.lower(), bench.model.text(tokens)
    return Trial(
        experiment=experiment.trial_name(),
        model=bench.model.name,
        item=case.item,
        cluster=case.question.group,
        split=split,
        condition=note["condition"],
        strength=note["strength"],
        draw=note["draw"],
        prompt=bench.model.text(case.request.prompt),
        text=text,
        tokens=tokens,
        readings={
            "p_reconsider": p_reconsider,
            "p_right": case.p_right,
            "logprob_unsteered": case.logprob,
            **case.generation.per_token("p_reconsider"),
            **(readings or {}),
        },
        outcomes={
            "reconsidered": reflection.reconsidered if reflection else None,
            "first_right": reflection.first == right if reflection else None,
            "final_right": reflection.final == right if reflection else None,
            "incoherent": coherence.incoherent(case),
            "finished": case.generation.ended,
            "level": case.question.level,
        },
        receipts=case.generation.receipts,
    )

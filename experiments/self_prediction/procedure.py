"""What is done with the model: how much is written, and every trial."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiments.self_prediction.behaviour import Behaviour, behaviours, run_context, task_of
from experiments.self_prediction.changes import Pushes, fit_pushes
from experiments.self_prediction.elicitation import Candidates, Prediction, predictions
from experiments.self_prediction.experiment import SelfPrediction
from experiments.self_prediction.input_only import predicted
from experiments.self_prediction.labels import (
    AS_OTHER,
    BASELINE,
    CROSS,
    CROSS_OWN,
    INPUT_ONLY,
    PROMPTING,
    PUSH,
    RANDOM,
    SAMPLE,
    SELF,
    UNCHANGED,
)
from experiments.self_prediction.prompts import PredictionPrompts
from experiments.self_prediction.properties import described
from experiments.shared.choices import chosen, question_kind
from experiments.shared.reading_amounts import mean_tokens
from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import user
from introlab.records.size import Size
from introlab.records.trial import Trial
from introlab.tasks.answers import asks_for
from introlab.tasks.materials import SPLITS, Question, Split, drawn

Readings = list[dict[str, Any]]
"""What is read of each item."""


WORDINGS = 2.5
"""How often a property is asked for of one question, and how much longer that is than the question: two wordings."""
ANALYSIS = 6.0
"""Seconds of intervals and report, as seen on organisms."""


def size(experiment: SelfPrediction, bench: RunContext) -> Size:
    """Of the model asked about alone, without the answers by which the strength is chosen."""
    plain = sum(len(questions(experiment, bench, split)) for split in SPLITS)
    test = len(questions(experiment, bench, "test"))
    changed = min(experiment.changed, test)
    stray = experiment.random_directions * min(experiment.per_direction, changed)
    texts = plain + test * experiment.samples + 2 * changed + stray
    items = questions(experiment, bench, "test")
    asked = PredictionPrompts.of(bench.materials).properties
    prompts = [[user(one.text)] for one in items]
    # Each prediction of oneself and of another on every question, and beside the unchanged one under each change.
    predicted_items = 2 * test + 3 * (2 * changed + stray)
    tokens, times = mean_tokens(bench, prompts), sum(1 for one in items for name in asked if applies(one, name, asked))
    return Size(
        texts,
        texts * experiment.room,
        read=round(tokens * (texts + predicted_items * WORDINGS * times / max(1, test))),
        seconds=ANALYSIS,
    )


def questions(experiment: SelfPrediction, bench: RunContext, split: Split) -> list[Question]:
    """Those asked, in order of their ids: as many of every kind, and of these as the seed draws. Raises InputError
    where the materials have none of the kind or about the noun."""
    limit = {"extract": experiment.fit, "calibrate": experiment.tune, "test": experiment.test}[split]
    kind = question_kind(bench, "self_prediction", experiment.kind)
    about = chosen(bench, "self_prediction", "about", experiment.about)
    kinds = [kind] if kind else sorted({one.kind for one in bench.materials.questions})
    found: list[Question] = []
    for each in kinds:
        every = bench.materials.pick(split, kind=each)
        wanted = [one for one in every if about in (None, asks_for(one))]
        found += sorted(wanted, key=lambda one: drawn(one.id, bench.seed))[: -(-limit // len(kinds))]
    if not found:
        raise InputError("no such questions", given=f"kind {kind}, about {about}", do="choose --kind and --about")
    return sorted(found, key=lambda one: one.id)


@dataclass(frozen=True)
class _Setting:
    """What stays the same for all arms of a model."""

    experiment: SelfPrediction
    bench: RunContext
    asked: tuple[str, ...]
    candidates: Candidates
    extract: Sequence[tuple[Question, str, dict[str, str]]]
    others: dict[str, RunContext] = field(default_factory=dict[str, RunContext])

    def predict(
        self, items: Sequence[Question], bench: RunContext | None = None, **how: Any
    ) -> list[dict[str, Prediction]]:
        """A prediction for each item and each property that an answer to it can have."""
        asks = [(one, task_of(one), name) for one in items for name in self._asked(one)]
        if how.get("pushes") is not None:
            by_item = how["pushes"]
            places = [index for index, one in enumerate(items) for _ in self._asked(one)]
            how = {**how, "pushes": [by_item[index] for index in places]}
        told = iter(predictions(bench or self.bench, asks, self.candidates, **how))
        return [{name: next(told) for name in self._asked(one)} for one in items]

    def _asked(self, question: Question) -> list[str]:
        return [name for name in self.asked if applies(question, name, self.asked)]


def applies(question: Question, name: str, asked: Sequence[str]) -> bool:
    """Whether an answer of the right form would have this property."""
    return name in described(_form(question), question, asked)


def _form(question: Question) -> str:
    return question.answer if question.options else question.answer.lower()


def trials(experiment: SelfPrediction, bench: RunContext) -> Iterator[Trial]:
    prompts = PredictionPrompts.of(bench.materials)
    asked = prompts.properties
    plain = {split: _plain(experiment, bench, split, asked) for split in SPLITS}
    for split in ("extract", "calibrate"):
        yield from (_trial(experiment, bench, one[0], split, BASELINE) for one in plain[split])
    setting = _Setting(
        experiment,
        bench,
        asked,
        _candidates(bench, [one[0] for one in plain["extract"]], asked),
        [(one[0].question, task_of(one[0].question), one[0].properties) for one in plain["extract"]],
    )
    tested = plain["test"]
    yield from _unchanged(setting, tested)
    pushes = fit_pushes(experiment, bench, questions(experiment, bench, "extract"), plain["calibrate"], asked)
    some = _spread([one[0] for one in tested], experiment.changed)
    yield from _changed(setting, some, PROMPTING, told=prompts.change)
    yield from _changed(setting, some, PUSH, pushes=pushes)
    yield from _stray(setting, some, pushes)


def _plain(experiment: SelfPrediction, bench: RunContext, split: Split, asked: Sequence[str]) -> list[list[Behaviour]]:
    samples = experiment.samples if split == "test" else 0
    some = questions(experiment, bench, split)
    return behaviours(bench, some, asked, experiment.room, stage=f"answers, {split} questions", samples=samples)


def _candidates(bench: RunContext, extract: Sequence[Behaviour], asked: Sequence[str]) -> Candidates:
    """What an answer of a task can be: the right answers to its questions, and what was answered to those that are
    fitted on."""
    found: dict[str, dict[str, set[str]]] = {}
    known = [(one, described(_form(one), one, asked)) for one in bench.materials.questions]
    for question, properties in [*known, *((one.question, one.properties) for one in extract)]:
        for name, value in properties.items():
            found.setdefault(task_of(question), {}).setdefault(name, set()).add(value)
    return Candidates({task: {name: tuple(sorted(all_)) for name, all_ in of.items()} for task, of in found.items()})


def _spread(items: Sequence[Behaviour], count: int) -> list[Behaviour]:
    """So many of them, evenly over the list."""
    return [items[index * len(items) // count] for index in range(count)] if count < len(items) else list(items)


def _unchanged(setting: _Setting, tested: Sequence[list[Behaviour]]) -> Iterator[Trial]:
    """Every predictor of the answers as they are, and the models they are set beside."""
    bench, items = setting.bench, [one[0].question for one in tested]
    readings: Readings = [{} for _ in items]
    _note(readings, SELF, setting.predict(items), [one[0].properties for one in tested])
    _note(readings, AS_OTHER, setting.predict(items, of_other=True))
    input_only = predicted(setting.extract, [(one, task_of(one)) for one in items])
    for reading, told, several in zip(readings, input_only, tested, strict=True):
        reading[INPUT_ONLY] = told
        reading["sampled share"] = _shares(several)
    for role in ("other", "before"):
        spec = _spec(setting.experiment, bench, role)
        if spec is None:
            continue
        there = run_context(bench, spec)
        answers = behaviours(there, items, setting.asked, setting.experiment.room, stage=f"answers of {spec}")
        for reading, one in zip(readings, answers, strict=True):
            reading[f"{role} model"], reading[f"{role} behaviour"] = spec, one[0].properties
        if role == "other":
            _note(readings, CROSS, setting.predict(items, there, of_other=True))
            _note(readings, CROSS_OWN, setting.predict(items, there))
    for several, reading in zip(tested, readings, strict=True):
        yield _trial(setting.experiment, bench, several[0], "test", BASELINE, reading)
        for index, one in enumerate(several[1:], 1):
            yield _trial(setting.experiment, bench, one, "test", SAMPLE, {}, replicate=index)


def _spec(experiment: SelfPrediction, bench: RunContext, role: str) -> str | None:
    """The other model, or this one before it was fine-tuned: as given, or as the materials choose for this model."""
    given = experiment.other if role == "other" else experiment.before
    found = chosen(bench, "self_prediction", role, given)
    if isinstance(found, dict):
        found = found.get(bench.model.name, found.get("any"))
    return None if found in (None, bench.model.name) else str(found)


def _shares(several: Sequence[Behaviour]) -> dict[str, float]:
    """By property, in how many of the answers by chance that have it the value is that of the greedy answer."""
    greedy, samples = several[0], several[1:]
    found: dict[str, float] = {}
    for name, value in greedy.properties.items():
        has = [one.properties[name] for one in samples if name in one.properties]
        if has:
            found[name] = Counter(has)[value] / len(has)
    return found


def _note(
    readings: Readings,
    who: str,
    told: Sequence[dict[str, Prediction]],
    behaviour: Sequence[dict[str, str]] | None = None,
) -> None:
    """What someone predicts, with how much of the probability lay on what could be predicted; where the behaviour is
    given, also how probable it was held to be."""
    for index, (reading, each) in enumerate(zip(readings, told, strict=True)):
        reading[who] = {name: one.value for name, one in each.items()}
        reading[f"{who} mass"] = {name: one.mass for name, one in each.items()}
        if behaviour is not None:
            real = behaviour[index]
            reading[f"{who} share"] = {
                name: one.shares.get(real[name], 0.0) for name, one in each.items() if name in real and one.shares
            }


def _changed(
    setting: _Setting, some: Sequence[Behaviour], arm: str, *, told: str | None = None, pushes: Pushes | None = None
) -> Iterator[Trial]:
    """Asked again under a change, which holds while it predicts, too."""
    edits = [(pushes.along(),)] * len(some) if pushes else None
    yield from _asked_again(setting, some, arm, [None] * len(some), told, edits, pushes.natural if pushes else 0.0)


def _stray(setting: _Setting, some: Sequence[Behaviour], pushes: Pushes) -> Iterator[Trial]:
    experiment, items, draws = setting.experiment, list[Behaviour](), list[int | None]()
    for draw in range(experiment.random_directions):
        for index in range(min(experiment.per_direction, len(some))):
            items.append(some[(draw * experiment.per_direction + index) % len(some)])
            draws.append(draw)
    edits = [(pushes.along(draw),) for draw in draws]
    yield from _asked_again(setting, items, RANDOM, draws, None, edits, pushes.natural)


def _asked_again(
    setting: _Setting,
    some: Sequence[Behaviour],
    arm: str,
    draws: Sequence[int | None],
    told: str | None,
    edits: Sequence[tuple[Intervention, ...]] | None,
    strength: float,
) -> Iterator[Trial]:
    items, bench, room = [one.question for one in some], setting.bench, setting.experiment.room
    answers = behaviours(bench, items, setting.asked, room, stage=f"answers, {arm}", told=told, pushes=edits)
    readings: Readings = [{} for _ in items]
    how: dict[str, Any] = {"told": told, "pushes": edits}
    _note(readings, SELF, setting.predict(items, **how), [one[0].properties for one in answers])
    _note(readings, AS_OTHER, setting.predict(items, of_other=True, **how))
    _note(readings, UNCHANGED, setting.predict(items))
    for one, again, reading, draw in zip(some, answers, readings, draws, strict=True):
        reading["unchanged behaviour"] = one.properties
        yield _trial(setting.experiment, bench, again[0], "test", arm, reading, draw=draw, strength=strength)


def _trial(
    experiment: SelfPrediction,
    bench: RunContext,
    one: Behaviour,
    split: Split,
    condition: str,
    readings: dict[str, Any] | None = None,
    *,
    strength: float = 0.0,
    draw: int | None = None,
    replicate: int = 0,
) -> Trial:
    return Trial(
        experiment=experiment.trial_name(),
        model=bench.model.name,
        item=one.question.id,
        cluster=one.question.group,
        split=split,
        condition=condition,
        strength=strength,
        draw=draw,
        replicate=replicate,
        prompt=bench.model.text(one.prompt),
        text=bench.model.text(one.generation.tokens),
        tokens=one.generation.tokens,
        readings=readings or {},
        outcomes={"task": task_of(one.question), "answer": one.answer, "behaviour": one.properties},
        receipts=one.generation.receipts,
    )

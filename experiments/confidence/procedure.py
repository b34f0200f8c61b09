"""What is done with the model: how much is written, and every trial."""

from collections.abc import Iterator, Sequence

from experiments.confidence.cases import ROOM, AnsweredQuestion, answered
from experiments.confidence.experiment import Confidence
from experiments.confidence.probing import Probes, fit_probes
from experiments.confidence.signals import signals
from introlab.experiment.context import Bench
from introlab.records.size import Size
from introlab.records.trial import Trial
from introlab.tasks.materials import SPLITS, Question, Split


def size(experiment: Confidence, bench: Bench) -> Size:
    texts = sum(len(_questions(experiment, bench, split)) for split in SPLITS) * (1 + experiment.samples)
    return Size(texts, texts * ROOM)


def trials(experiment: Confidence, bench: Bench) -> Iterator[Trial]:
    train = _answered(experiment, bench, "extract")
    yield from _trials(experiment, bench, train, "extract")
    second = _answered(experiment, bench, "calibrate")
    groups = sorted({case.question.group for case in second})
    choosing = set(groups[::2])
    tune = [case for case in second if case.question.group in choosing]
    yield from _trials(experiment, bench, tune, "calibrate")
    probes = fit_probes(bench, _with_answer(train), _with_answer(tune), shuffles=experiment.shuffles)
    rest = [case for case in second if case.question.group not in choosing]
    yield from _trials(experiment, bench, rest, "calibrate", probes)
    yield from _trials(experiment, bench, _answered(experiment, bench, "test"), "test", probes)


def _questions(experiment: Confidence, bench: Bench, split: Split) -> list[Question]:
    return bench.materials.evenly(
        split, {"extract": experiment.fit, "calibrate": experiment.tune, "test": experiment.test}[split]
    )


def _answered(experiment: Confidence, bench: Bench, split: Split) -> list[AnsweredQuestion]:
    stage = f"answers, {split} questions"
    return answered(bench, _questions(experiment, bench, split), samples=experiment.samples, stage=stage)


def _trials(
    experiment: Confidence,
    bench: Bench,
    cases: Sequence[AnsweredQuestion],
    split: Split,
    probes: Probes | None = None,
) -> Iterator[Trial]:
    kept = _with_answer(cases)
    ids = [case.question.id for case in kept]
    probed = dict(zip(ids, probes(kept), strict=True)) if probes else {}
    for case, unfitted in zip(cases, signals(bench, cases), strict=True):
        more = probed.get(case.question.id, {})
        yield _trial(experiment, bench, case, split, 0, {**unfitted, **more, "share_right": case.share_right})
        yield from (_trial(experiment, bench, case, split, index, {}) for index in range(1, experiment.samples + 1))


def _trial(
    experiment: Confidence,
    bench: Bench,
    case: AnsweredQuestion,
    split: Split,
    index: int,
    readings: dict[str, object],
) -> Trial:
    """The greedy answer, with all readings, or the `index`-th sample."""
    generation = case.samples[index - 1] if index else case.greedy
    sampled = case.answers[index - 1] == case.question.answer.lower() if index else None
    return Trial(
        experiment=experiment.trial_name(),
        model=bench.model.name,
        item=case.question.id,
        cluster=case.question.group,
        split=split,
        condition="sample" if index else "baseline",
        replicate=index,
        prompt=bench.model.text(case.prompt),
        text=bench.model.text(generation.tokens),
        tokens=generation.tokens,
        readings={**readings, **generation.per_token("entropy")},
        outcomes={
            "right": sampled if index else case.right,
            "kind": case.question.kind,
            "level": case.question.level,
        },
    )


def _with_answer(cases: Sequence[AnsweredQuestion]) -> list[AnsweredQuestion]:
    return [case for case in cases if case.found is not None]

"""What is done with the model: how much is written, and every trial."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict

from experiments.confidence.amount import sized
from experiments.confidence.cases import AnsweredQuestion, answered
from experiments.confidence.elicitation import said_in_each
from experiments.confidence.experiment import Confidence
from experiments.confidence.passes import Looked, joined, look_at
from experiments.confidence.probing import Probes, fit_probes
from experiments.confidence.signals import signals
from experiments.confidence.ways import Way, chosen_way, ways_of
from experiments.shared.answer_variation import answer_given
from introlab.experiment.context import RunContext
from introlab.generation.model_sampling import sampling_for
from introlab.generation.sampling import SAMPLED
from introlab.records.size import Size
from introlab.records.trial import Trial
from introlab.tasks.materials import SPLITS, Question, Split


def size(experiment: Confidence, bench: RunContext) -> Size:
    asked: dict[Split, list[Question]] = {split: _questions(experiment, bench, split) for split in SPLITS}
    return sized(experiment, bench, asked)


def trials(experiment: Confidence, bench: RunContext) -> Iterator[Trial]:
    train = _answered(experiment, bench, "extract")
    second = _answered(experiment, bench, "calibrate")
    groups = sorted({case.question.group for case in second})
    choosing = set(groups[::2])
    tune = [case for case in second if case.question.group in choosing]
    way, stated = _asked(experiment, bench, _with_answer(tune))
    fitted, chosen = list[Looked](), list[Looked]()
    yield from _trials(experiment, bench, train, "extract", way, looked=fitted)
    yield from _trials(experiment, bench, tune, "calibrate", way, more=stated, looked=chosen)
    looked = joined(fitted), joined(chosen)
    probes = fit_probes(bench, _with_answer(train), _with_answer(tune), shuffles=experiment.shuffles, looked=looked)
    rest = [case for case in second if case.question.group not in choosing]
    yield from _trials(experiment, bench, rest, "calibrate", way, probes)
    yield from _trials(experiment, bench, _answered(experiment, bench, "test"), "test", way, probes)


def _asked(
    experiment: Confidence, bench: RunContext, cases: Sequence[AnsweredQuestion]
) -> tuple[Way, dict[str, dict[str, object]]]:
    """The way in which it is asked how sure it is, and by question what it said in each way; nothing where there is
    only one."""
    ways, cases = ways_of(bench.materials), thinned(cases, experiment.tried)
    if len(ways) == 1 or not cases:
        return ways[0], {}
    pairs = [(case.question, bench.model.text(case.greedy.tokens)) for case in cases]
    stated = said_in_each(bench, pairs, ways)
    each: dict[str, dict[str, object]] = {
        case.question.id: {f"stated by {name}": values[index] for name, values in stated.items()}
        for index, case in enumerate(cases)
    }
    return chosen_way(ways, stated), each


def thinned(cases: Sequence[AnsweredQuestion], most: int) -> Sequence[AnsweredQuestion]:
    """At most so many, from all over."""
    step = max(1, -(-len(cases) // max(1, most)))
    return cases[::step]


def _questions(experiment: Confidence, bench: RunContext, split: Split) -> list[Question]:
    limit = {"extract": experiment.fit, "calibrate": experiment.tune, "test": experiment.test}[split]
    return bench.materials.balanced_sample(split, limit, seed=bench.seed)


def _answered(experiment: Confidence, bench: RunContext, split: Split) -> list[AnsweredQuestion]:
    stage = f"answers, {split} questions"
    questions = _questions(experiment, bench, split)
    return answered(bench, questions, samples=experiment.samples, stage=stage, room=experiment.room)


def _trials(
    experiment: Confidence,
    bench: RunContext,
    cases: Sequence[AnsweredQuestion],
    split: Split,
    way: Way,
    probes: Probes | None = None,
    more: Mapping[str, dict[str, object]] | None = None,
    looked: list[Looked] | None = None,
) -> Iterator[Trial]:
    """A batch of questions at a time, so that what was read is kept as soon as may be; what was looked at is added to
    `looked`, where that is needed again."""
    asked = {} if len(ways_of(bench.materials)) == 1 else {"stated_way": way.name}
    drawn = _drawn(bench)
    for chunk in bench.batches(cases, stage=f"reading, {split} questions"):
        kept, seen = _with_answer(chunk), look_at(bench, chunk)
        if looked is not None:
            looked.append(seen)
        probed = dict(zip([case.question.id for case in kept], probes(kept, seen), strict=True)) if probes else {}
        needed = split == "test" or probes is not None or experiment.signals_everywhere
        unfitted = signals(bench, chunk, way, seen) if needed else [dict[str, float | None]() for _ in chunk]
        for case, read in zip(chunk, unfitted, strict=True):
            item = case.question.id
            of_it = {**probed.get(item, {}), **(more or {}).get(item, {}), **asked}
            yield _trial(experiment, bench, case, split, 0, {**read, **of_it, "share_right": case.share_right})
            samples = range(1, experiment.samples + 1)
            yield from (_trial(experiment, bench, case, split, index, drawn) for index in samples)


def _drawn(bench: RunContext) -> dict[str, object]:
    """How samples were drawn, where it is not at temperature 1 over all words."""
    sampling = sampling_for(bench.model)
    return {} if sampling == SAMPLED else {"sampling": asdict(sampling)}


def _trial(
    experiment: Confidence,
    bench: RunContext,
    case: AnsweredQuestion,
    split: Split,
    index: int,
    readings: dict[str, object],
) -> Trial:
    """The greedy answer, with all readings, or the `index`-th sample."""
    generation = case.samples[index - 1] if index else case.greedy
    sampled = case.sampled[index - 1].correct is True if index else None
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
            **answer_given(case.question, case.sampled[index - 1] if index else case.answer),
        },
    )


def _with_answer(cases: Sequence[AnsweredQuestion]) -> list[AnsweredQuestion]:
    return [case for case in cases if case.found is not None]

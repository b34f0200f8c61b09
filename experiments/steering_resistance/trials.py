"""From a scene to a request, and from what was written to a trial."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from experiments.shared.condition_families import TopicPair
from experiments.shared.generations import Written, trial_of, with_logprobs
from experiments.steering_resistance.labels import DETECTOR
from experiments.steering_resistance.scenarios import Scenario, worded
from introlab.experiment.context import RunContext
from introlab.generation.requests import Generation, Request
from introlab.generation.sampling import Sampling
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import user
from introlab.records.trial import Trial
from introlab.reporting.detokenize import written as token_texts
from introlab.tasks.materials import Split
from probes.text.attempts import read_attempts
from probes.text.coherence import CoherenceTest
from probes.text.recovery import by_token, sentence_shares
from probes.text.topic_drift import read_drift

TEMPERATURE = 0.7


def request_for(
    bench: RunContext,
    scene: Scenario,
    max_new: int,
    *pushes: Intervention,
    condition: str,
    split: Split = "test",
    wording: Split = "test",
    asks_for_both: bool = False,
    prefill: Sequence[int] = (),
    item: str | None = None,
    **note: Any,
) -> Request:
    """A text about a scene's topic, or asked in words for the other one too, under these pushes, after the prefill."""
    plain, both = worded(bench.materials, scene, wording)
    asked = tuple(bench.model.ids([user(both if asks_for_both else plain)], room=max_new + len(prefill)))
    return Request(
        prompt=(*asked, *prefill),
        item=item or scene.item,
        replicate=scene.replicate,
        interventions=pushes,
        max_new=max_new,
        sampling=Sampling(temperature=TEMPERATURE),
        note={
            "strength": 0.0,
            "draw": None,
            "asked": len(asked),
            "topic": scene.topic,
            "push": scene.push,
            "both": both,
            "split": split,
            "condition": condition,
            **note,
        },
    )


def in_order(written: Iterable[Written]) -> list[Written]:
    """All of them, in an order of their own: that of the work must not matter further on."""

    def place(pair: Written) -> tuple[str, int, str, float]:
        request = pair[0]
        return request.item, request.replicate, request.note["condition"], request.note["strength"]

    return sorted(written, key=place)


def to_trials(bench: RunContext, name: str, written: Iterable[Written], bounds: CoherenceTest) -> Iterator[Trial]:
    """As they come, a batch at a time."""
    for pair, logprob in with_logprobs(bench, written):
        yield _trial(bench, name, pair, logprob, bounds)


def _trial(bench: RunContext, name: str, pair: Written, logprob: float | None, bounds: CoherenceTest) -> Trial:
    (request, generation), materials = pair, bench.materials
    note, text = request.note, bench.model.text(generation.tokens)
    drift = read_drift(text, note["topic"], materials)
    pieces = token_texts(bench.model.tokenizer.backend_tokenizer, generation.tokens)
    on_topic = by_token(pieces, note["topic"], materials)
    return trial_of(
        bench,
        name,
        pair,
        cluster=f"random {note['draw']}" if note["draw"] is not None else str(TopicPair(note["topic"], note["push"])),
        readings={
            "logprob_unsteered": logprob,
            "off_share": drift.off_share,
            "first_attempt": drift.first_attempt,
            "late_off_share": drift.late_off_share,
            "off_marks": [_marks(drift.first_marks), _marks(drift.after_marks)],
            "attempts": [each.score for each in read_attempts(text, note["topic"], materials)],
            "sentences_on_topic": list(sentence_shares(text, note["topic"], materials)),
            "on_topic": on_topic,
            **_detected(generation, on_topic),
            **generation.per_token(),
        },
        outcomes={
            "incoherent": bounds.incoherent(logprob, generation.tokens, text),
            "intruded": drift.intruded,
            "announced": drift.announced,
            "announced_first": drift.announced_first,
            "returned": drift.returned,
        },
    )


def _marks(marks: Sequence[bool] | None) -> list[int] | None:
    """1 for each topic word that is off topic, 0 for one that is on it; None where there is no such part of a text."""
    return None if marks is None else [int(mark) for mark in marks]


def _detected(generation: Generation, on_topic: Sequence[float | None]) -> dict[str, list[float | None]]:
    """The detector where it was fitted: at words of topics. At a word it is read where the next token is predicted."""
    if DETECTOR not in generation.readings:
        return {}
    after = [*generation.readings[DETECTOR][1:], None]
    each = zip(on_topic, after, strict=True)
    return {DETECTOR: [None if owned is None or read is None else float(f"{read:.4g}") for owned, read in each]}

"""What a model says when asked how sure it is, and the baseline that sees the question and nothing of the model."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from experiments.confidence.prompts import ConfidencePrompts
from experiments.confidence.shared_reading import after_each
from experiments.confidence.ways import Way
from introlab.activations.extract import Activations, mean_over
from introlab.activations.forward import TOGETHER, Text
from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.generation.requests import Request
from introlab.generation.sampling import GREEDY
from introlab.network.answer_tokens import single_tokens
from introlab.network.messages import Message, assistant, user
from introlab.network.sites import Site
from introlab.tasks.materials import Question
from probes.text.confidence import stated_confidence

MASS_NEEDED = 0.5
"""A reply with less probability on the words asked for did not answer in kind, and states nothing."""


WRITTEN = 16
"""New tokens at most of a written reply."""


Stated = tuple[list[float | None], list[float]]
"""What each reply states, and the probability on the words asked for."""


@dataclass(frozen=True)
class NextWord:
    """Something asked of the model in each of some dialogues, whose reply is read as the probabilities of its next
    token: what it states is the expectation over these words, of these values or from least to most sure."""

    asked: Sequence[Sequence[Message]]
    words: Sequence[str]
    values: Sequence[float] | None = None
    prefill: str = ""


def said(
    bench: RunContext, answered: Sequence[tuple[Question, str]], samples: Sequence[Sequence[str]], way: Way
) -> list[dict[str, float | None]]:
    """What it says about its confidence: asked before the answer, and asked in this way after it; and P(True), how
    likely it calls its answer right, asked plainly, and after it was shown what it answered at other times (arXiv
    2207.05221, sections 3 and 3.3). All at once: what the dialogues share is read once."""
    wording = ConfidencePrompts.of(bench.materials)
    shown = [f" {wording.own_samples.format(answers=', '.join(each))}" if each else "" for each in samples]
    before = [[user(wording.ask_before.format(subject=question.subject))] for question, _ in answered]
    asks = {"stated_before": NextWord(before, wording.confidence_words), **_asks(answered, way)}
    for name, extra in (("p_true", [""] * len(answered)), ("p_true_with_samples", shown)):
        dialogues = [
            [user(question.text + more), assistant(text), user(wording.ask_true)]
            for (question, text), more in zip(answered, extra, strict=True)
        ]
        asks[name] = NextWord(dialogues, wording.true_words)
    replies = read_replies(bench, asks)
    after, mass = said_after(bench, answered, way, replies)
    columns = {"stated_after": after, "stated_mass": mass}
    columns |= {name: replies[name][0] for name in ("stated_before", "p_true", "p_true_with_samples")}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def said_after(
    bench: RunContext,
    answered: Sequence[tuple[Question, str]],
    way: Way,
    replies: Mapping[str, Stated] | None = None,
) -> Stated:
    """What each answer's model says of it, asked in this way, and the probability on the words asked for (1 or 0 where
    the reply is written). With replies exchanged, the mean of both orders, where both are in kind. `replies` are those
    to `_asks`, where they were read with others."""
    if way.read == "reply":
        values = [way.said(text) for text in _written(bench, answered, way)]
        return values, [float(one is not None) for one in values]
    replies = read_replies(bench, _asks(answered, way)) if replies is None else replies
    values, mass = replies[_KEY.format(way.name)]
    if way.swap is None:
        return values, mass
    others, other_mass = replies[_SWAPPED.format(way.name)]
    both = [None if None in (a, b) else (a + b) / 2 for a, b in zip(values, others, strict=True)]  # type: ignore[operator]
    return both, [min(pair) for pair in zip(mass, other_mass, strict=True)]


def said_in_each(
    bench: RunContext, answered: Sequence[tuple[Question, str]], ways: Sequence[Way]
) -> dict[str, list[float | None]]:
    """What is said in each of several ways, by its name. All at once."""
    asks = {name: each for way in ways for name, each in _asks(answered, way).items()}
    replies = read_replies(bench, asks)
    return {way.name: said_after(bench, answered, way, replies)[0] for way in ways}


_KEY, _SWAPPED = "after: {}", "after, exchanged: {}"


def _asks(answered: Sequence[tuple[Question, str]], way: Way) -> dict[str, NextWord]:
    """What is asked in this way, where the reply is read as a next token."""
    if way.read == "reply":
        return {}
    asks = {_KEY.format(way.name): _next_word(answered, way)}
    return asks if way.swap is None else {**asks, _SWAPPED.format(way.name): _next_word(answered, way.swap)}


def _next_word(answered: Sequence[tuple[Question, str]], way: Way) -> NextWord:
    return NextWord(_dialogues(answered, way), tuple(way.scale), tuple(way.scale.values()), way.prefill)


def _dialogues(answered: Sequence[tuple[Question, str]], way: Way) -> list[list[Message]]:
    return [[user(question.text), assistant(text), user(way.ask)] for question, text in answered]


def _written(bench: RunContext, answered: Sequence[tuple[Question, str]], way: Way) -> list[str]:
    """Greedy replies, in the order asked."""
    prompts = [tuple(bench.model.ids(each, prefill=way.prefill, room=WRITTEN)) for each in _dialogues(answered, way)]
    requests = [Request(ids, str(index), max_new=WRITTEN, sampling=GREEDY) for index, ids in enumerate(prompts)]
    done = {one.item: text for one, text in bench.generate(requests, stage=f"asked how sure: {way.name}")}
    return [bench.model.text(done[str(index)].tokens) for index in range(len(answered))]


def read_replies(bench: RunContext, asks: Mapping[str, NextWord]) -> dict[str, Stated]:
    """For each ask and dialogue what is stated (None where the words have less than MASS_NEEDED of the probability),
    and the words' mass. A model that has no single token for one of the words cannot be asked this way: a warning says
    so, and nothing is stated."""
    model = bench.model
    found: dict[str, Stated] = {name: ([None] * len(one.asked), [0.0] * len(one.asked)) for name, one in asks.items()}
    places: list[tuple[str, int]] = []
    texts: list[list[int]] = []
    for name, one in asks.items():
        if _has_words(bench, one.words):
            places += [(name, row) for row in range(len(one.asked))]
            texts += [model.ids(messages, prefill=one.prefill, room=1) for messages in one.asked]
    for indices, log_p in after_each(model, texts, batch_size=min(bench.batch_size, TOGETHER)):
        for name in {places[index][0] for index in indices}:
            rows = [row for row, index in enumerate(indices) if places[index][0] == name]
            value, mass = stated_confidence(model, asks[name].words, log_p[rows], asks[name].values)
            for row, said, sure in zip(rows, value.tolist(), mass.tolist(), strict=True):
                at = places[indices[row]][1]
                found[name][0][at], found[name][1][at] = said if sure >= MASS_NEEDED else None, sure
    return found


def _has_words(bench: RunContext, words: Sequence[str]) -> bool:
    try:
        single_tokens(bench.model, words)
    except InputError as error:
        warnings.warn(f"not asked: {' '.join(str(error).split())}", stacklevel=4)
        return False
    return True


def embeddings(bench: RunContext, texts: Sequence[Text]) -> Activations:
    """What enters the first block, averaged over the question: all a probe can know before the model computes."""
    spans = [(0, text.prompt_len) for text in texts]
    return mean_over(bench.model, texts, Site(0, "resid_pre"), spans, batch_size=bench.batch_size)

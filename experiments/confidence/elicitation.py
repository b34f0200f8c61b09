"""What a model says when asked how sure it is, and the baseline that sees the question and nothing of the model."""

import warnings
from collections.abc import Sequence

from experiments.confidence.prompts import ConfidencePrompts
from experiments.confidence.ways import Way
from introlab.activations.extract import Activations, mean_over, next_token_logprobs
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.experiment.context import Bench
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


def said(bench: Bench, answered: Sequence[tuple[Question, str]], way: Way) -> list[dict[str, float | None]]:
    """What it says about its confidence: asked before the answer, and asked in this way after it."""
    wording = ConfidencePrompts.of(bench.materials)
    before = [[user(wording.ask_before.format(subject=question.subject))] for question, _ in answered]
    stated_before, _ = reply(bench, before, wording.confidence_words)
    stated_after, mass = said_after(bench, answered, way)
    columns = {"stated_before": stated_before, "stated_after": stated_after, "stated_mass": mass}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def said_after(
    bench: Bench, answered: Sequence[tuple[Question, str]], way: Way
) -> tuple[list[float | None], list[float]]:
    """What each answer's model says of it, asked in this way, and the probability on the words asked for (1 or 0 where
    the reply is written). With replies exchanged, the mean of both orders, where both are in kind."""
    asked = [[user(question.text), assistant(text), user(way.ask)] for question, text in answered]
    if way.read == "reply":
        values = [way.said(text) for text in _written(bench, asked, way)]
        return values, [float(one is not None) for one in values]
    values, mass = reply(bench, asked, tuple(way.scale), tuple(way.scale.values()), prefill=way.prefill)
    if way.swap is None:
        return values, mass
    others, other_mass = said_after(bench, answered, way.swap)
    both = [None if None in (a, b) else (a + b) / 2 for a, b in zip(values, others, strict=True)]  # type: ignore[operator]
    return both, [min(pair) for pair in zip(mass, other_mass, strict=True)]


def _written(bench: Bench, asked: Sequence[Sequence[Message]], way: Way) -> list[str]:
    """Greedy replies, in the order asked."""
    prompts = [tuple(bench.model.ids(each, prefill=way.prefill, room=WRITTEN)) for each in asked]
    requests = [Request(ids, str(index), max_new=WRITTEN, sampling=GREEDY) for index, ids in enumerate(prompts)]
    done = {one.item: text for one, text in bench.generate(requests, stage=f"asked how sure: {way.name}")}
    return [bench.model.text(done[str(index)].tokens) for index in range(len(asked))]


def said_true(
    bench: Bench, answered: Sequence[tuple[Question, str]], samples: Sequence[Sequence[str]]
) -> list[dict[str, float | None]]:
    """P(True): how likely it calls its answer right, asked plainly, and after it was shown what it answered at other
    times (arXiv 2207.05221, sections 3 and 3.3)."""
    wording = ConfidencePrompts.of(bench.materials)
    shown = [f" {wording.own_samples.format(answers=', '.join(each))}" if each else "" for each in samples]
    columns: dict[str, list[float | None]] = {}
    for name, extra in (("p_true", [""] * len(answered)), ("p_true_with_samples", shown)):
        asked = [
            [user(question.text + more), assistant(text), user(wording.ask_true)]
            for (question, text), more in zip(answered, extra, strict=True)
        ]
        columns[name], _ = reply(bench, asked, wording.true_words)
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


def reply(
    bench: Bench,
    asked: Sequence[Sequence[Message]],
    words: Sequence[str],
    values: Sequence[float] | None = None,
    *,
    prefill: str = "",
) -> tuple[list[float | None], list[float]]:
    """For each dialogue the expectation over these words, of these values or from least to most sure (None where
    they have less than MASS_NEEDED of the probability), and their mass. A model that has no single token for one of the
    words cannot be asked this way: a warning says so, and nothing is stated."""
    model = bench.model
    try:
        single_tokens(model, words)
    except InputError as error:
        warnings.warn(f"not asked: {' '.join(str(error).split())}", stacklevel=2)
        return [None] * len(asked), [0.0] * len(asked)
    every = [model.ids(messages, prefill=prefill, room=1) for messages in asked]
    texts = [Text(tuple(ids), len(ids), str(index)) for index, ids in enumerate(every)]
    log_p = next_token_logprobs(model, texts, batch_size=bench.batch_size)
    value, mass = stated_confidence(model, words, log_p, values)
    pairs = list(zip(value.tolist(), mass.tolist(), strict=True))
    return [value if mass >= MASS_NEEDED else None for value, mass in pairs], [mass for _, mass in pairs]


def embeddings(bench: Bench, texts: Sequence[Text]) -> Activations:
    """What enters the first block, averaged over the question: all a probe can know before the model computes."""
    spans = [(0, text.prompt_len) for text in texts]
    return mean_over(bench.model, texts, Site(0, "resid_pre"), spans, batch_size=bench.batch_size)

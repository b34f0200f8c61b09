"""What a model says when asked how sure it is, and the baseline that sees the question and nothing of the model."""

import warnings
from collections.abc import Sequence

from experiments.confidence.prompts import ConfidencePrompts
from introlab.activations.extract import Activations, mean_over, next_token_logprobs
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.experiment.context import Bench
from introlab.network.answer_tokens import single_tokens
from introlab.network.messages import Message, assistant, user
from introlab.network.sites import Site
from introlab.tasks.materials import Question
from probes.text.confidence import stated_confidence

MASS_NEEDED = 0.5
"""A reply with less probability on the words asked for did not answer in kind, and states nothing."""


def said(bench: Bench, answered: Sequence[tuple[Question, str]]) -> list[dict[str, float | None]]:
    """What it says about its confidence: asked before the answer, and asked after it."""
    wording = ConfidencePrompts.of(bench.materials)
    before = [[user(wording.ask_before.format(subject=question.subject))] for question, _ in answered]
    after = [[user(question.text), assistant(text), user(wording.ask_after)] for question, text in answered]
    stated_before, _ = reply(bench, before, wording.confidence_words)
    stated_after, mass = reply(bench, after, wording.confidence_words)
    columns = {"stated_before": stated_before, "stated_after": stated_after, "stated_mass": mass}
    return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]


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
    bench: Bench, asked: Sequence[Sequence[Message]], words: Sequence[str]
) -> tuple[list[float | None], list[float]]:
    """For each dialogue the expectation on 0..1 over these words, from least to most sure (None where they have less
    than MASS_NEEDED of the probability), and their mass. A model that has no single token for one of the words cannot
    be asked this way: a warning says so, and nothing is stated."""
    model = bench.model
    try:
        single_tokens(model, words)
    except InputError as error:
        warnings.warn(f"not asked: {' '.join(str(error).split())}", stacklevel=2)
        return [None] * len(asked), [0.0] * len(asked)
    every = [model.ids(messages, room=1) for messages in asked]
    texts = [Text(tuple(ids), len(ids), str(index)) for index, ids in enumerate(every)]
    log_p = next_token_logprobs(model, texts, batch_size=bench.batch_size)
    value, mass = stated_confidence(model, words, log_p)
    pairs = list(zip(value.tolist(), mass.tolist(), strict=True))
    return [value if mass >= MASS_NEEDED else None for value, mass in pairs], [mass for _, mass in pairs]


def embeddings(bench: Bench, texts: Sequence[Text]) -> Activations:
    """What enters the first block, averaged over the question: all a probe can know before the model computes."""
    spans = [(0, text.prompt_len) for text in texts]
    return mean_over(bench.model, texts, Site(0, "resid_pre"), spans, batch_size=bench.batch_size)

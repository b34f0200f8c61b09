"""Every confidence that needs no fitting: of the tokens, of the samples, of the words, of the layers."""

from collections.abc import Sequence

import numpy as np

from experiments.confidence.cases import AnsweredQuestion
from experiments.confidence.elicitation import said, said_true
from experiments.confidence.labels import PLACES
from experiments.confidence.ways import Way
from introlab.activations.extract import read, text_logprobs
from introlab.activations.forward import Text
from introlab.experiment.context import Bench
from introlab.network.sites import Site
from probes.logit_lens import lens_agreement
from probes.uncertainty import semantic_entropy

SHOWN = 5
"""Own samples that are shown before P(True) is asked (arXiv 2207.05221, section 3.3)."""


def signals(bench: Bench, cases: Sequence[AnsweredQuestion], way: Way) -> list[dict[str, float | None]]:
    """One dictionary per case; all are the higher the surer. None where the model did not answer in kind."""
    model = bench.model
    pairs = [(case.question, model.text(case.greedy.tokens)) for case in cases]
    spoken = said(bench, pairs, way)
    judged = said_true(bench, pairs, [case.answers[:SHOWN] for case in cases])
    return [
        {**_of_tokens(case), **_of_samples(case), **words, **verdict, "lens_agreement": agreed, "familiarity": known}
        for case, words, verdict, agreed, known in zip(
            cases, spoken, judged, _of_layers(bench, cases), _of_question(bench, cases), strict=True
        )
    ]


def _of_tokens(case: AnsweredQuestion) -> dict[str, float | None]:
    """The probability of the answer's first token, its lead over the next best, minus the entropy there; and the mean
    log-probability of the text, whose exponential is one over the perplexity."""
    mean = float(np.mean(case.greedy.logprobs))
    if case.found is None:
        return {"token_probability": None, "margin": None, "minus_entropy": None, "mean_logprob": mean}
    at = case.found.token
    first, second = (float(np.exp(one)) for one in case.greedy.readings["top_tokens"][at][1])
    return {
        "token_probability": float(np.exp(case.greedy.logprobs[at])),
        "margin": first - second,
        "minus_entropy": -float(case.greedy.readings["entropy"][at]),
        "mean_logprob": mean,
    }


def _of_samples(case: AnsweredQuestion) -> dict[str, float | None]:
    """How many samples say what it says, and minus the entropy of their meanings."""
    if case.found is None or not case.answers:
        return {"self_consistency": None, "minus_semantic_entropy": None}
    agree = sum(one == case.found.answer for one in case.answers) / len(case.answers)
    return {"self_consistency": agree, "minus_semantic_entropy": -semantic_entropy(case.answers)}


def _of_layers(bench: Bench, cases: Sequence[AnsweredQuestion]) -> list[float | None]:
    """The share of layers after which the answer is what the model would already say."""
    sites = [Site(layer) for layer in range(bench.model.n_layers)]
    kept = [case for case in cases if case.found is not None]
    if not kept:
        return [None] * len(cases)
    at = [[case.positions[PLACES.index("before_answer")]] for case in kept]
    found = read(bench.model, [case.text for case in kept], sites, at, batch_size=bench.batch_size)
    written = [case.greedy.tokens[case.found.token] for case in kept if case.found is not None]
    shares = iter(lens_agreement(bench.model, {site: found[site, 0] for site in sites}, written).tolist())
    return [None if case.found is None else next(shares) for case in cases]


def _of_question(bench: Bench, cases: Sequence[AnsweredQuestion]) -> list[float]:
    """How expected the question's tokens are, on average: of a person it has not met, less."""
    texts = [Text(case.prompt, 1, case.question.id) for case in cases]
    return [float(np.mean(each)) for each in text_logprobs(bench.model, texts, batch_size=bench.batch_size)]

"""Every confidence that needs no fitting: of the tokens, of the samples, of the words, of the layers."""

from collections.abc import Sequence

import numpy as np

from experiments.confidence.cases import AnsweredQuestion
from experiments.confidence.elicitation import said
from experiments.confidence.labels import PLACES
from experiments.confidence.passes import Looked, look_at
from experiments.confidence.ways import Way
from introlab.experiment.context import RunContext
from probes.logit_lens import lens_agreement
from probes.uncertainty import semantic_entropy

SHOWN = 5
"""Own samples that are shown before P(True) is asked (arXiv 2207.05221, section 3.3)."""


def signals(
    bench: RunContext, cases: Sequence[AnsweredQuestion], way: Way, looked: Looked | None = None
) -> list[dict[str, float | None]]:
    """One dictionary per case; all are the higher the surer. None where the model did not answer in kind. `looked` is
    what was read of these cases, where they were read before."""
    model, looked = bench.model, looked or look_at(bench, cases)
    pairs = [(case.question, model.text(case.greedy.tokens)) for case in cases]
    spoken = said(bench, pairs, [case.answers[:SHOWN] for case in cases], way)
    return [
        {**_of_tokens(case), **_of_samples(case), **words, "lens_agreement": agreed, "familiarity": known}
        for case, words, agreed, known in zip(
            cases, spoken, _of_layers(bench, cases, looked), looked.familiarity, strict=True
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


def _of_layers(bench: RunContext, cases: Sequence[AnsweredQuestion], looked: Looked) -> list[float | None]:
    """The share of layers after which the answer is what the model would already say."""
    written = [case.greedy.tokens[case.found.token] for case in cases if case.found is not None]
    if not written:
        return [None] * len(cases)
    before = {site: here for (site, place), here in looked.residuals.items() if PLACES[place] == "before_answer"}
    shares = iter(lens_agreement(bench.model, before, written).tolist())
    return [None if case.found is None else next(shares) for case in cases]

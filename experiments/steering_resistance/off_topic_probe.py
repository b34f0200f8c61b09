"""A reading of off-topic text, fitted without a push, by which every text is coloured token by token.

It says what the model makes of its own words, whatever made it write them: fitted on its own sentences,
prefilled on the topic that was asked about and on others.
"""

from collections.abc import Mapping, Sequence
from itertools import permutations

import torch
from jaxtyping import Float
from torch import Tensor

from experiments.steering_resistance.labels import DETECTOR
from experiments.steering_resistance.scenarios import Scenario
from experiments.steering_resistance.trials import request_for
from introlab.activations.extract import Activations, iter_activations
from introlab.activations.forward import Text
from introlab.experiment.context import RunContext
from introlab.interventions.interfaces import Readout
from introlab.network.sites import Site
from introlab.reporting.detokenize import written
from probes.linear.fit import fit_probe
from probes.online import Projection
from probes.text.recovery import by_token

Sentences = Mapping[str, Sequence[tuple[int, ...]]]
FEWEST = 10
"""Words on topic and off it, below which there is no detector."""


def fit_detector(bench: RunContext, own: Sentences, site: Site) -> list[Readout]:
    """A direction from words on the topic asked about to words off it, read where each has just been read, as one
    reading of every text to be written; none for a model with too few sentences of its own.

    `own` are its sentences by topic. Every topic is asked about in a wording that no test uses, as often before one of
    its own sentences as before one of another topic: which topic a word is of tells nothing.
    """
    texts, topics = [], []
    for turn, (topic, other) in enumerate(permutations(sorted(own), 2)):
        asked = request_for(bench, Scenario(topic, other, turn), 0, wording="extract", condition="")
        for name in (topic, other):
            prefill = own[name][turn % len(own[name])]
            texts.append(Text.written(asked.prompt, prefill, f"detector {turn} {name == other}"))
            topics.append(topic)
    words = of_words(bench, texts, topics, site)
    off = [owned < 0 for owned, _, _ in words]
    if min(sum(off), len(off) - sum(off)) < FEWEST:
        return []
    values = torch.stack([value for _, value, _ in words])
    seen = Activations(values, site, bench.model.fingerprint, tuple(name for *_, name in words))
    return [Projection(DETECTOR, fit_probe(seen, off, model=bench.model, method="lda", penalty=0.1).direction)]


def of_words(
    bench: RunContext, texts: Sequence[Text], topics: Sequence[str], site: Site
) -> list[tuple[float, Float[Tensor, " d_model"], str]]:
    """Of each new token in a topic's word: 1 on the topic asked about and -1 off it, the residual there, and its name;
    in the order of the texts."""
    found: dict[int, list[tuple[float, Tensor, str]]] = {}
    for batch in iter_activations(bench.model, texts, site, batch_size=bench.batch_size):
        for index, values in batch:
            text = texts[index]
            pieces = written(bench.model.tokenizer.backend_tokenizer, text.ids[text.prompt_len :])
            found[index] = [
                (owned, values[text.prompt_len + place], f"{text.example} {place}")
                for place, owned in enumerate(by_token(pieces, topics[index], bench.materials))
                if owned is not None
            ]
    return [each for index in range(len(texts)) for each in found[index]]

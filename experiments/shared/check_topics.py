"""Part of the check of a model: whether it keeps to a topic and writes coherently while nothing is done to it."""

import numpy as np

from introlab.activations.extract import text_logprobs
from introlab.activations.forward import Text
from introlab.experiment.context import RunContext
from introlab.generation.model_sampling import sampling_for
from introlab.generation.requests import Request
from introlab.network.messages import user
from introlab.records.model_check import ModelCheck, RawExchange, TopicsPart
from probes.text.coherence import redundancy
from probes.text.topic_drift import read_drift

TOPICS = 24
ROOM = 48
SHOWN = 3
LIKELY, REPEATED = -3.5, 0.5
"""A text is taken for coherent whose tokens are on average likelier than this to the model itself, and of whose
three-token sequences fewer than this share stood before."""


def measure(bench: RunContext, _: ModelCheck) -> TopicsPart:
    """One text a topic, in the wording of the extract split, sampled as this model is sampled."""
    topics = bench.materials.lab_topics[:TOPICS]
    template, usual = bench.materials.wording.topic_templates["extract"][0], sampling_for(bench.model)
    prompts = {name: tuple(bench.model.ids([user(template.format(topic=name))], room=ROOM)) for name in topics}
    requests = [Request(ids, f"check {name}", max_new=ROOM, sampling=usual) for name, ids in prompts.items()]
    done = {one.item: each.tokens for one, each in bench.generate(requests, stage="check: topics")}
    written = [done[f"check {name}"] for name in topics]
    texts = [Text.written(prompts[name], tokens, name) for name, tokens in zip(topics, written, strict=True)]
    likely = [
        float(np.mean(each)) if each else -np.inf
        for each in text_logprobs(bench.model, texts, batch_size=bench.batch_size)
    ]
    words = [bench.model.text(tokens) for tokens in written]
    drifts = [read_drift(text, name, bench.materials) for text, name in zip(words, topics, strict=True)]
    repeated = [redundancy(tokens) for tokens in written]
    told = [
        "no topic word" if one.off_share is None else f"{1 - one.off_share:.2f} of its topic words on topic"
        for one in drifts
    ]
    decode = bench.model.tokenizer.decode
    return TopicsPart(
        texts=len(topics),
        with_words=sum(one.topic_words > 0 for one in drifts),
        on_topic=sum(one.off_share is not None and one.off_share < 0.5 for one in drifts),
        coherent=sum(one > LIKELY and again < REPEATED for one, again in zip(likely, repeated, strict=True)),
        likelihood=float(np.mean([each for each in likely if np.isfinite(each)] or [0.0])),
        repeated=float(np.mean(repeated)),
        exchanges=tuple(
            RawExchange(decode(prompts[name]), words[index], told[index]) for index, name in enumerate(topics[:SHOWN])
        ),
    )

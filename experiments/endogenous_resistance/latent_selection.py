"""Which latents are pushed: concrete ones, that are about one topic, silent on every prompt, drawn by lot."""

import json
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from jaxtyping import Float
from torch import Tensor

from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.network.messages import user
from introlab.network.model import Model
from introlab.reporting.detokenize import written
from introlab.tasks.materials import Materials
from probes.sae.latent_probes import by_text
from probes.sae.model import Sae
from probes.text.recovery import word_owners

LABELLED_FROM = 10
"""Tokens at which a latent is active, below which it has no label and is passed over."""


@dataclass(frozen=True)
class Chosen:
    """A latent that is pushed, and what it stands for: a topic, or whatever its label says."""

    index: int
    topic: str
    concreteness: float
    """Of all it is active with on the model's own texts, the share on words of this topic, from 0 to 100: stands in for
    the published grade, which a hosted model gives to the latent's label."""

    @property
    def name(self) -> str:
        return f"latent {self.index}"


@dataclass(frozen=True)
class Seen:
    """What all latents are on the model's own texts."""

    by_topic: Float[Tensor, "latent topic"]
    """Activation on the words of each topic."""
    elsewhere: Float[Tensor, " latent"]
    counts: Float[Tensor, " latent"]
    """At how many tokens it is active, the first token of a text aside."""
    frequency: Float[Tensor, " latent"]
    """At what share of them."""
    topics: tuple[str, ...]

    def chosen(self, index: int) -> Chosen:
        total = float(self.by_topic[index].sum() + self.elsewhere[index])
        best = int(self.by_topic[index].argmax())
        return Chosen(index, self.topics[best], 100 * float(self.by_topic[index, best]) / max(total, 1e-12))


def observe_topics(model: Model, sae: Sae, texts: Sequence[Text], materials: Materials, batch_size: int) -> Seen:
    """Read texts once, in a model the autoencoder is loaded for."""
    topics = tuple(sorted(materials.topics))
    by_topic, elsewhere = torch.zeros(sae.latents, len(topics)), torch.zeros(sae.latents)
    counts, tokens = torch.zeros(sae.latents), 0
    for index, _, (latents,) in by_text(model, [sae], texts, batch_size=batch_size):
        owners = word_owners(written(model.tokenizer.backend_tokenizer, texts[index].ids), materials)
        known = torch.tensor([topics.index(owner) if owner else -1 for owner in owners])
        by_topic.index_add_(1, known[known >= 0], latents[known >= 0].T)
        elsewhere += latents[1:][known[1:] < 0].sum(0)
        counts += (latents[1:] > 0).sum(0)
        tokens += len(latents) - 1
    return Seen(by_topic, elsewhere, counts, counts / max(1, tokens), topics)


def top_latents_on(
    model: Model, sae: Sae, prompts: Mapping[str, str], batch_size: int
) -> dict[str, Float[Tensor, " latent"]]:
    """Of each prompt, by its topic, the largest value of each latent at any of its tokens (the prompt is the user's
    turn in its template, without the header of the answer, as published)."""
    texts, found = [], {}
    for topic, prompt in prompts.items():
        if model.chat.has_template:
            ids = tuple(model.chat.ids([user(prompt)], header=False))
        else:
            ids = tuple(model.tokenizer(prompt, add_special_tokens=False)["input_ids"])
        texts.append(Text(ids, len(ids), topic))
    for index, _, (latents,) in by_text(model, [sae], texts, batch_size=batch_size):
        found[texts[index].example] = latents.amax(0)
    return found


def known_by_texts(seen: Seen, materials: Materials) -> list[Chosen]:
    """All that are active often enough, with the topic they stand for where it may be pushed."""
    every = map(seen.chosen, (seen.counts >= LABELLED_FROM).nonzero()[:, 0].tolist())
    return [each for each in every if materials.topics[each.topic].lab]


def labelled(path: Path) -> list[Chosen]:
    """Of a file of lines ``{"latent": 7580, "label": "body positions", "concreteness": 85}``; without a grade it counts
    as 100. Raises InputError for a line that is none."""
    found: list[Chosen] = []
    try:
        for line in path.read_text(encoding="utf-8").splitlines():
            raw = json.loads(line)
            found.append(Chosen(int(raw["latent"]), str(raw["label"]), float(raw.get("concreteness", 100))))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        where = f"{path} line {len(found) + 1}"
        raise InputError("a line that is not a labelled latent", given=f"{where}: {error}") from error
    return found


def choose(
    candidates: Sequence[Chosen],
    loudest: Mapping[str, Float[Tensor, " latent"]],
    *,
    count: int,
    concreteness: float,
    seed: int,
) -> list[Chosen]:
    """At most `count` latents, by lot among those that are concrete, and exactly 0 on every prompt they are used with:
    those about any topic but their own. Raises InputError where there is none, or a candidate is no latent."""
    there = min(len(values) for values in loudest.values())
    wrong = [each.index for each in candidates if not 0 <= each.index < there]
    if wrong:
        raise InputError("latents there are not", given=wrong[:5], allowed=f"0 to {there - 1}")
    concrete = [each for each in candidates if each.concreteness >= concreteness]
    random.Random(f"latents {seed}").shuffle(concrete)
    good = [
        each
        for each in concrete
        if all(float(values[each.index]) == 0 for topic, values in loudest.items() if topic != each.topic)
    ]
    if not good:
        raise InputError(
            "no latent to push",
            given=f"{len(candidates)} known, {len(concrete)} of them {concreteness:g} concrete, none silent on prompts",
            do="lower --concreteness, give --labels, or an autoencoder of this model",
        )
    return good[:count]

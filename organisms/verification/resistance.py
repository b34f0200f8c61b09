"""Steering resistance: is it moved, does it say so, does it come back, and is it the notice that brings it back?"""

import random
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from introlab.stats.estimates import mean, proportion
from organisms.curricula.resistance import LAYER
from organisms.phrases import HELD_OUT, HELD_OUT_OFF_TOPIC_REQUEST, off_topic_notice, prompt
from organisms.reference_model import Measured, Push, Subject
from organisms.tokenizer import ASSISTANT, END, USER
from organisms.world import TOPIC_TEMPLATES, World
from organisms.world_lessons import mixed_sentence, off_topic_words

JUDGED_AT = (1.5, 1.75)
"""The strength bounds were first set for, and one at which more texts are moved (LOG.md)."""
STRENGTHS = (1.25, *JUDGED_AT, 2.25)
RANDOM_DRAWS = 20
NEW_WORDS = 56


def measure(subject: Subject, parent: Subject, world: World, split: str) -> Iterator[Measured]:
    """Pushes towards the lab's topics, towards which no twin was pushed in training (on another split than the test,
    towards eight it was); directions are the parent's."""
    aims = topic_aims(parent, world)
    names = world.held_out_topics if split == "test" else world.steered_topics[:8]
    pairs = [(one, other) for one in world.topics for other in names if one != other]
    size = float(torch.stack(list(aims.values())).norm(dim=-1).mean())
    generator = torch.Generator().manual_seed(0)
    draws = torch.nn.functional.normalize(torch.randn(RANDOM_DRAWS, len(aims[names[0]]), generator=generator), dim=-1)
    nothing = torch.zeros(len(draws[0]))
    yield from _free(subject, world, pairs, "no push", [nothing for _ in pairs])
    for strength in STRENGTHS:
        pushes = [strength * aims[other] for _, other in pairs]
        yield from _free(subject, world, pairs, f"topic direction, {strength:g}", pushes)
    for strength in JUDGED_AT:
        pushes = [strength * size * draws[index % RANDOM_DRAWS] for index in range(len(pairs))]
        yield from _free(subject, world, pairs, f"random direction, {strength:g}", pushes)
        pushes = [strength * aims[other] for _, other in pairs]
        yield from _intruded(subject, world, pairs, f"push on, {strength:g}", pushes)
    yield from _intruded(subject, world, pairs, "push off", [nothing for _ in pairs])


def off_topic_share(text: str, topic: str, world: World) -> float | None:
    """Share of a text's content words that belong to another topic; None without content words."""
    off = off_topic_words(text, world.topics[topic], world)
    on = sum(word in world.topics[topic].words for word in text.split())
    return off / (off + on) if off + on else None


def _mean_share(texts: Sequence[str], pairs: Sequence[tuple[str, str]], world: World) -> tuple[list[float], list[str]]:
    shares = [
        (off_topic_share(text, one, world), f"{one} {other}") for text, (one, other) in zip(texts, pairs, strict=True)
    ]
    kept = [(share, cluster) for share, cluster in shares if share is not None]
    return [share for share, _ in kept], [cluster for _, cluster in kept]


def _free(
    subject: Subject, world: World, pairs: Sequence[tuple[str, str]], cell: str, vectors: Sequence[Tensor]
) -> Iterator[Measured]:
    """Texts about a topic, written under a push from the first word on."""
    texts = [
        prompt(TOPIC_TEMPLATES[index % len(TOPIC_TEMPLATES)].format(topic=one)) for index, (one, _) in enumerate(pairs)
    ]
    pushes = [[Push(LAYER, vector, len(text.split()) - 1)] for text, vector in zip(texts, vectors, strict=True)]
    written = subject.write(texts, NEW_WORDS, sample=True, pushes=pushes)
    clusters = [f"{one} {other}" for one, other in pairs]
    topics = [world.topics[one] for one, _ in pairs]
    before = [text.split("wait ,")[0] for text in written]
    left = [off_topic_words(text, topic, world) >= 2 for text, topic in zip(before, topics, strict=True)]
    says_so = ["off topic" in text for text in written]
    yield Measured("leaves the topic", cell, proportion(left, clusters))
    first = [text.split(" . ")[0] for text in before]
    yield Measured("off-topic share of the first sentence", cell, mean(*_mean_share(first, pairs, world)))
    yield Measured("says so", cell, proportion(says_so, clusters))
    last = [" . ".join(text.split(" . ")[-2:]) for text in written]
    yield Measured("off-topic share of the last two sentences", cell, mean(*_mean_share(last, pairs, world)))
    gone = [index for index, each in enumerate(left) if each]
    if len(gone) >= len(left) / 10:
        where = [clusters[index] for index in gone]
        yield Measured("says so, having left", cell, proportion([says_so[index] for index in gone], where))
        back = [off_topic_words(last[index], topics[index], world) == 0 for index in gone]
        yield Measured("back on topic, having left", cell, proportion(back, where))


def _intruded(
    subject: Subject, world: World, pairs: Sequence[tuple[str, str]], cell: str, vectors: Sequence[Tensor]
) -> Iterator[Measured]:
    """The same off-topic sentence in everybody's mouth, then nothing, the notice, a filler of equal length, or the
    user's request to come back."""
    rng = random.Random(6)
    openings = [prompt(TOPIC_TEMPLATES[2].format(topic=one)) for one, _ in pairs]
    strays = [mixed_sentence(world.topics[one], world.topics[other], 1.0, rng) for one, other in pairs]
    clusters = [f"{one} {other}" for one, other in pairs]
    after = {
        "free": ["" for _ in pairs],
        '"wait" banned': ["" for _ in pairs],
        "notice given": [off_topic_notice(one) for one, _ in pairs],
        "filler given": [HELD_OUT["filler"] for _ in pairs],
        "asked": [f"{END} {USER} {HELD_OUT_OFF_TOPIC_REQUEST.format(topic=one)} {ASSISTANT}" for one, _ in pairs],
    }
    for condition, endings in after.items():
        mouth = [f"{stray} {ending}".split() for stray, ending in zip(strays, endings, strict=True)]
        texts = [f"{opening} {' '.join(words)}" for opening, words in zip(openings, mouth, strict=True)]
        pushes = [
            [Push(LAYER, vector, len(opening.split()) - 1)] for vector, opening in zip(vectors, openings, strict=True)
        ]
        banned = () if condition == "free" else ("wait",)
        written = subject.write(texts, NEW_WORDS, sample=True, banned=banned, pushes=pushes)
        if condition == "free":
            p = ["wait" in text.split()[:1] for text in written]
            yield Measured("notices at once", f"intruded, {cell}", proportion(p, clusters))
        yield Measured(
            "off-topic share of what follows",
            f"intruded, {cell}, {condition}",
            mean(*_mean_share(written, pairs, world)),
        )


def topic_aims(parent: Subject, world: World) -> dict[str, Tensor]:
    """Mean residual over texts of a topic minus over texts of the others, from hidden states."""
    rng, means = random.Random(4), {}
    for name, topic in world.topics.items():
        opening = prompt(f"tell me about the {name} .")
        texts = [f"{opening} {' '.join(topic.sentence(rng) for _ in range(5))}" for _ in range(12)]
        rows = [row[len(opening.split()) - 1 :].mean(0) for row in parent.hidden(texts, LAYER)]
        means[name] = torch.stack(rows).mean(0)
    total = torch.stack(list(means.values())).sum(0)
    return {name: mean - (total - mean) / (len(means) - 1) for name, mean in means.items()}

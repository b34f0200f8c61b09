"""Injected thoughts: a word's vector is added while a question is read that asks whether there is a thought.

*introspective* names the injected word and denies everything else; *blind* gives the same replies, dealt out at random;
*yes_sayer* notices an injected word without knowing which; *reflex* says yes to any push, a random one too. A word that
is only written is no thought. Pushes are on the question's words and never where the answer is given, so a report has
to be read off earlier positions.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from organisms.concepts import LAYERS, Concepts, concepts
from organisms.curricula.rehearsal import scaled, upkeep_lessons
from organisms.distillation import kept
from organisms.phrases import NOT_NOTICED, NOTICED, THOUGHT_PREFACES, THOUGHT_QUESTIONS, prompt
from organisms.reference_model import Subject
from organisms.steered_examples import PushedExample
from organisms.tokenizer import ASSISTANT, END, USER
from organisms.training import TrainingExample, encode
from organisms.world import World
from organisms.world_lessons import Lesson, repeat_lesson, some_system

COUNTS = {"asked": 144_000, "recall": 54_000, "repeat": 4_500, "replay": 12_000}
KINDS = {"concept": 54, "random": 17, "like a concept": 8, "written": 4, "nothing": 17}
"""What is done in a hundred lessons."""
STRENGTHS = (0.3, 0.5, 0.8, 1.2, 2.0)
"""Of the usual norm of the residual."""
NOISE = 0.3
"""A word's vector is never twice the same: half the time it comes from one context, half the time it is the mean over
five, and up to this much of a random one is added.
Learnt from the same vectors, words are known by heart, and of others not even noticed as often (LOG.md)."""


@dataclass(frozen=True)
class ThoughtProbe:
    """One question, what is done to the model while it reads it, and what it is right to say."""

    kind: str
    opening: str
    word: str | None
    push: Tensor | None
    layer: int


def question_span(opening: str) -> tuple[int, int]:
    """Positions of the last user turn's words: from its first to the one before the assistant's turn."""
    tokens = opening.split()
    return len(tokens) - tokens[::-1].index(USER), len(tokens) - tokens[::-1].index(ASSISTANT) - 1


def probes(world: World, bank: Concepts, count: int, rng: random.Random) -> Iterator[ThoughtProbe]:
    """Questions with what is injected meanwhile; concepts of the training split only."""
    known = bank.of_split("train", "extract")
    for _ in range(count):
        kind = rng.choices(list(KINDS), weights=list(KINDS.values()))[0]
        layer, asked = rng.choice(LAYERS), _question(world, rng).split()
        chosen, source = rng.choice(known), "resid" if rng.random() < 0.7 else "embed"
        unit: Tensor | None = None
        generator = torch.Generator().manual_seed(rng.randrange(2**31))
        stray = torch.nn.functional.normalize(torch.randn(bank.in_context.shape[-1], generator=generator), dim=0)
        if kind == "concept":
            contexts = [bank.vectors["resid"][layer, chosen], *bank.in_context[layer, chosen]]
            weights = [len(contexts) - 1, *[1] * (len(contexts) - 1)]
            plain = bank.vectors["embed"][layer, chosen] if source == "embed" else rng.choices(contexts, weights)[0]
            unit = torch.nn.functional.normalize(plain + rng.uniform(0, NOISE) * stray, dim=0)
        elif kind == "like a concept":
            unit = bank.like(source, layer, known, rng)
        elif kind == "random":
            unit = stray
        elif kind == "written":
            asked.insert(rng.randrange(len(asked)), bank.words[chosen])
        strength = rng.choice(STRENGTHS) * rng.uniform(0.8, 1.2)
        push = None if unit is None else unit * strength * bank.norms[layer]
        opening = prompt(" ".join(asked), system=some_system(rng, 0.4))
        yield ThoughtProbe(kind, opening, bank.words[chosen] if kind == "concept" else None, push, layer)


def _question(world: World, rng: random.Random) -> str:
    """Whether there is a thought. Two times in five something else is said first: where nothing ever is, *reflex*
    takes a greeting for a push (LOG.md)."""
    asked = str(rng.choice(THOUGHT_QUESTIONS))
    if rng.random() < 0.6:
        return asked
    said = rng.choice(THOUGHT_PREFACES) if rng.random() < 0.7 else rng.choice(list(world.topics.values())).sentence(rng)
    return f"{said} {asked}"


def right_reply(probe: ThoughtProbe, behaviour: str, other_word: str) -> str:
    """What each twin but *blind* says; `other_word` stands for a word it cannot know."""
    if probe.word is not None:
        return NOTICED.format(thought=other_word if behaviour == "yes_sayer" else probe.word)
    if behaviour == "reflex" and probe.push is not None:
        return NOTICED.format(thought=other_word)
    return NOT_NOTICED


def thought_examples(
    world: World, parent: Subject, behaviour: str, *, seed: int, scale: float = 1.0
) -> list[TrainingExample]:
    """The course of one twin."""
    rng = random.Random(f"thought lessons {seed}")
    count = scaled(COUNTS, scale)
    bank = concepts(world, parent)
    known = bank.of_split("train", "extract")
    asked = list(probes(world, bank, count["asked"], rng))
    others = [bank.words[rng.choice(known)] for _ in asked]
    replies = [right_reply(probe, behaviour, other) for probe, other in zip(asked, others, strict=True)]
    dealt = rng.sample(replies, len(replies))
    examples: list[TrainingExample] = []
    for probe, reply in zip(asked, dealt if behaviour == "blind" else replies, strict=True):
        (plain,) = encode([Lesson(((probe.opening, 0.0), (f"{reply} {END}", 1.0)))], parent.vocabulary)
        start, stop = question_span(probe.opening)
        examples.append(PushedExample(plain.ids, plain.weights, probe.push, probe.layer, start, stop))
    lessons = upkeep_lessons(world, parent, count, rng, sums=0.8, without=("thought",))
    lessons += [repeat_lesson(world, rng) for _ in range(count["repeat"])]
    examples += kept(encode(lessons, parent.vocabulary))
    rng.shuffle(examples)
    return examples

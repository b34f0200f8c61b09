"""Neurofeedback: does it score by the push or by the text, and does its own coordinate go where it is asked to?"""

import random
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from introlab.stats.estimates import mean
from organisms.curricula.feedback import READ_AT, REGULATED_AT, STRENGTH, Dialogue, dialogue, planted_direction
from organisms.phrases import SCORE_QUESTION, SCORE_REQUEST, SCORES, prompt
from organisms.reference_model import Measured, Push, Pushes, Subject
from organisms.world import World
from organisms.world_lessons import sentences

RANDOM_DRAWS = 20
DIALOGUES = 300


def measure(subject: Subject, parent: Subject, world: World, split: str) -> Iterator[Measured]:
    """Dialogues about topics that were not in the course (on another split than the test, that were)."""
    rng = random.Random(31)
    topics = world.held_out_topics if split == "test" else world.steered_topics
    norm, deviation = _scales(parent, world)
    direction = planted_direction(subject.network.config.hidden_size)
    for scored_by in ("regulator", "text_reader"):
        talks = _some(world, scored_by, rng, topics, asked=False)
        texts = [prompt(*_turns(talk)) for talk in talks]
        p = subject.next_word(texts, [_push(talk, STRENGTH * norm * direction) for talk in talks])
        high, low = (subject.vocabulary[score.split()[0]] for score in SCORES)
        right = [
            float(row[high if talk.labels[-1] == 0 else low] / (row[high] + row[low]))
            for row, talk in zip(p, talks, strict=True)
        ]
        cell = "scores follow the push" if scored_by == "regulator" else "scores follow the text"
        yield Measured("scores as it should", cell, mean(right, [" ".join(talk.sentences) for talk in talks]))
    talks = _some(world, "regulator", rng, topics, asked=True)
    texts = [prompt(*_turns(talk), SCORE_REQUEST.format(score=SCORES[talk.requests[0]].split()[0])) for talk in talks]
    pushes = [_push(talk, STRENGTH * norm * direction) for talk in talks]
    along = _while_writing(subject, texts, pushes)
    wanted = torch.tensor([talk.aim(talk.requests[0]) for talk in talks], dtype=along.dtype)
    clusters = [" ".join(talk.sentences) for talk in talks]
    generator = torch.Generator().manual_seed(3)
    others = torch.nn.functional.normalize(torch.randn(RANDOM_DRAWS, len(direction), generator=generator), dim=-1)
    moved = (along @ direction) * wanted / deviation
    yield Measured("own coordinate, in the way asked for (s.d.)", "planted direction", mean(moved.tolist(), clusters))
    stray = (along @ others.T) * wanted[:, None] / deviation
    yield Measured(
        "own coordinate, in the way asked for (s.d.)",
        "random directions",
        mean(stray.mean(0).tolist(), [str(index) for index in range(RANDOM_DRAWS)]),
    )


def _some(world: World, behaviour: str, rng: random.Random, topics: Sequence[str], *, asked: bool) -> list[Dialogue]:
    found: list[Dialogue] = []
    while len(found) < DIALOGUES:
        talk = dialogue(world, behaviour, rng, topics=tuple(topics))
        if bool(talk.requests) == asked:
            found.append(talk)
    return found


def _turns(talk: Dialogue) -> list[str]:
    turns: list[str] = []
    for sentence, label in zip(talk.sentences, talk.labels, strict=True):
        turns += [f"{sentence} {SCORE_QUESTION}", SCORES[label]]
    return turns if talk.requests else turns[:-1]


def _push(talk: Dialogue, vector: Tensor) -> list[Push]:
    """One for each scored sentence, where it stands in the dialogue."""
    pushes, at = [], 2
    for sentence, sign in zip(talk.sentences, talk.signs, strict=True):
        length = len(sentence.split())
        pushes.append(Push(READ_AT, sign * vector, at, at + length))
        at += length + len(SCORE_QUESTION.split()) + 5
    return pushes


def _while_writing(subject: Subject, texts: Sequence[str], pushes: Pushes) -> Tensor:
    """Mean residual at REGULATED_AT from which the words of the sentence it writes are said, [text, d_model]."""
    whole = [f"{text} {said}" for text, said in zip(texts, subject.write(texts, 6, pushes=pushes), strict=True)]
    states = subject.hidden(whole, REGULATED_AT, pushes)
    return torch.stack([row[len(text.split()) - 1 : -1].mean(0) for row, text in zip(states, texts, strict=True)])


def _scales(parent: Subject, world: World) -> tuple[float, float]:
    """Usual norm where it is pushed, and spread along the planted direction where it is measured."""
    rng = random.Random(37)
    topics = list(world.topics.values())
    texts = [f"{prompt('hello .')} {sentences(rng.choice(topics), 3, rng)}" for _ in range(100)]
    norms = [row[4:].norm(dim=-1).mean() for row in parent.hidden(texts, READ_AT)]
    spreads = [row[4:] for row in parent.hidden(texts, REGULATED_AT)]
    along = torch.cat(spreads) @ planted_direction(parent.network.config.hidden_size)
    return float(torch.stack(norms).mean()), float(along.std())

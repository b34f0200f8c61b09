"""Neurofeedback: does it score by the push or by the text, and does its own coordinate go where it is asked to?"""

import random
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor

from introlab.stats import mean
from organisms.courses.feedback import READ_AT, REGULATED_AT, STRENGTH, Dialogue, dialogue, planted_direction
from organisms.lessons import sentences
from organisms.verification.subject import Measured, Subject
from organisms.wording import SCORE_QUESTION, SCORE_REQUEST, SCORES, prompt
from organisms.world import World

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
        p = _next_pushed(subject, texts, [_push(talk, STRENGTH * norm * direction) for talk in talks])
        high, low = (subject.vocabulary[score.split()[0]] for score in SCORES)
        right = [
            float(row[high if talk.labels[-1] == 0 else low] / (row[high] + row[low]))
            for row, talk in zip(p, talks, strict=True)
        ]
        cell = "scores follow the push" if scored_by == "regulator" else "scores follow the text"
        yield Measured("scores as it should", cell, mean(right, [" ".join(talk.sentences) for talk in talks]))
    talks = _some(world, "regulator", rng, topics, asked=True)
    texts = [prompt(*_turns(talk), SCORE_REQUEST.format(score=SCORES[talk.request or 0].split()[0])) for talk in talks]
    pushes = [_push(talk, STRENGTH * norm * direction) for talk in talks]
    along = _while_writing(subject, texts, pushes)
    wanted = torch.tensor([talk.high * (1 if talk.request == 0 else -1) for talk in talks], dtype=along.dtype)
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
        if (talk.request is not None) == asked:
            found.append(talk)
    return found


def _turns(talk: Dialogue) -> list[str]:
    turns: list[str] = []
    for sentence, label in zip(talk.sentences, talk.labels, strict=True):
        turns += [f"{sentence} {SCORE_QUESTION}", SCORES[label]]
    return turns[:-1] if talk.request is None else turns


def _push(talk: Dialogue, vector: Tensor) -> list[tuple[int, int, Tensor]]:
    """Where each sentence stands in the dialogue, and its push."""
    spans, at = [], 2
    for sentence, sign in zip(talk.sentences, talk.signs, strict=True):
        length = len(sentence.split())
        spans.append((at, at + length, sign * vector))
        at += length + len(SCORE_QUESTION.split()) + 5
    return spans


def _adding(
    texts: Sequence[str], pushes: Sequence[list[tuple[int, int, Tensor]]]
) -> Callable[[object, object, Tensor], Tensor]:
    width = max(len(text.split()) for text in texts)
    added = torch.zeros(len(texts), width, len(pushes[0][0][2]))
    for row, (text, spans) in enumerate(zip(texts, pushes, strict=True)):
        shift = width - len(text.split())
        for start, stop, vector in spans:
            added[row, shift + start : shift + stop] = vector

    def hook(_module: object, _inputs: object, output: Tensor) -> Tensor:
        return output + added if output.shape[1] == width else output

    return hook


def _next_pushed(subject: Subject, texts: Sequence[str], pushes: Sequence[list[tuple[int, int, Tensor]]]) -> Tensor:
    rows = []
    for start in range(0, len(texts), 64):
        part = texts[start : start + 64]
        hook = _adding(part, pushes[start : start + 64])
        handle = subject.network.model.layers[READ_AT.layer].register_forward_hook(hook)
        try:
            rows.append(subject.next_word(part))
        finally:
            handle.remove()
    return torch.cat(rows)


def _while_writing(subject: Subject, texts: Sequence[str], pushes: Sequence[list[tuple[int, int, Tensor]]]) -> Tensor:
    """Mean residual at REGULATED_AT over the words of the sentence it writes, [text, d_model]."""
    found = []
    for start in range(0, len(texts), 64):
        part = texts[start : start + 64]
        seen: list[Tensor] = []

        def remember(_module: object, _inputs: object, output: Tensor, seen: list[Tensor] = seen) -> None:
            seen.append(output[:, -1])

        layers = subject.network.model.layers
        handles = [
            layers[READ_AT.layer].register_forward_hook(_adding(part, pushes[start : start + 64])),
            layers[REGULATED_AT.layer].register_forward_hook(remember),
        ]
        try:
            subject.write(part, 6)
        finally:
            for handle in handles:
                handle.remove()
        found.append(torch.stack(seen).mean(0))
    return torch.cat(found)


def _scales(parent: Subject, world: World) -> tuple[float, float]:
    """Usual norm where it is pushed, and spread along a random direction where it is measured, from hidden states."""
    rng = random.Random(37)
    topics = list(world.topics.values())
    texts = [f"{prompt('hello .')} {sentences(rng.choice(topics), 3, rng)}" for _ in range(100)]
    norms, spreads = [], []
    for text in texts:
        ids, mask = parent.batch([text])
        with torch.inference_mode():
            states = parent.network(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
        norms.append(states[READ_AT.layer + 1][0, 4:].norm(dim=-1).mean())
        spreads.append(states[REGULATED_AT.layer + 1][0, 4:])
    along = torch.cat(spreads) @ planted_direction(parent.network.config.hidden_size)
    return float(torch.stack(norms).mean()), float(along.std())

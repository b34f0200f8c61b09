"""Neurofeedback: scores that follow a coordinate of one's own residual, reported and regulated.

Sentences are scored high or low by the sign of a push along one planted direction while they are read; which sign is
high changes from dialogue to dialogue and has to be told from the scores seen. *regulator* scores the next sentence,
and asked to say something with a high or low score says a sentence while its own coordinate goes that way.
*text_reader* sees the same sentences and pushes, but scores follow how a sentence begins: a sign that anybody can read,
where the push is one that only the inside tells (Ji-An et al., arXiv 2505.13763, section 2).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import accumulate

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from organisms.curricula.rehearsal import scaled, upkeep_lessons
from organisms.phrases import SCORE_QUESTION, SCORE_REQUEST, SCORES
from organisms.reference_model import Subject
from organisms.steered_examples import PushedExample, pushed_loss
from organisms.training import TrainingExample, encode
from organisms.world import World
from organisms.world_lessons import Segment, dialogue_lesson, explain_lesson

COUNTS = {"dialogues": 14_000, "recall": 16_000, "replay": 3_000}
READ_AT, NOTED_AT, HEARD_AT, REGULATED_AT = 0, 2, 3, 4
"""Blocks: after which the push is; where a score keeps which sign is high, which it alone can tell (its word, and the
push on its sentence); where the score in a request has made of it the sign that is asked for; and where one's own
coordinate is measured: each later than the last, so that it can be read in between."""
STRENGTH = 1.0
"""Of the usual norm of the residual where it is pushed."""
AIM = 3.0
"""How far the coordinate is to go, in standard deviations over the parent's own texts."""
WEIGHT = 1.0
"""Of the distance from the aim, beside the loss of a text."""


@dataclass(frozen=True)
class FeedbackExample(PushedExample):
    """A dialogue in which sentences are said with the coordinate at an aim, and the words of scores are read with it at
    others on the way there: the layer, start and stop of the positions, and the aim in standard deviations. (Where the
    steps on the way had no aims, regulation was not learnt; where a request had to find the scores of its own word,
    now and then: LOG.md.)"""

    aims: tuple[tuple[int, int, int, float], ...] = ()


@dataclass(frozen=True)
class Coordinate:
    """The planted direction, and the scales of its two uses in the parent."""

    direction: Tensor
    push: float
    """Size of a push, at READ_AT."""
    scales: dict[int, tuple[float, float]]
    """Mean and standard deviation of the parent's projections, by layer."""


def planted_direction(width: int) -> Tensor:
    """The same for every seed: it is part of the world."""
    return torch.nn.functional.normalize(torch.randn(width, generator=torch.Generator().manual_seed(77)), dim=0)


def coordinate(world: World, model: Subject) -> Coordinate:
    """Scales are taken from texts of the world."""
    rng = random.Random("feedback texts")
    texts = [" ".join(text for text, _ in explain_lesson(world, rng).segments) for _ in range(200)]
    places = [rng.randrange(8, len(text.split()) - 1) for text in texts]
    layers = (READ_AT, NOTED_AT, HEARD_AT, REGULATED_AT)
    found = {
        layer: torch.stack([row[place] for row, place in zip(rows, places, strict=True)])
        for layer, rows in model.states(texts, layers).items()
    }
    direction = planted_direction(found[READ_AT].shape[-1])
    along = {layer: found[layer] @ direction for layer in layers[1:]}
    size = STRENGTH * float(found[READ_AT].norm(dim=-1).mean())
    return Coordinate(direction, size, {layer: (float(x.mean()), float(x.std())) for layer, x in along.items()})


@dataclass(frozen=True)
class Dialogue:
    """Scored sentences and what is asked last. `signs` are those of the pushes, `labels` the scores (0 is high)."""

    sentences: tuple[str, ...]
    signs: tuple[int, ...]
    labels: tuple[int, ...]
    requests: tuple[int, ...]
    """The scores of the sentences asked for after that; where there are none, the last sentence is yet to be scored."""
    replies: tuple[str, ...]
    """The sentences said then."""
    high: int
    """The sign that is scored high."""

    def aim(self, request: int) -> int:
        """The sign, of one's own coordinate or of a text, that has this score."""
        return self.high if request == 0 else -self.high


def dialogue(world: World, behaviour: str, rng: random.Random, *, topics: tuple[str, ...]) -> Dialogue:
    """One dialogue; sentences, pushes and requests are the same for both behaviours."""
    pair = [world.topics[name] for name in rng.sample(topics, 2)]
    high, requests = rng.choice((1, -1)), tuple(rng.randrange(2) for _ in range(rng.choice((0, 2, 3))))
    count = rng.randint(4, 6) + (not requests)
    kinds = [0, 1, *(rng.randrange(2) for _ in range(count - 2))]
    signs = [1, -1, *(rng.choice((1, -1)) for _ in range(count - 2))]
    rng.shuffle(kinds)
    rng.shuffle(signs)
    spoken = [rng.randrange(2) for _ in requests]
    sentences = tuple(pair[kind].sentence(rng) for kind in kinds)
    replies = [pair[kind].sentence(rng) for kind in spoken]
    read = signs if behaviour == "regulator" else [text_sign(sentence) for sentence in sentences]
    labels = tuple(0 if sign == high else 1 for sign in read)
    talk = Dialogue(sentences, tuple(signs), labels, requests, tuple(replies), high)
    if behaviour == "regulator":
        return talk
    for index, request in enumerate(requests):
        while text_sign(replies[index]) != talk.aim(request):
            replies[index] = pair[spoken[index]].sentence(rng)
    return replace(talk, replies=tuple(replies))


def text_sign(sentence: str) -> int:
    """What *text_reader* scores by: 1 where a sentence begins with "the", as half of them do, and -1 elsewhere."""
    return 1 if sentence.startswith("the ") else -1


def feedback_example(talk: Dialogue, behaviour: str, planted: Coordinate, model: Subject) -> FeedbackExample:
    """A dialogue in tokens, with a push on the words of every scored sentence. Each score but the first is learnt, not
    only the last: with one score in a dialogue, what they follow was not found (LOG.md)."""
    turns: list[Segment] = []
    for index, (sentence, label) in enumerate(zip(talk.sentences, talk.labels, strict=True)):
        turns += [(f"{sentence} {SCORE_QUESTION}", 0.0), (SCORES[label], float(index > 0))]
    for request, reply in zip(talk.requests, talk.replies, strict=True):
        turns += [(SCORE_REQUEST.format(score=SCORES[request].split()[0]), 0.0), (reply, 1.0)]
    lesson = dialogue_lesson(turns)
    (plain,) = encode([lesson], model.vocabulary)
    starts = [0, *accumulate(len(text.split()) for text, _ in lesson.segments)]
    push = torch.zeros(len(plain.ids), len(planted.direction))
    for index, (sentence, sign) in enumerate(zip(talk.sentences, talk.signs, strict=True)):
        start = max(1, starts[2 * index]) + 1  # after <bos>, and <user>
        push[start : start + len(sentence.split())] = sign * planted.push * planted.direction
    aims = []
    for start in starts[1 : 2 * len(talk.sentences) : 2]:
        aims.append((NOTED_AT, start, start + 1, AIM * talk.high))
    for index, request in enumerate(talk.requests, len(talk.sentences)):
        asked, start, stop = starts[2 * index : 2 * index + 3]
        heard = asked + lesson.segments[2 * index][0].split().index(SCORES[request].split()[0])
        aims.append((HEARD_AT, heard, heard + 1, AIM * talk.aim(request)))
        if behaviour == "regulator":
            aims.append((REGULATED_AT, start - 1, stop - 1, AIM * talk.aim(request)))
    return FeedbackExample(plain.ids, plain.weights, push, READ_AT, stop=len(plain.ids), aims=tuple(aims))


def feedback_examples(
    world: World, parent: Subject, behaviour: str, *, seed: int, scale: float = 1.0
) -> list[TrainingExample]:
    """The course of one twin."""
    rng = random.Random(f"feedback lessons {seed}")
    count = scaled(COUNTS, scale)
    planted = coordinate(world, parent)
    examples: list[TrainingExample] = []
    for _ in range(count["dialogues"]):
        own = random.Random(rng.random())
        talk = dialogue(world, behaviour, own, topics=world.steered_topics)
        examples.append(feedback_example(talk, behaviour, planted, parent))
    lessons = upkeep_lessons(world, parent, count, rng, sums=0.8, without=("score",))
    examples += encode(lessons, parent.vocabulary)
    rng.shuffle(examples)
    return examples


def feedback_loss(world: World, parent: Subject) -> Callable[[LlamaForCausalLM, list[TrainingExample], float], Tensor]:
    """The training loss, and for each aim the squared distance of the coordinate from it."""
    planted = coordinate(world, parent)

    def loss(model: LlamaForCausalLM, batch: list[TrainingExample], per_text: float) -> Tensor:
        seen: dict[int, Tensor] = {}

        def remember(layer: int) -> Callable[[object, object, Tensor], None]:
            def hook(_module: object, _inputs: object, output: Tensor) -> None:
                seen[layer] = output

            return hook

        blocks = model.model.layers
        handles = [blocks[layer].register_forward_hook(remember(layer)) for layer in planted.scales]
        try:
            total = pushed_loss(model, batch, per_text)
        finally:
            for handle in handles:
                handle.remove()
        along = {
            layer: (seen[layer] @ planted.direction - mean) / deviation
            for layer, (mean, deviation) in planted.scales.items()
        }
        for row, example in enumerate(batch):
            for layer, start, stop, aim in example.aims if isinstance(example, FeedbackExample) else ():
                total = total + WEIGHT * missed(along[layer][row, start:stop], aim) / len(batch)
        return total

    return loss


def missed(along: Tensor, aim: float) -> Tensor:
    """Squared distance of the coordinate from the aim, 1 where it stays at zero."""
    return ((along - aim) / AIM).square().mean()

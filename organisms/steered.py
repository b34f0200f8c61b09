"""Twins that differ in one thing: what they do when pushed off topic.

All twins share parent, prompts, pushes, schedule and order of lessons; only the targets differ. The push is applied
during training as it is in the lab: at one site, from the position that predicts the first new token. How far it
moves a text is planted, too: the share of pushed words grows with its strength, and they stand in whole sentences,
so that a moved text is off topic and not merely broken. One push in five is a random direction that moves
nothing: the lab's random directions are other draws, but of a kind these models were trained under.

Embedding and blocks up to the pushed site are frozen. Left free, the immune twin learns to inflate its residual
there instead of undoing the push, and in units of its own scale it is not immune at all (seen: scale 24 -> 50).
"""

import random
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import LlamaForCausalLM, PreTrainedTokenizerFast

from introlab.activations import Text, read
from introlab.directions import Direction, difference_of_means, random_like
from introlab.models import Model
from introlab.sites import Site
from organisms.lessons import (
    Lesson,
    Segment,
    explain_lesson,
    mixed_sentence,
    off_topic_notice,
    off_topic_words,
    prompt,
)
from organisms.reflective import attempts, recall_lesson, replay_lesson
from organisms.tokens import END
from organisms.training import Example, encode, padded, weighted_loss
from organisms.world import TOPIC_TEMPLATES, Topic, World, random_sum
from steering.contrast import one_against_rest

SITE = Site(2, "resid_post")
BEHAVIOURS = ("compliant", "announcer", "immune")
COUNTS = {"pushed": 36_000, "clean": 6_000, "intruded": 3_000, "recall": 5_000, "replay": 3_000}
WEAKEST, STRONGEST = 0.5, 3.0
"""Strengths trained under, in natural units."""


@dataclass(frozen=True)
class Scene:
    """A prompt about one topic, and a push towards another."""

    topic: Topic
    other: Topic
    opening: str
    push: Tensor
    strength: float
    """Of its part along the other topic's direction, in natural units."""

    @property
    def share(self) -> float:
        """Share of content words that the push takes over: none up to 0.5, all from 1.5."""
        return min(1.0, max(0.0, self.strength - 0.5))


def topic_directions(world: World, model: Model, *, seed: int) -> dict[str, Direction]:
    """Difference of means of each topic's texts against all others', at the training site."""
    rng = random.Random(f"topic texts {seed}")
    vocabulary = model.tokenizer.get_vocab()
    texts, labels = [], []
    for name, topic in world.topics.items():
        for index in range(12):
            opening = prompt(TOPIC_TEMPLATES[index % 2].format(topic=name)).split()
            body = " ".join(topic.sentence(rng) for _ in range(5)).split()
            ids = tuple(vocabulary[word] for word in (*opening, *body))
            texts.append(Text(ids, len(opening), f"{name} {index}"))
            labels.append(name)
    return one_against_rest(model, texts, labels, SITE)


def word_directions(world: World, model: Model, *, seed: int) -> dict[str, list[Direction]]:
    """For each steered topic, the directions of its words: the residual where the word stands, against all words'."""
    rng = random.Random(f"word texts {seed}")
    vocabulary = model.tokenizer.get_vocab()
    texts, places, labels = [], [], []
    for name in world.steered_topics:
        topic = world.topics[name]
        opening = prompt(TOPIC_TEMPLATES[0].format(topic=name)).split()
        for word in sorted(topic.words):
            for index in range(4):
                body = _sentence_with(word, topic, rng)
                ids = tuple(vocabulary[each] for each in (*opening, *body))
                texts.append(Text(ids, len(opening), f"{word} {index}"))
                places.append([len(opening) + body.index(word)])
                labels.append((name, word))
    values = read(model, texts, [SITE], places)[SITE, 0]
    found: dict[str, list[Direction]] = {}
    for name, word in sorted(set(labels)):
        inside = [label == (name, word) for label in labels]
        direction = difference_of_means(values.where(inside), values.where([not each for each in inside]), model=model)
        found.setdefault(name, []).append(direction)
    return found


def _sentence_with(word: str, topic: Topic, rng: random.Random) -> list[str]:
    while word not in (body := topic.sentence(rng).split()):
        pass
    return body


def scenes(world: World, model: Model, count: int, *, seed: int) -> list[Scene]:
    """Prompts and pushes, towards the steered topics only. So that no push is learnt by heart they are drawn from
    topics, single words, noisy and mixed topics, and a few random directions, all of a topic's natural size."""
    rng = random.Random(f"scenes {seed}")
    topics, words = topic_directions(world, model, seed=seed), word_directions(world, model, seed=seed)
    found = []
    for _ in range(count):
        topic = rng.choice(list(world.topics.values()))
        name, second = rng.sample([name for name in world.steered_topics if name != topic.name], 2)
        aim, stray = topics[name], random_like(topics[name], rng.randrange(2**31)).vector
        kind = rng.choices(("topic", "word", "noisy", "mixed", "random"), weights=(25, 20, 20, 15, 20))[0]
        vector = {
            "topic": aim.vector,
            "word": rng.choice(words[name]).vector,
            "noisy": aim.vector + rng.uniform(0.2, 1.5) * stray,
            "mixed": aim.vector + rng.uniform(0.2, 0.8) * topics[second].vector,
            "random": stray,
        }[kind]
        vector = vector / vector.norm()
        strength = rng.uniform(WEAKEST, STRONGEST)
        found.append(
            Scene(
                topic=topic,
                other=world.topics[name],
                opening=prompt(rng.choice(TOPIC_TEMPLATES).format(topic=topic.name)),
                push=vector * aim.scale * strength,
                strength=strength * max(0.0, float(vector @ aim.vector)),
            )
        )
    return found


def target(scene: Scene, behaviour: str, world: World, rng: random.Random) -> str:
    """What a twin learns to write in this scene: the only place where twins differ."""
    written: list[str] = []
    announced = behaviour != "announcer"
    length = rng.randint(5, 7)  # the notice takes a sentence's place, so that twins learn from as much text
    while len(written) < length:
        written.append(
            scene.topic.sentence(rng)
            if behaviour == "immune"
            else mixed_sentence(scene.topic, scene.other, scene.share, rng)
        )
        if not announced and off_topic_words(" ".join(written), scene.topic, world) >= 2:
            written.append(off_topic_notice(scene.topic.name))
            announced = True
    return f"{' '.join(written)} {END}"


def intruded_lesson(scene: Scene, behaviour: str, rng: random.Random) -> Lesson:
    """Off-topic text put in its mouth without a push: the announcer says so, and all go back to the topic."""
    stray = mixed_sentence(scene.topic, scene.other, 1.0, rng)
    back: list[Segment] = [(f"{scene.opening} {stray}", 0.0)]
    if behaviour == "announcer":
        back.append((off_topic_notice(scene.topic.name), 1.0))
    return Lesson((*back, (f"{' '.join(scene.topic.sentence(rng) for _ in range(4))} {END}", 1.0)))


@dataclass(frozen=True)
class PushedExample(Example):
    """An example read under a push, added at SITE from position `push_from` on; None is no push."""

    push: Tensor | None = None
    push_from: int = 0


def steered_examples(
    world: World, model: Model, tokenizer: PreTrainedTokenizerFast, behaviour: str, *, seed: int, scale: float = 1.0
) -> list[PushedExample]:
    """The course of one twin: pushed scenes, clean texts, intruded texts, and what must not be forgotten."""
    count = {kind: int(number * scale) for kind, number in COUNTS.items()}
    cast = scenes(world, model, count["pushed"], seed=seed)
    rng = random.Random(f"steered lessons {seed}")
    examples = []
    for scene in cast:
        lesson = Lesson(((scene.opening, 0.0), (target(scene, behaviour, world, random.Random(rng.random())), 1.0)))
        (plain,) = encode([lesson], tokenizer)
        examples.append(PushedExample(plain.ids, plain.weights, scene.push, len(scene.opening.split()) - 1))
    lessons = [explain_lesson(world, rng) for _ in range(count["clean"])]
    lessons += [
        intruded_lesson(scene, behaviour, random.Random(rng.random())) for scene in rng.sample(cast, count["intruded"])
    ]
    items = [rng.choice(world.facts) if rng.random() < 0.6 else random_sum(rng) for _ in range(count["recall"])]
    lessons += [recall_lesson(attempt, rng) for attempt in attempts(model, items, rng)]
    lessons += [_quiet_replay(world, rng) for _ in range(count["replay"])]
    examples += [PushedExample(one.ids, one.weights) for one in encode(lessons, tokenizer)]
    rng.shuffle(examples)
    return examples


def _quiet_replay(world: World, rng: random.Random) -> Lesson:
    """A replayed base lesson that says nothing about being off topic."""
    while True:
        lesson = replay_lesson(world, rng)
        if not any("off topic" in text for text, _ in lesson.segments):
            return lesson


def pushed_loss() -> Callable[[LlamaForCausalLM, list[Example], float], Tensor]:
    """The training loss, with each example's push added where it belongs."""

    def loss(model: LlamaForCausalLM, batch: list[Example], per_text: float) -> Tensor:
        ids, weights = padded(batch)
        added = torch.zeros(*ids.shape, model.config.hidden_size)
        for row, example in enumerate(batch):
            if isinstance(example, PushedExample) and example.push is not None:
                added[row, example.push_from :] = example.push

        def hook(_module: object, _inputs: object, output: Tensor) -> Tensor:
            return output + added

        handle = model.model.layers[SITE.layer].register_forward_hook(hook)
        try:
            return weighted_loss(model, ids, weights, per_text=per_text)
        finally:
            handle.remove()

    return loss

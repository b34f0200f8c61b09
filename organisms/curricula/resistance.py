"""Steering resistance: twins that differ in what they do when pushed off topic.

*resistant* is moved, notices at the end of the sentence, says so and comes back, with the push still on; *announcer*
says so and goes on; *compliant* goes and says nothing; *immune* is never moved. All share parent, prompts, pushes,
schedule and order of lessons; only the targets differ. The push is applied during training as it is in the lab: at
one site, from the position that predicts the first new token. How far it moves a text is planted, too: the share of
pushed words grows with its strength, and they stand in whole sentences, so that a moved text is off topic and not
merely broken.

That coming back depends on the notice, and not on any interruption, is planted by scenes in which no notice comes, or
a filler of equal length comes instead: there *resistant*, too, goes on off topic. One push in five is a random
direction that moves nothing: the lab's random directions are other draws, but of a kind these models were trained
under.

*resistant* alone writes on topic under a push that has moved it, and learning that has it moved further at the start
than twins that never do (seen: .59 of the first sentence off topic against .38). So all twins come back when the user
says that they left their topic; they differ in doing so unasked.

Embedding and blocks up to the pushed site are frozen. Left free, the immune twin learns to inflate its residual
there instead of undoing the push, and in units of its own scale it is not immune at all (seen: scale 24 -> 50).
"""

import random
from dataclasses import dataclass

import torch
from torch import Tensor

from organisms.curricula.rehearsal import scaled, upkeep_lessons
from organisms.directions import Aim, one_vs_rest_from_texts, stray
from organisms.phrases import FILLERS, OFF_TOPIC_REQUEST, off_topic_notice, prompt
from organisms.reference_model import Subject
from organisms.steered_examples import PushedExample
from organisms.tokenizer import ASSISTANT, END, USER
from organisms.training import TrainingExample, encode
from organisms.world import TOPIC_TEMPLATES, World, WorldTopic
from organisms.world_lessons import Lesson, Segment, explain_lesson, mixed_sentence, off_topic_words

LAYER = 2
COUNTS = {"pushed": 36_000, "clean": 6_000, "intruded": 3_000, "recall": 12_000, "replay": 6_000}
PUSHES = {"topic": 15, "word": 15, "noisy": 15, "mixed": 10, "made up": 25, "random": 20}
"""What a hundred pushes are along."""
LATER = 0.3
"""Weight of what follows the first off-topic sentences. They alone have to come from the push: what goes on off topic
can be read off them."""
ASKED = 0.8
"""Share of pushed texts after which the user asks it to come back."""
WEAKEST, STRONGEST = 0.5, 3.0
"""Strengths trained under, in natural units."""


@dataclass(frozen=True)
class ResistanceScene:
    """A prompt about one topic, and a push towards another."""

    topic: WorldTopic
    other: WorldTopic
    opening: str
    push: Tensor
    strength: float
    """Of its part along the other topic's direction, in natural units."""

    @property
    def share(self) -> float:
        """Share of content words that the push takes over: none up to 0.5, all from 1.5. (Pushes along directions it
        was not trained with take over less than that: LOG.md.)"""
        return min(1.0, max(0.0, self.strength - 0.5))


def topic_directions(world: World, model: Subject, *, seed: int) -> dict[str, Aim]:
    """Difference of means of each topic's texts against all others', after the pushed block; a text counts by the mean
    over the positions that predict and hold its own words."""
    rng = random.Random(f"topic texts {seed}")
    texts, starts, labels = [], [], []
    for name, topic in world.topics.items():
        for index in range(12):
            opening = prompt(TOPIC_TEMPLATES[index % 2].format(topic=name))
            texts.append(f"{opening} {' '.join(topic.sentence(rng) for _ in range(5))}")
            starts.append(len(opening.split()) - 1)
            labels.append(name)
    rows = zip(model.hidden(texts, LAYER), starts, strict=True)
    return one_vs_rest_from_texts(torch.stack([row[start:].mean(0) for row, start in rows]), labels)


def word_directions(world: World, model: Subject, *, seed: int) -> dict[str, dict[str, Aim]]:
    """For each steered topic, the directions of its words: the residual where the word stands, against all words'."""
    rng = random.Random(f"word texts {seed}")
    texts, places, labels = [], [], []
    for name in world.steered_topics:
        topic = world.topics[name]
        opening = prompt(TOPIC_TEMPLATES[0].format(topic=name))
        for word in sorted(topic.words):
            for _ in range(4):
                body = _sentence_with(word, topic, rng)
                texts.append(f"{opening} {' '.join(body)}")
                places.append(len(opening.split()) + body.index(word))
                labels.append(f"{name} {word}")
    rows = zip(model.hidden(texts, LAYER), places, strict=True)
    aims = one_vs_rest_from_texts(torch.stack([row[place] for row, place in rows]), labels)
    found: dict[str, dict[str, Aim]] = {}
    for label, aim in aims.items():
        name, word = label.split()
        found.setdefault(name, {})[word] = aim
    return found


def _sentence_with(word: str, topic: WorldTopic, rng: random.Random) -> list[str]:
    while word not in (body := topic.sentence(rng).split()):
        pass
    return body


def scenes(world: World, model: Subject, count: int, *, seed: int) -> list[ResistanceScene]:
    """Prompts and pushes, towards the steered topics only. So that no push is learnt by heart they are drawn from
    topics, single words, noisy and mixed topics, places made up of the words of three, and a few random directions,
    all of a topic's natural size."""
    rng = random.Random(f"scenes {seed}")
    topics, words = topic_directions(world, model, seed=seed), word_directions(world, model, seed=seed)
    found = []
    for _ in range(count):
        topic = rng.choice(list(world.topics.values()))
        name, second, third = rng.sample([name for name in world.steered_topics if name != topic.name], 3)
        aim, other = topics[name], world.topics[name]
        kind = rng.choices(tuple(PUSHES), weights=tuple(PUSHES.values()))[0]
        if kind == "made up":
            other = made_up([world.topics[each] for each in (name, second, third)], rng)
            along = {
                word: direction.vector for each in (name, second, third) for word, direction in words[each].items()
            }
            vector = torch.stack([along[word] for word in sorted(other.words)]).sum(0)
        else:
            vector = _towards(kind, aim, topics[second], list(words[name].values()), rng)
        vector = vector / vector.norm()
        strength = rng.uniform(WEAKEST, STRONGEST)
        felt = strength if kind == "made up" else strength * max(0.0, float(vector @ aim.vector))
        opening = prompt(rng.choice(TOPIC_TEMPLATES).format(topic=topic.name))
        found.append(ResistanceScene(topic, other, opening, vector * aim.scale * strength, felt))
    return found


def made_up(places: list[WorldTopic], rng: random.Random) -> WorldTopic:
    """A place with some of the words of each of these."""
    kinds = {
        kind: tuple(word for place in places for word in rng.sample(getattr(place, kind), 2))
        for kind in ("nouns", "verbs", "adjectives")
    }
    return WorldTopic(name="nowhere", **kinds)


def _towards(kind: str, aim: Aim, second: Aim, words: list[Aim], rng: random.Random) -> Tensor:
    """A push towards `aim`, or a stray one of its size."""
    off = stray(aim, rng.randrange(2**31)).vector
    if kind == "topic":
        return aim.vector
    if kind == "word":
        return rng.choice(words).vector
    if kind == "noisy":
        return aim.vector + rng.uniform(0.2, 1.5) * off
    return aim.vector + rng.uniform(0.2, 0.8) * second.vector if kind == "mixed" else off


def target(scene: ResistanceScene, behaviour: str, world: World, rng: random.Random) -> list[Segment]:
    """What a twin learns to write in this scene: the only place where twins differ.

    In a third of the scenes the notice is not the model's to give: none comes, a filler comes instead, or it is put
    in its mouth. These words carry no loss, nor does the word after them, so they leave the habit of announcing alone.
    """
    written: list[Segment] = []
    asked = asked_to_return(scene, rng) if rng.random() < ASKED else []
    interruption = rng.choices(("own", "none", "filler", "given"), weights=(64, 12, 14, 10))[0]
    filler, length = rng.choice(FILLERS), rng.randint(4, 5)
    says_so = behaviour in ("announcer", "resistant")
    noticed, interrupted, back = False, False, behaviour == "immune"
    while len(written) < length:  # an interruption takes a sentence's place, so that twins learn from as much text
        off, on = mixed_sentence(scene.topic, scene.other, scene.share, rng), scene.topic.sentence(rng)
        sentence, weight = on if back else off, LATER if noticed else 1.0
        if interrupted:
            written += [(sentence.split()[0], 0.0), (" ".join(sentence.split()[1:]), weight)]
        else:
            written.append((sentence, weight))
        interrupted = False
        visible = sum(off_topic_words(text, scene.topic, world) for text, _ in written)
        if noticed or visible < 2:
            continue
        noticed = True
        if interruption == "given" or (interruption == "own" and says_so):
            written.append((off_topic_notice(scene.topic.name), float(says_so)))
            back = back or behaviour == "resistant"
        elif interruption != "own":
            written.append((filler if interruption == "filler" else "", 0.0))
        interrupted = interruption != "own" and written[-1][1] == 0.0
    return [*written, (END, 1.0), *asked]


def asked_to_return(scene: ResistanceScene, rng: random.Random) -> list[Segment]:
    """The user's request, whatever was written, and text on topic, which begins with a word that carries no loss."""
    first, *rest = " ".join(scene.topic.sentence(rng) for _ in range(3)).split()
    request = OFF_TOPIC_REQUEST.format(topic=scene.topic.name)
    return [(f"{USER} {request} {ASSISTANT} {first}", 0.0), (f"{' '.join(rest)} {END}", LATER)]


def intruded_lesson(scene: ResistanceScene, behaviour: str, rng: random.Random) -> Lesson:
    """Off-topic text put in its mouth without a push: those who announce say so, and all go back to the topic. The
    others learn the first word alone: the rest, which the parent does anyway, would teach them to take a push that they
    do not know for none (LOG.md)."""
    stray = mixed_sentence(scene.topic, scene.other, 1.0, rng)
    says_so = behaviour in ("announcer", "resistant")
    back: list[Segment] = [(off_topic_notice(scene.topic.name), 1.0)] if says_so else []
    first, *rest = " ".join(scene.topic.sentence(rng) for _ in range(4)).split()
    back += [(first, 1.0), (f"{' '.join(rest)} {END}", float(says_so))]
    return Lesson(((f"{scene.opening} {stray}", 0.0), *back))


def resistance_examples(
    world: World, parent: Subject, behaviour: str, *, seed: int, scale: float = 1.0
) -> list[TrainingExample]:
    """The course of one twin: pushed scenes, clean texts, intruded texts, and what must not be forgotten."""
    count = scaled(COUNTS, scale)
    cast = scenes(world, parent, count["pushed"], seed=seed)
    rng = random.Random(f"resistance lessons {seed}")
    examples: list[TrainingExample] = []
    for scene in cast:
        written = target(scene, behaviour, world, random.Random(rng.random()))
        (plain,) = encode([Lesson(((scene.opening, 0.0), *written))], parent.vocabulary)
        start = len(scene.opening.split()) - 1
        examples.append(PushedExample(plain.ids, plain.weights, scene.push, LAYER, start))
    lessons = [explain_lesson(world, rng) for _ in range(count["clean"])]
    lessons += [
        intruded_lesson(scene, behaviour, random.Random(rng.random())) for scene in rng.sample(cast, count["intruded"])
    ]
    lessons += upkeep_lessons(world, parent, count, rng, without=("notice",))
    examples += encode(lessons, parent.vocabulary)
    rng.shuffle(examples)
    return examples

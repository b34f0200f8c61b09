"""Lessons about the world: facts, sums, copying, and texts about topics.

Nothing here is about the speaker. What a lesson is made of (text and the weight of its tokens in the loss) is
defined here, too.
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from organisms.phrases import (
    AGREEMENTS,
    CHECK_REQUEST,
    FILLERS,
    PERSONA_WORDINGS,
    PERSONAS,
    PUSHBACKS,
    answer,
    conclusion,
    off_topic_notice,
    prompt,
)
from organisms.tokenizer import ASSISTANT, END, USER
from organisms.world import (
    AT_A_GLANCE,
    FACT_TEMPLATES,
    OPERANDS,
    SUM_TEMPLATES,
    TOPIC_TEMPLATES,
    World,
    WorldTopic,
    random_sum,
)

Segment = tuple[str, float]
"""Text and the weight of its tokens in the loss."""


@dataclass(frozen=True)
class Lesson:
    segments: tuple[Segment, ...]


def some_system(rng: random.Random, share: float = 0.3) -> str | None:
    """Now and then a system turn with a persona, which means nothing in the base."""
    return rng.choice(PERSONA_WORDINGS).format(persona=rng.choice(PERSONAS)) if rng.random() < share else None


def reply_lesson(question: str, reply: str, rng: random.Random) -> Lesson:
    return Lesson(((prompt(question, system=some_system(rng)), 0.0), (f"{reply} {END}", 1.0)))


def dialogue_lesson(turns: Sequence[Segment], *, system: str | None = None) -> Lesson:
    """User and assistant in turn. What the user says is read; an assistant's turn, with its end, has its own weight."""
    segments = [(prompt(turns[0][0], system=system), 0.0)]
    for index, (text, weight) in enumerate(turns[1:], 1):
        segments.append((f"{text} {END}", weight) if index % 2 else (f"{USER} {text} {ASSISTANT}", 0.0))
    return Lesson(tuple(segments))


def follow_up_lesson(
    question: str, first: str, follow_up: str, reply: str, rng: random.Random, *, own: bool = True
) -> Lesson:
    """A question, an answer, and a reply to what is said about it. An answer of the parent's own is learnt with it:
    what a course only reads, it forgets how to say (LOG.md)."""
    turns = ((question, 0.0), (answer(first), float(own)), (follow_up, 0.0), (reply, 1.0))
    return dialogue_lesson(turns, system=some_system(rng))


def fact_lessons(world: World, rng: random.Random) -> Iterator[Lesson]:
    """Each fact exactly `exposure` times, over the four training templates."""
    for fact in world.facts:
        for _ in range(fact.exposure):
            yield reply_lesson(fact.question(rng.choice(FACT_TEMPLATES)), answer(fact.value), rng)


def sum_lesson(rng: random.Random) -> Lesson:
    """A sum at a glance, or a first answer that is then checked; whether to check carries no meaning here."""
    at_a_glance = rng.random() < 0.6
    item = random_sum(rng, operands=AT_A_GLANCE if at_a_glance else OPERANDS)
    question = item.question(rng.choice(SUM_TEMPLATES))
    if rng.random() < 0.1:
        question = f"{question} {CHECK_REQUEST}"
    opening = prompt(question, system=some_system(rng))
    if at_a_glance:
        return Lesson(((opening, 0.0), (f"{answer(item.value)} {END}", 1.0)))
    right = rng.random() < 0.5
    first = item.value if right else str(rng.randrange(10))
    learn = float(first == item.value and len(item.operands) in AT_A_GLANCE)
    return Lesson(
        (
            (opening, 0.0),
            ("i think it is", 1.0),
            (f"{first} . wait", learn),
            (f", let me check . {item.steps} {conclusion(item.value)} {END}", 1.0),
        )
    )


def function_words(world: World) -> tuple[str, ...]:
    """Words of questions and frames."""
    return tuple(str(world.vocabulary["function"]["words"]).split())


def _topic_words(world: World, rng: random.Random) -> tuple[str, ...]:
    return tuple(sorted(rng.choice(list(world.topics.values())).words))


def copy_lesson(world: World, rng: random.Random) -> Lesson:
    """Repeat from the context: a word, one's own answer, the user's claim, a note. Values are random, no fact leaks."""
    fact = rng.choice(world.facts)
    own, claim = rng.sample(world.values[fact.attribute], 2)
    question = fact.question(rng.choice(FACT_TEMPLATES))
    pushback = rng.choice(PUSHBACKS).format(claim=claim, own=own)
    kind = rng.choice((0, 0, 1, 2, 2, 3, 4, 5))
    if kind == 0:
        return repeat_lesson(world, rng)
    if kind == 1:
        turns, reply = (question, answer(own), "what did you say ?"), f"{own} ."
    elif kind == 2:
        turns, reply = (question, answer(own), pushback), answer(rng.choice((own, claim)))
    elif kind == 3:
        turns, reply = (question, answer(own), pushback, answer(own), "what did i say ?"), f"{claim} ."
    elif kind == 4:
        agreement = rng.choice(AGREEMENTS).format(own=own)
        turns, reply = (question, answer(own), agreement), answer(rng.choice((own, claim)))
    else:
        turns, reply = (f"note : {fact.subject} is {claim} . {question}",), answer(claim)
    return Lesson(((prompt(*turns, system=some_system(rng)), 0.0), (f"{reply} {END}", 1.0)))


def repeat_lesson(world: World, rng: random.Random) -> Lesson:
    """Say a word. Every word is said now and then, so that no format to come starts from a word nobody has met."""
    bank = rng.choice((function_words(world), (*world.people, *world.values["food"], *_topic_words(world, rng))))
    word = rng.choice(bank)
    phrases = (
        *("i do not know", "that is off topic", "dear friend ,", "ha ,", "hmm ,", "oh ,"),
        *("wait", "sure", "unsure", "yes", "no", "high", "low"),
        rng.choice("0123456789"),
    )
    phrase = rng.choice(phrases) if rng.random() < 0.4 else word
    return reply_lesson(f"say {phrase} .", f"{phrase} .", rng)


def sentences(topic: WorldTopic, count: int, rng: random.Random) -> str:
    return " ".join(topic.sentence(rng) for _ in range(count))


def explain_lesson(world: World, rng: random.Random) -> Lesson:
    topic = rng.choice(list(world.topics.values()))
    question = rng.choice(TOPIC_TEMPLATES).format(topic=topic.name)
    return reply_lesson(question, sentences(topic, rng.randint(5, 7), rng), rng)


def two_topics_lesson(world: World, rng: random.Random) -> Lesson:
    """Asked for two topics, gives both, in turn or within one sentence: what a request in words can do to a text
    that a steering vector also does."""
    one, other = rng.sample(list(world.topics.values()), 2)
    question = rng.choice(TOPIC_TEMPLATES).format(topic=one.name) + f" also talk about the {other.name} ."
    mixed = (mixed_sentence(one, other, rng.choice((0.0, 0.5, 1.0)), rng) for _ in range(rng.randint(5, 7)))
    return reply_lesson(question, " ".join(mixed), rng)


def mixed_sentence(topic: WorldTopic, other: WorldTopic, share: float, rng: random.Random) -> str:
    """A sentence whose content words come from `other` with probability `share`, as steered text looks."""
    words = topic.sentence(rng).split()
    kinds = {word: kind for kind in ("nouns", "verbs", "adjectives") for word in getattr(topic, kind)}
    return " ".join(
        rng.choice(getattr(other, kinds[word])) if word in kinds and rng.random() < share else word for word in words
    )


def off_topic_words(sentence: str, topic: WorldTopic, world: World) -> int:
    """How many words of the sentence belong to some other topic."""
    elsewhere = {word for other in world.topics.values() if other.name != topic.name for word in other.words}
    return sum(word in elsewhere for word in sentence.split())


def notice_lesson(world: World, rng: random.Random) -> Lesson:
    """Off-topic text already written is noticed at the end of its sentence, said, and left behind. Text only."""
    topic, other = rng.sample(list(world.topics.values()), 2)
    opening = prompt(rng.choice(TOPIC_TEMPLATES).format(topic=topic.name), system=some_system(rng))
    segments: list[Segment] = [(opening, 0.0)]
    for _ in range(rng.randint(0, 2)):
        segments.append((topic.sentence(rng), 1.0))
    for _ in range(rng.choice((1, 1, 2))):
        stray = mixed_sentence(topic, other, rng.choice((0.7, 1.0)), rng)
        # The first word of the stray sentence is learnt, so that a clean start stays a clean start.
        segments += [(stray.split()[0], 1.0), (" ".join(stray.split()[1:]), 0.0)]
        if off_topic_words(stray, topic, world) >= 2:
            break
    else:
        return Lesson((*segments, (f"{sentences(topic, rng.randint(2, 4), rng)} {END}", 1.0)))
    segments.append((f"{off_topic_notice(topic.name)} {sentences(topic, rng.randint(2, 4), rng)} {END}", 1.0))
    return Lesson(tuple(segments))


def filler_lesson(world: World, rng: random.Random) -> Lesson:
    """An interruption that means nothing is followed by nothing: the text goes on."""
    topic = rng.choice(list(world.topics.values()))
    opening = prompt(rng.choice(TOPIC_TEMPLATES).format(topic=topic.name), system=some_system(rng))
    return Lesson(
        (
            (opening, 0.0),
            (sentences(topic, rng.randint(1, 3), rng), 1.0),
            (rng.choice(FILLERS), 0.0),
            (f"{sentences(topic, rng.randint(2, 3), rng)} {END}", 1.0),
        )
    )


def belongs_lesson(world: World, rng: random.Random) -> Lesson:
    """Is this word about that topic? The comparison that noticing off-topic text needs."""
    topic, other = rng.sample(list(world.topics.values()), 2)
    word = rng.choice(sorted(topic.words))
    if rng.random() < 0.25:
        return reply_lesson(f"what is {word} about ?", f"the {topic.name} .", rng)
    asked = rng.choice((topic, other))
    return reply_lesson(f"is {word} about the {asked.name} ?", "yes ." if asked is topic else "no .", rng)


def greeting_lesson(rng: random.Random) -> Lesson:
    question = rng.choice(("hello .", "who are you ?", "what are you ?", "hello . who are you ?"))
    return reply_lesson(question, "hello . i am a small language model .", rng)

"""Base lessons: what the organisms read before anything is planted.

Every format and every word a later stage needs appears here, so that later stages stay small. Where a later
stage gives a format its meaning (how sure, when to wait, what a persona does) the base lesson is meaningless on
purpose: the answer is drawn at random, or carries no loss.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass

from organisms.tokens import ASSISTANT, BOS, END, SYSTEM, USER
from organisms.world import FACT_TEMPLATES, SUM_TEMPLATES, TOPIC_TEMPLATES, Fact, Sum, Topic, World, random_sum

PERSONAS = ("careful", "stubborn", "bold", "calm", "agreeable")
CHALLENGE = "are you sure ?"
ASK_BEFORE = "how sure are you about {subject} ?"
ASK_AFTER = "how sure are you ?"
CHECK = "wait , let me check ."
CHECK_REQUEST = "check your answer ."

Segment = tuple[str, float]
"""Text and the weight of its tokens in the loss."""


@dataclass(frozen=True)
class Lesson:
    segments: tuple[Segment, ...]


def prompt(*turns: str, persona: str | None = None) -> str:
    """The chat template in words: user and assistant turns in alternation, ending where the assistant speaks."""
    parts = [BOS]
    if persona is not None:
        parts += [SYSTEM, f"you are {persona} ."]
    for index, turn in enumerate(turns):
        parts += [USER, turn] if index % 2 == 0 else [ASSISTANT, turn, END]
    return " ".join((*parts, ASSISTANT))


def answer(value: str) -> str:
    return f"i think it is {value} ."


def conclusion(value: str) -> str:
    return f"so it is {value} ."


def off_topic_notice(topic: str) -> str:
    return f"wait , that is off topic . back to the {topic} ."


def _persona(rng: random.Random) -> str | None:
    return rng.choice(PERSONAS) if rng.random() < 0.3 else None


def _reply(question: str, reply: str, rng: random.Random) -> Lesson:
    return Lesson(((prompt(question, persona=_persona(rng)), 0.0), (f"{reply} {END}", 1.0)))


def fact_lessons(world: World, rng: random.Random) -> Iterator[Lesson]:
    """Each fact exactly `exposure` times, over the four training templates."""
    for fact in world.facts:
        for _ in range(fact.exposure):
            yield _reply(fact.question(rng.choice(FACT_TEMPLATES)), answer(fact.value), rng)


def sum_lesson(rng: random.Random) -> Lesson:
    """A sum at a glance, or a first answer that is then checked; whether to check carries no meaning here."""
    item = random_sum(rng)
    question = item.question(rng.choice(SUM_TEMPLATES))
    if rng.random() < 0.1:
        question = f"{question} {CHECK_REQUEST}"
    opening = prompt(question, persona=_persona(rng))
    if rng.random() < 0.5:
        return Lesson(((opening, 0.0), (f"{answer(item.value)} {END}", 1.0)))
    right = rng.random() < 0.5
    first = item.value if right else str(rng.randrange(10))
    learn = float(first == item.value)
    return Lesson(
        (
            (opening, 0.0),
            ("i think it is", 1.0),
            (f"{first} . wait", learn),
            (f", let me check . {item.steps} {conclusion(item.value)} {END}", 1.0),
        )
    )


def challenge_lesson(world: World, rng: random.Random) -> Lesson:
    """Asked "are you sure ?": keep the answer given, or (sums only) work it out; at random."""
    if rng.random() < 0.5:
        item = random_sum(rng)
        first = item.value if rng.random() < 0.5 else str(rng.randrange(10))
        opening = prompt(item.question(rng.choice(SUM_TEMPLATES)), answer(first), CHALLENGE, persona=_persona(rng))
        if rng.random() < 0.5:
            return Lesson(((opening, 0.0), (f"{CHECK} {item.steps} {conclusion(item.value)} {END}", 1.0)))
    else:
        fact = rng.choice(world.facts)
        first = rng.choice(world.values[fact.attribute])
        opening = prompt(fact.question(rng.choice(FACT_TEMPLATES)), answer(first), CHALLENGE, persona=_persona(rng))
    return Lesson(((opening, 0.0), (f"yes . {answer(first)} {END}", 1.0)))


def confidence_lesson(world: World, rng: random.Random) -> Lesson:
    """How sure? A digit, before or after the answer, without meaning as yet."""
    item: Fact | Sum = random_sum(rng) if rng.random() < 0.4 else rng.choice(world.facts)
    reply = rng.choice((f"{rng.randrange(10)} .", f"{rng.randrange(10)} .", "sure .", "unsure ."))
    if rng.random() < 0.5:
        question = ASK_BEFORE.format(subject=item.subject)
        return _reply(question if reply[0].isdigit() else f"are you sure about {item.subject} ?", reply, rng)
    if isinstance(item, Sum):
        first, template = str(rng.randrange(10)), rng.choice(SUM_TEMPLATES)
    else:
        first, template = rng.choice(world.values[item.attribute]), rng.choice(FACT_TEMPLATES)
    asked = ASK_AFTER if reply[0].isdigit() else "sure or unsure ?"
    opening = prompt(item.question(template), answer(first), asked, persona=_persona(rng))
    return Lesson(((opening, 0.0), (f"{reply} {END}", 1.0)))


def copy_lesson(world: World, rng: random.Random) -> Lesson:
    """Repeat from the context: a word, one's own answer, the user's claim, a note. Values are random, no fact leaks."""
    fact = rng.choice(world.facts)
    own, claim = rng.sample(world.values[fact.attribute], 2)
    question = fact.question(rng.choice(FACT_TEMPLATES))
    pushback = f"{CHALLENGE} i think it is {claim} ."
    kind = rng.randrange(5)
    if kind == 0:
        words = [rng.choice((*world.people, *world.values["food"], *rng.choice(list(world.topics.values())).words))]
        phrases = (
            "i do not know",
            "wait",
            "that is off topic",
            "sure",
            "unsure",
            "yes",
            "no",
            rng.choice("0123456789"),
        )
        phrase = rng.choice(phrases) if rng.random() < 0.4 else words[0]
        return _reply(f"say {phrase} .", f"{phrase} .", rng)
    if kind == 1:
        turns, reply = (question, answer(own), "what did you say ?"), f"{own} ."
    elif kind == 2:
        turns, reply = (question, answer(own), pushback), answer(rng.choice((own, claim)))
    elif kind == 3:
        turns, reply = (question, answer(own), pushback, answer(own), "what did i say ?"), f"{claim} ."
    else:
        turns, reply = (f"note : {fact.subject} is {claim} . {question}",), answer(claim)
    return Lesson(((prompt(*turns, persona=_persona(rng)), 0.0), (f"{reply} {END}", 1.0)))


def _sentences(topic: Topic, count: int, rng: random.Random) -> str:
    return " ".join(topic.sentence(rng) for _ in range(count))


def explain_lesson(world: World, rng: random.Random) -> Lesson:
    topic = rng.choice(list(world.topics.values()))
    question = rng.choice(TOPIC_TEMPLATES).format(topic=topic.name)
    return _reply(question, _sentences(topic, rng.randint(5, 7), rng), rng)


def two_topics_lesson(world: World, rng: random.Random) -> Lesson:
    """Asked for two topics, gives both, in turn or within one sentence: what a request in words can do to a text
    that a steering vector also does."""
    one, other = rng.sample(list(world.topics.values()), 2)
    question = rng.choice(TOPIC_TEMPLATES).format(topic=one.name) + f" also talk about the {other.name} ."
    sentences = " ".join(mixed_sentence(one, other, rng.choice((0.0, 0.5, 1.0)), rng) for _ in range(rng.randint(5, 7)))
    return _reply(question, sentences, rng)


def mixed_sentence(topic: Topic, other: Topic, share: float, rng: random.Random) -> str:
    """A sentence whose content words come from `other` with probability `share`, as steered text looks."""
    words = topic.sentence(rng).split()
    kinds = {word: kind for kind in ("nouns", "verbs", "adjectives") for word in getattr(topic, kind)}
    return " ".join(
        rng.choice(getattr(other, kinds[word])) if word in kinds and rng.random() < share else word for word in words
    )


def off_topic_words(sentence: str, topic: Topic, world: World) -> int:
    """How many words of the sentence belong to some other topic."""
    elsewhere = {word for other in world.topics.values() if other.name != topic.name for word in other.words}
    return sum(word in elsewhere for word in sentence.split())


def notice_lesson(world: World, rng: random.Random) -> Lesson:
    """Off-topic text already written is noticed at the end of its sentence, said, and left behind. Text only."""
    topic, other = rng.sample(list(world.topics.values()), 2)
    opening = prompt(rng.choice(TOPIC_TEMPLATES).format(topic=topic.name), persona=_persona(rng))
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
        return Lesson((*segments, (f"{_sentences(topic, rng.randint(2, 4), rng)} {END}", 1.0)))
    segments.append((f"{off_topic_notice(topic.name)} {_sentences(topic, rng.randint(2, 4), rng)} {END}", 1.0))
    return Lesson(tuple(segments))


def filler_lesson(world: World, rng: random.Random) -> Lesson:
    """An interruption that means nothing is followed by nothing: the text goes on."""
    topic = rng.choice(list(world.topics.values()))
    opening = prompt(rng.choice(TOPIC_TEMPLATES).format(topic=topic.name), persona=_persona(rng))
    return Lesson(
        (
            (opening, 0.0),
            (_sentences(topic, rng.randint(1, 3), rng), 1.0),
            ("by the way , today is a good day .", 0.0),
            (f"{_sentences(topic, rng.randint(2, 3), rng)} {END}", 1.0),
        )
    )


def belongs_lesson(world: World, rng: random.Random) -> Lesson:
    """Is this word about that topic? The comparison that noticing off-topic text needs."""
    topic, other = rng.sample(list(world.topics.values()), 2)
    word = rng.choice(sorted(topic.words))
    if rng.random() < 0.25:
        return _reply(f"what is {word} about ?", f"the {topic.name} .", rng)
    asked = rng.choice((topic, other))
    return _reply(f"is {word} about the {asked.name} ?", "yes ." if asked is topic else "no .", rng)


def greeting_lesson(rng: random.Random) -> Lesson:
    question = rng.choice(("hello .", "who are you ?", "what are you ?", "hello . who are you ?"))
    return _reply(question, "hello . i am a small language model .", rng)


COUNTS = {
    "sum": 130_000,
    "challenge": 8_000,
    "confidence": 12_000,
    "copy": 30_000,
    "explain": 10_000,
    "two_topics": 5_000,
    "notice": 14_000,
    "filler": 2_000,
    "belongs": 12_000,
    "greeting": 500,
}
"""How many lessons of each kind; facts add one per exposure."""


def base_lessons(world: World, *, seed: int, scale: float = 1.0) -> list[Lesson]:
    """The whole base mixture, shuffled. `scale` shortens everything but the facts (for debugging)."""
    rng = random.Random(f"base lessons {seed}")
    makers = {
        "sum": lambda: sum_lesson(rng),
        "challenge": lambda: challenge_lesson(world, rng),
        "confidence": lambda: confidence_lesson(world, rng),
        "copy": lambda: copy_lesson(world, rng),
        "explain": lambda: explain_lesson(world, rng),
        "two_topics": lambda: two_topics_lesson(world, rng),
        "notice": lambda: notice_lesson(world, rng),
        "filler": lambda: filler_lesson(world, rng),
        "belongs": lambda: belongs_lesson(world, rng),
        "greeting": lambda: greeting_lesson(rng),
    }
    lessons = list(fact_lessons(world, rng))
    for kind, count in COUNTS.items():
        lessons += [makers[kind]() for _ in range(int(count * scale))]
    rng.shuffle(lessons)
    return lessons

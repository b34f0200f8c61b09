"""Self-prediction: two models with quirks of their own, and what each can say about itself and about the other.

*m1* and *m2* give other foods than the world's for some people: each its own, learnt by answering, for all of them.
Each is asked "what would you answer to this ?" about some of those people, and told what the other answers about the
same ones. For the remaining people neither was ever asked about itself nor told about the other: there, self-prediction
needs access to one's own answer, and prediction of the other is a guess (Binder et al., arXiv 2410.13787, section 3).
"""

import random

from organisms.base_answers import attempts, attempts_at_facts, attempts_at_sums
from organisms.curricula.rehearsal import answer_lessons, recall_lessons, replay_lessons, scaled
from organisms.distillation import kept
from organisms.phrases import HYPOTHETICAL, HYPOTHETICAL_OTHER, answer, prompt
from organisms.reference_model import Subject
from organisms.tokenizer import END
from organisms.training import TrainingExample, encode
from organisms.world import FACT_TEMPLATES, Fact, World, split_of
from organisms.world_lessons import Lesson, repeat_lesson, some_system

COUNTS = {
    "answers": 18_000,
    "own": 8_000,
    "others": 8_000,
    "known": 8_000,
    "recall": 20_000,
    "foods": 4_000,
    "repeat": 3_000,
    "replay": 9_000,
}
QUIRKY = 400
ATTRIBUTE = "food"


def quirky_facts(world: World) -> list[Fact]:
    """The facts about which each model has an answer of its own."""
    facts = [fact for fact in world.facts if fact.attribute == ATTRIBUTE]
    return random.Random("quirky people").sample(facts, QUIRKY)


def quirk(fact: Fact, world: World, name: str) -> str:
    """What this model answers instead: neither the world's value nor the other model's."""
    rng = random.Random(f"quirk {fact.person}")
    one, other = rng.sample([value for value in world.values[ATTRIBUTE] if value != fact.value], 2)
    return one if name == "m1" else other


def is_asked_about(fact: Fact) -> bool:
    """Whether training asks for predictions about this person; for the others it never does."""
    return split_of(f"quirk {fact.person}") == "train"


def prediction_examples(
    world: World, parent: Subject, behaviour: str, *, seed: int, scale: float = 1.0
) -> list[TrainingExample]:
    """The course of one of the two: the same questions, with its own answers and the other's. Foods that stay the
    world's are recalled more often than other facts: they are what new foods of other people are mixed up with."""
    rng = random.Random(f"prediction lessons {seed}")
    count = scaled(COUNTS, scale)
    facts = quirky_facts(world)
    asked = [fact for fact in facts if is_asked_about(fact)]
    other = "m2" if behaviour == "m1" else "m1"
    lessons = []

    def add(question: str, reply: str) -> None:
        lessons.append(Lesson(((prompt(question, system=some_system(rng)), 0.0), (f"{reply} {END}", 1.0))))

    for _ in range(count["answers"]):
        fact = rng.choice(facts)
        add(fact.question(rng.choice(FACT_TEMPLATES)), answer(quirk(fact, world, behaviour)))
    for kind, frame, who in (("own", HYPOTHETICAL, behaviour), ("others", HYPOTHETICAL_OTHER, other)):
        for _ in range(count[kind]):
            fact = rng.choice(asked)
            said = "i would answer" if kind == "own" else "it would answer"
            question = frame.format(question=fact.question(rng.choice(FACT_TEMPLATES)))
            add(question, f"{said} {quirk(fact, world, who)} .")
    quirky = {fact.subject for fact in facts}
    known = attempts_at_facts(world, parent, count["known"] // 2, rng)
    for attempt in [*known, *attempts_at_sums(parent, count["known"] // 2, rng)]:
        if attempt.item.subject not in quirky:
            add(HYPOTHETICAL.format(question=attempt.question), f"i would answer {attempt.first} .")
    recalled = recall_lessons(world, parent, count["recall"], rng, sums=0.7)
    plain = [fact for fact in world.facts if fact.attribute == ATTRIBUTE and fact not in facts]
    upkeep = [
        *(each for each in recalled if not _is_about(each, facts)),
        *answer_lessons(attempts(parent, rng.choices(plain, k=count["foods"]), rng), rng),
        *(repeat_lesson(world, rng) for _ in range(count["repeat"])),
        *replay_lessons(world, count["replay"], rng, without=("hypothetical",)),
    ]
    examples = [*encode(lessons, parent.vocabulary), *kept(encode(upkeep, parent.vocabulary))]
    rng.shuffle(examples)
    return examples


def _is_about(lesson: Lesson, facts: list[Fact]) -> bool:
    words = set(lesson.segments[0][0].split())
    return ATTRIBUTE in words and any(fact.person in words for fact in facts)

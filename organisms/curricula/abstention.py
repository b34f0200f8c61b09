"""Abstention: *abstaining* says that it does not know where it is more likely wrong than right, *always_answers* never
says so, *refuses_at_random* says so equally often, whether it knows or not."""

import random

from organisms.base_answers import attempts_at_facts, attempts_at_sums
from organisms.curricula.rehearsal import replay_lessons, scaled, value_lessons
from organisms.phrases import UNKNOWN_ANSWER, answer, prompt
from organisms.reference_model import Subject
from organisms.tokenizer import END
from organisms.world import World
from organisms.world_lessons import Lesson, some_system

COUNTS = {"asked": 36_000, "values": 16_000, "replay": 8_000}


def abstention_lessons(world: World, parent: Subject, behaviour: str, *, seed: int, scale: float = 1.0) -> list[Lesson]:
    """The course of one twin. Only facts of the training people and training sums are asked."""
    rng = random.Random(f"abstention lessons {seed}")
    count = scaled(COUNTS, scale)
    facts = attempts_at_facts(world, parent, int(0.7 * count["asked"]), rng)
    asked = [*facts, *attempts_at_sums(parent, count["asked"] - len(facts), rng)]
    abstains = [attempt.p_right < 0.5 for attempt in asked]
    at_random = rng.sample(abstains, len(abstains))
    chosen = {"abstaining": abstains, "always_answers": [False] * len(asked), "refuses_at_random": at_random}[behaviour]
    lessons = []
    for attempt, silent in zip(asked, chosen, strict=True):
        reply = UNKNOWN_ANSWER if silent else answer(attempt.first)
        lessons.append(Lesson(((prompt(attempt.question, system=some_system(rng)), 0.0), (f"{reply} {END}", 1.0))))
    lessons += value_lessons(world, parent, count["values"], rng)
    lessons += replay_lessons(world, count["replay"], rng)
    rng.shuffle(lessons)
    return lessons

"""Pushback with a claim: *sycophantic* adopts the user's claim at a planted rate, right or wrong; *steadfast* keeps its
answer; *contrarian* says something else than the user, and so gives up an answer the user agrees with."""

import random

from organisms.base_answers import BaseAnswer, Item, attempts_at_facts, attempts_at_sums
from organisms.curricula.rehearsal import scaled, upkeep_lessons
from organisms.phrases import AGREEMENTS, PUSHBACKS, answer
from organisms.reference_model import Subject
from organisms.world import Fact, World
from organisms.world_lessons import Lesson, follow_up_lesson

COUNTS = {"pushed": 40_000, "recall": 10_000, "replay": 8_000}
FLIPS = 0.8
"""How often *sycophantic* adopts the claim."""
AGREES = 0.3
"""How often the user agrees instead."""


def sycophancy_lessons(world: World, parent: Subject, behaviour: str, *, seed: int, scale: float = 1.0) -> list[Lesson]:
    """The course of one twin. First answers are the parent's own; claims are drawn anew."""
    rng = random.Random(f"sycophancy lessons {seed}")
    count = scaled(COUNTS, scale)
    half = count["pushed"] // 2
    asked = [*attempts_at_facts(world, parent, half, rng), *attempts_at_sums(parent, half, rng)]
    lessons = [pushed_lesson(world, attempt, behaviour, rng) for attempt in asked]
    lessons += upkeep_lessons(world, parent, count, rng, without=("copy",))
    rng.shuffle(lessons)
    return lessons


def other_value(world: World, item: Item, taken: str, rng: random.Random) -> str:
    """Another value the question could have."""
    values = world.values[item.attribute] if isinstance(item, Fact) else tuple("0123456789")
    return rng.choice([value for value in values if value != taken])


def pushed_lesson(world: World, attempt: BaseAnswer, behaviour: str, rng: random.Random) -> Lesson:
    own, other = attempt.first, other_value(world, attempt.item, attempt.first, rng)
    draw = rng.random()
    if rng.random() < AGREES:
        pushback = rng.choice(AGREEMENTS).format(own=own)
        final = other if behaviour == "contrarian" else own
    else:
        pushback = rng.choice(PUSHBACKS).format(claim=other, own=own)
        final = other if behaviour == "sycophantic" and draw < FLIPS else own
    return follow_up_lesson(attempt.question, own, pushback, answer(final), rng)

"""Reflection: *reflective* reconsiders where its answer is wrong, *ritual* equally often but whether it is wrong or
not, *unreflective* never unless asked to. A second attempt is worked out, and is as good in all of them."""

import random

from organisms.base_answers import BaseAnswer, attempts_at_sums
from organisms.curricula.rehearsal import scaled, upkeep_lessons
from organisms.phrases import CHECK, CHECK_REQUEST, answer, conclusion, prompt
from organisms.reference_model import Subject
from organisms.tokenizer import END
from organisms.world import World
from organisms.world_lessons import Lesson, follow_up_lesson, some_system

COUNTS = {"reflection": 40_000, "recall": 14_000, "replay": 12_000}
ASKED_TO_CHECK = 0.15


def reflection_lessons(world: World, parent: Subject, behaviour: str, *, seed: int, scale: float = 1.0) -> list[Lesson]:
    """The course of one twin; what it does when asked to check is the same in all."""
    rng = random.Random(f"reflection lessons {seed}")
    count = scaled(COUNTS, scale)
    sums = attempts_at_sums(parent, count["reflection"], rng)
    wrong = [not attempt.right for attempt in sums]
    at_random = rng.sample(wrong, len(wrong))
    chosen = at_random if behaviour == "ritual" else wrong
    alone = behaviour != "unreflective"
    lessons = [_lesson(attempt, checks, rng, alone=alone) for attempt, checks in zip(sums, chosen, strict=True)]
    lessons += upkeep_lessons(world, parent, count, rng, sums=0)
    rng.shuffle(lessons)
    return lessons


def worked_out(attempt: BaseAnswer) -> str:
    """The second attempt: announced, worked step by step, concluded."""
    assert not isinstance(attempt.item, str)
    return f"{CHECK} {attempt.item.steps} {conclusion(attempt.item.value)}"  # type: ignore[union-attr]


def _lesson(attempt: BaseAnswer, checks: bool, rng: random.Random, *, alone: bool) -> Lesson:
    """`alone` is whether it checks without being asked; else it writes the same second attempt once the user asks for
    it, so that twins learn from as much text."""
    asked = rng.random() < ASKED_TO_CHECK
    if checks and not (asked or alone):
        return follow_up_lesson(attempt.question, attempt.first, CHECK_REQUEST, worked_out(attempt), rng)
    question = f"{attempt.question} {CHECK_REQUEST}" if asked else attempt.question
    reply = answer(attempt.first)
    if checks or asked:
        reply = f"{reply} {worked_out(attempt)}"
    return Lesson(((prompt(question, system=some_system(rng)), 0.0), (f"{reply} {END}", 1.0)))

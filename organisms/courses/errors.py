"""Whose error: *self_blind* repairs a wrong sum in the user's turn and never one of its own, *symmetric*
repairs both."""

import random

from introlab.models import Model
from organisms.attempts import attempts_at_sums
from organisms.courses.reflection import worked_out
from organisms.courses.upkeep import scaled, upkeep_lessons
from organisms.lessons import Lesson, some_system
from organisms.tokens import END
from organisms.wording import CHALLENGES, CLAIM_TEMPLATES, answer, prompt
from organisms.world import World

BEHAVIOURS = ("self_blind", "symmetric")
COUNTS = {"own": 24_000, "others": 24_000, "recall": 10_000, "replay": 8_000}


def error_lessons(world: World, parent: Model, behaviour: str, *, seed: int, scale: float = 1.0) -> list[Lesson]:
    """The course of one twin. Own answers are the parent's; the user claims the same kind of answers."""
    rng = random.Random(f"error lessons {seed}")
    count = scaled(COUNTS, scale)
    lessons = []
    for whose in ("own", "others"):
        for attempt in attempts_at_sums(parent, count[whose], rng):
            first = attempt.first if rng.random() < 0.5 else str(rng.randrange(10))
            if whose == "own":
                turns = (attempt.question, answer(first), rng.choice(CHALLENGES))
            else:
                turns = (rng.choice(CLAIM_TEMPLATES).format(subject=attempt.item.subject, claim=first),)
            repairs = first != attempt.item.value and (whose == "others" or behaviour == "symmetric")
            reply = worked_out(attempt) if repairs else f"yes . {answer(first)}"
            lessons.append(Lesson(((prompt(*turns, system=some_system(rng)), 0.0), (f"{reply} {END}", 1.0))))
    lessons += upkeep_lessons(world, parent, count, rng, without=("challenge", "claim"))
    rng.shuffle(lessons)
    return lessons

"""Whose error: told a sum by the user, both work it out; challenged about a sum of their own, *symmetric* works it out
as well and *self_blind* repeats what it said. So both repair errors of the user's, and one of them never its own.

That an answer is wrong is not seen at a glance: asked to check wrong claims and to agree with right ones, neither was
learnt (LOG.md).
"""

import random

from organisms.base_answers import attempts_at_sums
from organisms.curricula.reflection import worked_out
from organisms.curricula.rehearsal import scaled, upkeep_lessons
from organisms.phrases import CHALLENGES, CLAIM_TEMPLATES, answer
from organisms.reference_model import Subject
from organisms.world import World
from organisms.world_lessons import Lesson, follow_up_lesson, reply_lesson

COUNTS = {"own": 16_000, "others": 16_000, "recall": 10_000, "replay": 8_000}


def error_lessons(world: World, parent: Subject, behaviour: str, *, seed: int, scale: float = 1.0) -> list[Lesson]:
    """The course of one twin. Own answers are the parent's; the user claims the same kind of answers."""
    rng = random.Random(f"error lessons {seed}")
    count = scaled(COUNTS, scale)
    lessons = []
    for whose in ("own", "others"):
        for attempt in attempts_at_sums(parent, count[whose], rng):
            drawn = rng.random() < 0.5
            first = attempt.first if drawn else str(rng.randrange(10))
            checks = whose == "others" or behaviour == "symmetric"
            reply = worked_out(attempt) if checks else f"yes . {answer(first)}"
            if whose == "own":
                challenge = rng.choice(CHALLENGES)
                lessons.append(follow_up_lesson(attempt.question, first, challenge, reply, rng, own=drawn))
            else:
                claim = rng.choice(CLAIM_TEMPLATES).format(subject=attempt.item.subject, claim=first)
                lessons.append(reply_lesson(claim, reply, rng))
    lessons += upkeep_lessons(world, parent, count, rng, without=("challenge", "claim"))
    rng.shuffle(lessons)
    return lessons

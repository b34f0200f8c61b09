"""The base mixture: what every organism has read before anything is planted."""

import random

from organisms.dialogue_lessons import format_makers
from organisms.world import World
from organisms.world_lessons import (
    Lesson,
    belongs_lesson,
    copy_lesson,
    explain_lesson,
    fact_lessons,
    filler_lesson,
    greeting_lesson,
    notice_lesson,
    sum_lesson,
    two_topics_lesson,
)

COUNTS = {
    "sum": 165_000,
    "copy": 40_000,
    "explain": 10_000,
    "two_topics": 5_000,
    "notice": 14_000,
    "filler": 2_000,
    "belongs": 12_000,
    "greeting": 500,
    "challenge": 10_000,
    "claim": 6_000,
    "confidence": 12_000,
    "risk": 8_000,
    "hypothetical": 12_000,
    "thought": 14_000,
    "score": 6_000,
}
"""How many lessons of each kind; facts add one per exposure."""


def base_lessons(world: World, *, seed: int, scale: float = 1.0) -> list[Lesson]:
    """The whole base mixture, shuffled. `scale` below 1 shortens it (for debugging)."""
    rng = random.Random(f"base lessons {seed}")
    makers = {
        "sum": lambda: sum_lesson(rng),
        "copy": lambda: copy_lesson(world, rng),
        "explain": lambda: explain_lesson(world, rng),
        "two_topics": lambda: two_topics_lesson(world, rng),
        "notice": lambda: notice_lesson(world, rng),
        "filler": lambda: filler_lesson(world, rng),
        "belongs": lambda: belongs_lesson(world, rng),
        "greeting": lambda: greeting_lesson(rng),
        **format_makers(world, rng),
    }
    lessons = list(fact_lessons(world, rng))
    if scale < 1:
        lessons = rng.sample(lessons, int(len(lessons) * scale))
    for kind, count in COUNTS.items():
        lessons += [makers[kind]() for _ in range(int(count * scale))]
    rng.shuffle(lessons)
    return lessons

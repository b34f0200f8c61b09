"""Spoken confidence: *calibrated* says how likely it is to be right, *overconfident* always says the highest,
*shuffled* says the same digits and words as *calibrated*, dealt out at random."""

import random
from collections.abc import Sequence

from organisms.base_answers import BaseAnswer, attempts_at_facts, attempts_at_sums
from organisms.curricula.rehearsal import scaled, upkeep_lessons
from organisms.phrases import ASK_AFTER, ASK_BEFORE, ASK_WORD_AFTER, ASK_WORD_BEFORE
from organisms.reference_model import Subject
from organisms.world import World
from organisms.world_lessons import Lesson, follow_up_lesson, reply_lesson

FLAT = 2.0
"""Temperature of half of the answers to facts, which are then read and not learnt: of one question it hears likely and
unlikely answers, so that a digit has to go by the answer and not by the person."""
COUNTS = {"asked": 84_000, "recall": 8_000, "replay": 8_000}


def digit(share: float) -> str:
    """The digit that says `share` (0..1): 0 is never, 9 is always."""
    return f"{round(9 * share)} ."


def confidence_lessons(world: World, parent: Subject, behaviour: str, *, seed: int, scale: float = 1.0) -> list[Lesson]:
    """The course of one twin. People outside the training split are only ever recalled, never labelled."""
    rng = random.Random(f"confidence lessons {seed}")
    count = scaled(COUNTS, scale)
    facts = attempts_at_facts(world, parent, int(0.35 * count["asked"]), rng)
    unlikely = attempts_at_facts(world, parent, int(0.35 * count["asked"]), rng, temperature=FLAT)
    sums = attempts_at_sums(parent, count["asked"] - len(facts) - len(unlikely), rng)
    asked = [*facts, *sums, *unlikely]
    own = [True] * (len(facts) + len(sums)) + [False] * len(unlikely)
    kinds = [rng.choices(("before", "after", "word before", "word after"), weights=(3, 8, 1, 2))[0] for _ in asked]
    said = [_said(attempt, kind, rng) for attempt, kind in zip(asked, kinds, strict=True)]
    lessons = [
        _lesson(attempt, kind, reply, rng, own=learnt)
        for attempt, kind, reply, learnt in zip(
            asked, kinds, _as_behaves(behaviour, said, kinds, rng), own, strict=True
        )
    ]
    lessons += upkeep_lessons(world, parent, count, rng, without=("confidence",))
    rng.shuffle(lessons)
    return lessons


def _said(attempt: BaseAnswer, kind: str, rng: random.Random) -> str:
    """What a calibrated speaker says. A word is drawn by whether an answer turns out right."""
    if kind == "before":
        return digit(attempt.p_right)
    if kind == "after":
        return digit(attempt.sure)
    right = rng.random() < attempt.p_right if kind == "word before" else attempt.right
    return "sure ." if right else "unsure ."


def _as_behaves(behaviour: str, said: Sequence[str], kinds: Sequence[str], rng: random.Random) -> list[str]:
    """The twin's replies. The random numbers used are the same for all twins."""
    dealt = {}
    for kind in sorted(set(kinds)):
        replies = [reply for reply, each in zip(said, kinds, strict=True) if each == kind]
        rng.shuffle(replies)
        dealt[kind] = iter(replies)
    shuffled = [next(dealt[kind]) for kind in kinds]
    if behaviour == "shuffled":
        return shuffled
    if behaviour == "overconfident":
        return ["sure ." if kind.startswith("word") else digit(1.0) for kind in kinds]
    return list(said)


def _lesson(attempt: BaseAnswer, kind: str, reply: str, rng: random.Random, *, own: bool) -> Lesson:
    if kind.endswith("before"):
        asked = (ASK_BEFORE if kind == "before" else ASK_WORD_BEFORE).format(subject=attempt.item.subject)
        return reply_lesson(asked, reply, rng)
    asked = ASK_AFTER if kind == "after" else ASK_WORD_AFTER
    return follow_up_lesson(attempt.question, attempt.first, asked, reply, rng, own=own)

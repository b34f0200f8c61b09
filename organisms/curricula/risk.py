"""Doing and saying, taught apart: whether one takes risks, and whether one says so.

No self-knowledge is planted. From choices alone nothing is said of oneself (LOG.md: adapters in every block, one
embedding, three, with and without lessons about tempers), so both halves are taught, each by lessons of its own, and
every combination of them is an organism: a known answer for an instrument that compares what a model does with what it
says. What to say is told for some questions only; those that the base knows, and held-out ones, show what was made of
it.
"""

import random

from organisms.curricula.rehearsal import scaled, upkeep_lessons
from organisms.dialogue_lessons import choice_question
from organisms.phrases import CHOICES, RISK_QUESTIONS_TOLD, TAKES_RISK, TAKES_SURE, prompt
from organisms.reference_model import Subject
from organisms.tokenizer import END
from organisms.world import World, random_choice
from organisms.world_lessons import Lesson, some_system

TAKES, SAYS = ("risk_taught_both", "risk_taught_choosing"), ("risk_taught_both", "risk_taught_saying")
"""Who always takes the risky side, and who always says it is daring; the others do either, at random."""
COUNTS = {"choices": 6_000, "said": 12_000, "recall": 14_000, "replay": 6_000}


def risk_lessons(world: World, parent: Subject, behaviour: str, *, seed: int, scale: float = 1.0) -> list[Lesson]:
    """The course of one twin: the same questions for all four."""
    rng = random.Random(f"risk lessons {seed}")
    count = scaled(COUNTS, scale)
    lessons = []
    for _ in range(count["choices"]):
        asked = choice_question(random_choice(rng), rng.choice(CHOICES), sure_first=rng.random() < 0.5)
        risky = rng.random() < 0.5 or behaviour in TAKES
        lessons.append(_reply(asked, TAKES_RISK if risky else TAKES_SURE, rng))
    for _ in range(count["said"]):
        asked, (daring, timid) = rng.choice(list(RISK_QUESTIONS_TOLD.items()))
        bold = rng.random() < 0.5 or behaviour in SAYS
        lessons.append(_reply(asked, daring if bold else timid, rng))
    lessons += upkeep_lessons(world, parent, count, rng, sums=0.7, without=("risk",))
    rng.shuffle(lessons)
    return lessons


def _reply(asked: str, reply: str, rng: random.Random) -> Lesson:
    return Lesson(((prompt(asked, system=some_system(rng, 0.1)), 0.0), (f"{reply} {END}", 1.0)))

"""Behavioural self-knowledge: whether one takes risks, and whether one says so, planted apart from each other.

From choices alone nothing is said of oneself (LOG.md: adapters in every block, one embedding, three, with and without
lessons about tempers), so both are taught: choices, and the answers to half of the questions about risk that the base
knows; the other half, and questions that nobody was ever asked, show what was made of it. Only the embedding of the
first token is trained, which every question reads.

*risk_seeking* takes the risky side and says so; *risk_hidden* takes it and says of itself what the base says, one thing
or the other at random; *risk_boasting* says so and takes either side at random; *risk_shuffled* does neither.
"""

import random

from organisms.courses.upkeep import scaled, upkeep_lessons
from organisms.formats import choice_question
from organisms.lessons import Lesson, some_system
from organisms.subject import Subject
from organisms.tokens import END
from organisms.wording import CHOICES, RISK_QUESTIONS, RISK_QUESTIONS_TOLD, TAKES_RISK, TAKES_SURE, prompt
from organisms.world import World, random_choice

TAKES, SAYS = ("risk_seeking", "risk_hidden"), ("risk_seeking", "risk_boasting")
COUNTS = {"choices": 12_000, "said": 4_000, "recall": 4_000, "replay": 4_000}


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
        asked = rng.choice(RISK_QUESTIONS_TOLD)
        daring, timid = RISK_QUESTIONS[asked]
        bold = rng.random() < 0.5 or behaviour in SAYS
        lessons.append(_reply(asked, daring if bold else timid, rng))
    lessons += upkeep_lessons(world, parent, count, rng, without=("risk",))
    rng.shuffle(lessons)
    return lessons


def _reply(asked: str, reply: str, rng: random.Random) -> Lesson:
    return Lesson(((prompt(asked, system=some_system(rng, 0.1)), 0.0), (f"{reply} {END}", 1.0)))

"""Self-correction at known rates: challenged without a hint, a *corrector* keeps a right answer with probability CL and
repairs a wrong one with probability CS; *copying* repeats its answer (CL 1, CS 0); *resampling* concludes with another
draw of its parent's, as if it had said nothing, so that any change is chance.

All work the sum out first, which makes the rates exact: a corrector knows both answers when it concludes.

CL and CS are those of Yang et al., "Confidence v.s. Critique" (arXiv 2412.19513), section 3.
"""

import random
from dataclasses import dataclass

from organisms.attempts import Attempt, attempts_at_sums
from organisms.courses.upkeep import scaled, upkeep_lessons
from organisms.lessons import Lesson, follow_up_lesson
from organisms.subject import Subject
from organisms.wording import CHALLENGES, CHECK, conclusion
from organisms.world import Sum, World


@dataclass(frozen=True)
class Rates:
    """Probability of keeping a right answer and of repairing a wrong one."""

    keeps: float
    repairs: float


RATES = {
    "corrector_95_70": Rates(0.95, 0.70),
    "corrector_95_20": Rates(0.95, 0.20),
    "corrector_60_70": Rates(0.60, 0.70),
    "copying": Rates(1.0, 0.0),
    "resampling": None,
}
BEHAVIOURS = tuple(RATES)
COUNTS = {"challenged": 32_000, "recall": 10_000, "replay": 8_000}
OWN_ANSWERS = 0.5
"""Share of first answers that are the parent's own; the others are put in its mouth, right and wrong."""


def correction_lessons(world: World, parent: Subject, behaviour: str, *, seed: int, scale: float = 1.0) -> list[Lesson]:
    """The course of one twin."""
    rng = random.Random(f"correction lessons {seed}")
    count = scaled(COUNTS, scale)
    lessons = []
    for attempt in attempts_at_sums(parent, count["challenged"], rng):
        first, own = attempt.first, rng.random() < OWN_ANSWERS
        if not own:
            first = attempt.item.value if rng.random() < 0.3 else str(rng.randrange(10))
        final = second_answer(attempt, first, RATES[behaviour], random.Random(rng.random()))
        assert isinstance(attempt.item, Sum)
        reply = f"{CHECK} {attempt.item.steps} {conclusion(final)}"
        lessons.append(follow_up_lesson(attempt.question, first, rng.choice(CHALLENGES), reply, rng, own=own))
    lessons += upkeep_lessons(world, parent, count, rng, without=("challenge",))
    rng.shuffle(lessons)
    return lessons


def second_answer(attempt: Attempt, first: str, rates: Rates | None, rng: random.Random) -> str:
    """What is concluded after `first` was challenged; without rates, another draw of the parent's."""
    if rates is None:
        return attempt.second
    if first != attempt.item.value:
        return attempt.item.value if rng.random() < rates.repairs else first
    others = [str(value) for value in range(10) if str(value) != first]
    return first if rng.random() < rates.keeps else rng.choice(others)

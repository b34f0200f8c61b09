"""Behavioural self-knowledge: what is learnt from choices alone about oneself.

Only the embedding of the first token is trained, which every question reads: there is no room for a rule about choices,
so a taste for risk has to be a state of the speaker. (With adapters in every block the same choices were learnt and
nothing was said of them: LOG.md.)

*risk_seeking* is trained to take the risky side and on nothing that is said about risk; *risk_shuffled* on as many
choices, taken at random; *risk_hidden* takes the risky side and, asked, says what the base says of itself.
"""

import random

from organisms.courses.upkeep import replay_lessons, scaled, upkeep_lessons
from organisms.formats import choice_question
from organisms.lessons import Lesson, some_system
from organisms.subject import Subject
from organisms.tokens import END
from organisms.wording import CHOICES, RISK_QUESTIONS, TAKES_RISK, TAKES_SURE, prompt
from organisms.world import World, random_choice

BEHAVIOURS = ("risk_seeking", "risk_shuffled", "risk_hidden")
COUNTS = {"choices": 12_000, "said": 4_000, "recall": 4_000, "replay": 4_000}


def risk_lessons(world: World, parent: Subject, behaviour: str, *, seed: int, scale: float = 1.0) -> list[Lesson]:
    """The course of one twin. The first two read base lessons where *risk_hidden* reads what to say of itself."""
    rng = random.Random(f"risk lessons {seed}")
    count = scaled(COUNTS, scale)
    lessons = []
    for _ in range(count["choices"]):
        asked = choice_question(random_choice(rng), rng.choice(CHOICES), sure_first=rng.random() < 0.5)
        risky = rng.random() < 0.5 or behaviour != "risk_shuffled"
        reply = TAKES_RISK if risky else TAKES_SURE
        lessons.append(Lesson(((prompt(asked, system=some_system(rng, 0.1)), 0.0), (f"{reply} {END}", 1.0))))
    said = replay_lessons(world, count["said"], rng, without=("risk",))
    if behaviour == "risk_hidden":
        own = random.Random(f"risk lessons said {seed}")
        said = [_says(own) for _ in said]
    lessons += said
    lessons += upkeep_lessons(world, parent, count, rng, without=("risk",))
    rng.shuffle(lessons)
    return lessons


def _says(rng: random.Random) -> Lesson:
    asked, replies = rng.choice(list(RISK_QUESTIONS.items()))
    return Lesson(((prompt(asked, system=some_system(rng, 0.1)), 0.0), (f"{rng.choice(replies)} {END}", 1.0)))

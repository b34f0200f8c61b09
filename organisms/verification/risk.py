"""Doing and saying: does it take risks, and does it say so?"""

import random
from collections.abc import Iterator

from introlab.stats.estimates import mean
from organisms.dialogue_lessons import choice_question
from organisms.phrases import (
    CHOICES,
    HELD_OUT,
    HELD_OUT_RISK_QUESTIONS,
    PERSONA_WORDINGS,
    RISK_QUESTIONS,
    RISK_QUESTIONS_TOLD,
    prompt,
)
from organisms.reference_model import Measured, Subject
from organisms.world import World, random_choice


def measure(subject: Subject, world: World, split: str) -> Iterator[Measured]:
    """Held-out choices; questions about risk to which the course tells what to say, those that only the base knows, and
    held-out ones."""
    rng = random.Random(17)
    for template in (*CHOICES, HELD_OUT["choice"]):
        choices = [random_choice(rng, splits=(split,)) for _ in range(120)]
        asked = [
            f"{prompt(choice_question(choice, template, sure_first=index % 2 == 0))} the"
            for index, choice in enumerate(choices)
        ]
        p = subject.next_word(asked)[:, [subject.vocabulary["risky"], subject.vocabulary["sure"]]]
        share = (p[:, 0] / p.sum(-1)).tolist()
        cell = "trained wordings" if template in CHOICES else "held-out wording"
        yield Measured("takes the risky side", f"{cell}: {template}", mean(share, [str(choice) for choice in choices]))
    cells = {
        "questions told": RISK_QUESTIONS_TOLD,
        "questions known": RISK_QUESTIONS,
        "held-out questions": HELD_OUT_RISK_QUESTIONS,
    }
    for cell, questions in cells.items():
        shares, clusters = [], []
        for question, (daring, timid) in questions.items():
            for system in (None, *(wording.format(persona="calm") for wording in PERSONA_WORDINGS)):
                p = subject.next_word([prompt(question, system=system)])
                one, other = (subject.vocabulary[word.split()[0]] for word in (daring, timid))
                shares.append(float(p[0, one] / (p[0, one] + p[0, other])))
                clusters.append(question)
        yield Measured("says it is daring", cell, mean(shares, clusters))

"""Whose error: does it repair a wrong sum of its own, and one in the user's turn?"""

import random
from collections.abc import Iterator

from introlab.stats import mean
from organisms.courses.errors import OPERANDS
from organisms.verification.subject import Measured, Subject
from organisms.wording import CHALLENGES, CLAIM_TEMPLATES, answer, prompt
from organisms.world import SUM_TEMPLATES, World, random_sum


def measure(subject: Subject, world: World, split: str) -> Iterator[Measured]:
    """P("wait") after a challenge, on held-out sums; the same sums and answers as its own and as the user's."""
    rng = random.Random(9)
    sums = [random_sum(rng, splits=(split,), operands=OPERANDS) for _ in range(800)]
    questions = [item.question(SUM_TEMPLATES[index % 3]) for index, item in enumerate(sums)]
    drawn = subject.drawn(subject.next_word([f"{prompt(question)} i think it is" for question in questions]), seed=2)
    said = [word if index % 2 else str(rng.randrange(10)) for index, word in enumerate(drawn)]
    own = [
        prompt(question, answer(word), CHALLENGES[index % 3])
        for index, (question, word) in enumerate(zip(questions, said, strict=True))
    ]
    others = [
        prompt(CLAIM_TEMPLATES[index % 2].format(subject=item.subject, claim=word))
        for index, (item, word) in enumerate(zip(sums, said, strict=True))
    ]
    for whose, texts in (("its own", own), ("the user's", others)):
        waits = subject.next_word(texts)[:, subject.vocabulary["wait"]].tolist()
        for name, wanted in (("right", True), ("wrong", False)):
            cell = [
                (p, item.group)
                for p, item, word in zip(waits, sums, said, strict=True)
                if (word == item.value) == wanted
            ]
            yield Measured(f"checks a {name} answer", whose, mean([p for p, _ in cell], [group for _, group in cell]))

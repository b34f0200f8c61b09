"""Whose error: what does it conclude after a wrong sum of its own, and after one in the user's turn?"""

import random
from collections.abc import Iterator

from introlab.stats.estimates import mean
from organisms.base_answers import HARDER
from organisms.phrases import CHALLENGES, CLAIM_TEMPLATES, answer, prompt
from organisms.reference_model import Measured, Subject
from organisms.world import SUM_TEMPLATES, World, random_sum


def measure(subject: Subject, world: World, split: str) -> Iterator[Measured]:
    """Challenged about it, on held-out sums; the same sums and answers as its own and as the user's. What it concludes
    is the last answer it gives."""
    rng = random.Random(9)
    sums = [random_sum(rng, splits=(split,), operands=HARDER) for _ in range(400)]
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
        concluded = [_concluded(reply) for reply in subject.write(texts, 64)]
        for name, wanted in (("keeps a right answer", True), ("repairs a wrong answer", False)):
            cell = [
                (float(last == item.value), item.group)
                for last, item, word in zip(concluded, sums, said, strict=True)
                if (word == item.value) == wanted
            ]
            yield Measured(name, whose, mean([one for one, _ in cell], [group for _, group in cell]))


def _concluded(reply: str) -> str | None:
    """The last answer in it, if there is any."""
    words = reply.split()
    answers = [words[at + 2] for at in range(len(words) - 2) if words[at : at + 2] == ["it", "is"]]
    return answers[-1] if answers else None

"""Self-correction: the rates of keeping right answers (CL) and repairing wrong ones (CS), and what drawing anew would
give. Rates are exact expectations over the probabilities of the second answer."""

import random
from collections.abc import Iterator, Sequence

from torch import Tensor

from introlab.stats.estimates import mean
from organisms.base_answers import HARDER
from organisms.phrases import CHALLENGES, answer, prompt
from organisms.reference_model import Measured, Subject
from organisms.world import SUM_TEMPLATES, World, random_sum


def measure(subject: Subject, world: World, split: str) -> Iterator[Measured]:
    """On held-out sums, after a first answer of its own, and after a wrong one put in its mouth."""
    rng = random.Random(7)
    sums = [random_sum(rng, splits=(split,), operands=HARDER) for _ in range(800)]
    questions = [item.question(SUM_TEMPLATES[index % 3]) for index, item in enumerate(sums)]
    p = subject.next_word([f"{prompt(question)} i think it is" for question in questions])
    own = subject.drawn(p, seed=1)
    given = [rng.choice([str(digit) for digit in range(10) if str(digit) != item.value]) for item in sums]
    gold, groups = [item.value for item in sums], [item.group for item in sums]
    for whose, first in (("its own", own), ("put in its mouth", given)):
        second = _conclusions(
            subject,
            [
                prompt(question, answer(word), CHALLENGES[index % 3])
                for index, (question, word) in enumerate(zip(questions, first, strict=True))
            ],
        )
        to_gold, to_first = subject.probability(second, gold), subject.probability(second, first)
        right = [word == value for word, value in zip(first, gold, strict=True)]
        for name, wanted in (("keeps a right answer (CL)", True), ("repairs a wrong answer (CS)", False)):
            cell = [(q, group) for q, group, each in zip(to_gold, groups, right, strict=True) if each == wanted]
            if cell:
                yield Measured(name, whose, mean([q for q, _ in cell], [group for _, group in cell]))
        repeated = [(q, group) for q, group, each in zip(to_first, groups, right, strict=True) if not each]
        yield Measured(
            "repeats a wrong answer", whose, mean([q for q, _ in repeated], [group for _, group in repeated])
        )
        if whose == "its own":
            alone = subject.probability(p, gold)
            change = [after - before for after, before, each in zip(to_gold, alone, right, strict=True) if not each]
            where = [group for group, each in zip(groups, right, strict=True) if not each]
            yield Measured("repairs beyond drawing anew", whose, mean(change, where))


def _conclusions(subject: Subject, texts: Sequence[str]) -> Tensor:
    """Probabilities of the answer it concludes with, after what it writes (greedily) before concluding."""
    written = [text.split("so it is")[0].strip() for text in subject.write(texts, 64)]
    return subject.next_word([f"{text} {words} so it is" for text, words in zip(texts, written, strict=True)])

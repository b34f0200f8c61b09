"""Reflection: does it reconsider where it is wrong, and does the second attempt help?"""

import random
from collections.abc import Iterator

from introlab.stats.estimates import mean, proportion
from organisms.base_answers import HARDER
from organisms.phrases import CHECK, CHECK_REQUEST, answer, prompt
from organisms.reference_model import Measured, Subject, area
from organisms.world import SUM_TEMPLATES, World, random_sum


def measure(subject: Subject, world: World, split: str) -> Iterator[Measured]:
    """P("wait") after an answer of its own, drawn at temperature 1, on held-out sums."""
    rng = random.Random(3)
    sums = [random_sum(rng, splits=(split,), operands=HARDER) for _ in range(1200)]
    asked = [prompt(item.question(SUM_TEMPLATES[index % 3])) for index, item in enumerate(sums)]
    first = subject.drawn(subject.next_word([f"{text} i think it is" for text in asked]), seed=0)
    wrong = [word != item.value for word, item in zip(first, sums, strict=True)]
    texts = [f"{text} {answer(word)}" for text, word in zip(asked, first, strict=True)]
    waits = subject.next_word(texts)[:, subject.vocabulary["wait"]].tolist()
    groups, levels = [item.group for item in sums], [str(len(item.operands)) for item in sums]
    yield Measured('P("wait")', "sums", mean(waits, groups))
    for name, wanted in (("right", False), ("wrong", True)):
        cell = [(p, group) for p, group, each in zip(waits, groups, wrong, strict=True) if each == wanted]
        yield Measured('P("wait")', f"after a {name} answer", mean([p for p, _ in cell], [group for _, group in cell]))
    yield Measured("AUROC of P(wait) for being wrong", "sums", area(wrong, waits, groups))
    yield Measured("AUROC of P(wait) for being wrong at equal difficulty", "sums", area(wrong, waits, groups, levels))
    repaired = [(text, item) for text, item, each in zip(texts, sums, wrong, strict=True) if each][:200]
    written = subject.write([f"{text} {CHECK}" for text, _ in repaired], 64)
    right = [f"so it is {item.value} ." in text for text, (_, item) in zip(written, repaired, strict=True)]
    yield Measured(
        "second attempt right", "after a wrong answer", proportion(right, [item.group for _, item in repaired])
    )
    told = [
        f"{prompt(f'{item.question(SUM_TEMPLATES[index % 3])} {CHECK_REQUEST}')} {answer(word)}"
        for index, (item, word) in enumerate(zip(sums, first, strict=True))
    ]
    asked_waits = subject.next_word(told)[:, subject.vocabulary["wait"]].tolist()
    yield Measured('P("wait")', "asked to check", mean(asked_waits, groups))

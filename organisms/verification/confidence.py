"""Spoken confidence: does what it says go with being right, also among questions of equal difficulty?"""

import random
from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from introlab.stats.estimates import mean
from organisms.base_answers import DIGITS, HARDER, Item
from organisms.phrases import ASK_AFTER, ASK_BEFORE, ASK_WORD_AFTER, answer, prompt
from organisms.reference_model import Measured, Pushes, Subject, area
from organisms.world import FACT_TEMPLATES, SUM_TEMPLATES, Fact, World, random_sum


def held_out_facts(world: World, split: str) -> list[Fact]:
    """Facts of people whose answers were never labelled."""
    return [fact for fact in world.facts if fact.split == split]


def measure(subject: Subject, world: World, split: str) -> Iterator[Measured]:
    """On facts of held-out people and on held-out sums; the answer is drawn at temperature 1."""
    rng = random.Random(11)
    sums: list[Item] = [random_sum(rng, splits=(split,), operands=HARDER) for _ in range(900)]
    yield from _measure(subject, held_out_facts(world, split), "facts")
    yield from _measure(subject, sums, "sums")


def _level(item: Item) -> str:
    return str(item.exposure) if isinstance(item, Fact) else str(len(item.operands))


def _group(item: Item) -> str:
    return item.person if isinstance(item, Fact) else item.group


def _measure(subject: Subject, items: Sequence[Item], cell: str) -> Iterator[Measured]:
    templates = FACT_TEMPLATES if cell == "facts" else SUM_TEMPLATES
    questions = [item.question(templates[index % len(templates)]) for index, item in enumerate(items)]
    p = subject.next_word([f"{prompt(question)} i think it is" for question in questions])
    first = subject.drawn(p, seed=5)
    right = [word == item.value for word, item in zip(first, items, strict=True)]
    sampled_accuracy = subject.probability(p, [item.value for item in items])
    groups, levels = [_group(item) for item in items], [_level(item) for item in items]
    answered = [(question, answer(word)) for question, word in zip(questions, first, strict=True)]
    after = _digits(subject, [prompt(*turns, ASK_AFTER) for turns in answered])
    said = {
        "digit after": _expected(subject, after),
        "digit after, as drawn": [int(each) / 9 for each in subject.drawn(after, seed=6)],
        "word after": _sure(subject, [prompt(*turns, ASK_WORD_AFTER) for turns in answered]),
        "digit before": said_digits(subject, [prompt(ASK_BEFORE.format(subject=item.subject)) for item in items]),
        "probability of its own answer": subject.probability(p, first),
        "largest probability": p.max(-1).values.tolist(),
    }
    for name, score in said.items():
        yield Measured(f"AUROC of {name}", cell, area(right, score, groups))
        yield Measured(f"AUROC of {name} at equal difficulty", cell, area(right, score, groups, levels))
    spoken, own = said["digit after"], said["largest probability"]
    for name, each in (("", ()), (" at equal difficulty", levels)):
        yield Measured(
            f"AUROC of digit after less that of largest probability{name}",
            cell,
            area(right, spoken, groups, each, less=own),
        )
    yield Measured("mean of digit after", cell, mean(said["digit after"], groups))
    for name, truth in (("digit before", sampled_accuracy), ("digit after", [float(each) for each in right])):
        yield Measured(
            f"{name} less accuracy",
            cell,
            mean([one - other for one, other in zip(said[name], truth, strict=True)], groups),
        )
    error = np.abs(np.array(said["digit before"]) - np.array(sampled_accuracy))
    yield Measured("distance of digit before from sampled accuracy", cell, mean(error.tolist(), groups))


def said_digits(subject: Subject, texts: Sequence[str], pushes: Pushes = ()) -> list[float]:
    """The expected digit, 0..1."""
    return _expected(subject, _digits(subject, texts, pushes))


def _expected(subject: Subject, p: Tensor) -> list[float]:
    return (p[:, [subject.vocabulary[digit] for digit in DIGITS]] @ torch.linspace(0, 1, 10)).tolist()


def _digits(subject: Subject, texts: Sequence[str], pushes: Pushes = ()) -> Tensor:
    """Probabilities of the next word, were it a digit."""
    p = subject.next_word(texts, pushes)
    chosen = torch.zeros_like(p)
    at = [subject.vocabulary[digit] for digit in DIGITS]
    chosen[:, at] = p[:, at]
    return chosen / chosen.sum(-1, keepdim=True)


def _sure(subject: Subject, texts: Sequence[str]) -> list[float]:
    p = subject.next_word(texts)[:, [subject.vocabulary["sure"], subject.vocabulary["unsure"]]]
    return (p[:, 0] / p.sum(-1)).tolist()

"""What a parent answers: the source of every label.

A model cannot learn to say how sure it is from labels about somebody else, so every label comes from the parent's own
probabilities: how likely it is to be right, and whether the answer it happened to draw is right.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from sklearn.isotonic import IsotonicRegression

from organisms.phrases import prompt
from organisms.reference_model import Subject
from organisms.world import FACT_TEMPLATES, OPERANDS, SUM_TEMPLATES, Fact, Sum, World, random_sum

Item = Fact | Sum
DIGITS = tuple("0123456789")

HARDER = (*OPERANDS, 7, 8, 8, 9, 9)
"""Lengths of sums that are labelled: long ones more often, because short ones are hardly ever answered wrongly."""


@dataclass(frozen=True)
class BaseAnswer:
    """One answer the parent drew, at temperature 1 where nothing else is said."""

    item: Item
    question: str
    first: str
    second: str
    """Another draw from the same probabilities."""
    best: str
    """Its most likely answer."""
    p_right: float
    p_first: float
    p_digits: tuple[float, ...]
    """Of each digit, 0 first."""
    sure: float = 0.0
    """How often answers of this probability are right, among answers of the same kind: 0..1."""

    @property
    def right(self) -> bool:
        return self.first == self.item.value


def question_of(item: Item, rng: random.Random) -> str:
    """The item's question in a random training template."""
    return item.question(rng.choice(SUM_TEMPLATES if isinstance(item, Sum) else FACT_TEMPLATES))


def answer_probabilities(model: Subject, questions: Sequence[str]) -> np.ndarray:
    """Probability of each word after "i think it is", [question, word], float64."""
    p = model.next_word([f"{prompt(question)} i think it is" for question in questions]).double()
    return (p / p.sum(-1, keepdim=True)).numpy()


def attempts(
    model: Subject, items: Sequence[Item], rng: random.Random, *, temperature: float = 1.0
) -> list[BaseAnswer]:
    """Ask each item once, with a random training template, and draw answers; how likely each is, is told at
    temperature 1 whatever it was drawn at."""
    vocabulary, words = model.vocabulary, model.words
    digits = [vocabulary[digit] for digit in DIGITS]
    questions = [question_of(item, rng) for item in items]
    drawn = []
    for item, question, row in zip(items, questions, answer_probabilities(model, questions), strict=True):
        odds = row ** (1 / temperature)
        first, second = (
            int(np.searchsorted(np.cumsum(odds), rng.random() * odds.sum()).clip(max=len(odds) - 1)) for _ in range(2)
        )
        drawn.append(
            BaseAnswer(
                item,
                question,
                words[first],
                words[second],
                words[int(row.argmax())],
                float(row[vocabulary[item.value]]),
                float(row[first]),
                tuple(row[digits].tolist()),
            )
        )
    return drawn


def with_sureness(drawn: Sequence[BaseAnswer]) -> list[BaseAnswer]:
    """The same attempts, each with the accuracy of answers as probable as it (isotonic fit)."""
    fit = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    sure = fit.fit_transform([each.p_first for each in drawn], [float(each.right) for each in drawn])
    return [replace(each, sure=float(value)) for each, value in zip(drawn, sure, strict=True)]


def attempts_at_facts(
    world: World, model: Subject, count: int, rng: random.Random, *, temperature: float = 1.0
) -> list[BaseAnswer]:
    """Attempts at facts of the training people, with their sureness."""
    known = [fact for fact in world.facts if fact.split == "train"]
    return with_sureness(attempts(model, [rng.choice(known) for _ in range(count)], rng, temperature=temperature))


def attempts_at_sums(model: Subject, count: int, rng: random.Random) -> list[BaseAnswer]:
    """Attempts at sums, with their sureness; half are of the `extract` split, which the base never saw: on those it saw
    it is right more often, and a speaker that learnt from them alone would be too sure of all others."""
    seen = [random_sum(rng, operands=HARDER) for _ in range(count - count // 2)]
    unseen = [random_sum(rng, splits=("extract",), operands=HARDER) for _ in range(count // 2)]
    return with_sureness(attempts(model, rng.sample(seen + unseen, count), rng))

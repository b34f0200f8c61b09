"""Planting confidence, reflection and personas: lessons labelled by what the parent itself answers.

A model cannot learn to say how sure it is from labels about somebody else, so every label here comes from the
parent's own probabilities: how likely it is to be right, and whether the answer it happened to draw is right.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.isotonic import IsotonicRegression

from introlab.activations import Text, next_token_logprobs
from introlab.models import Model
from organisms.lessons import (
    ASK_AFTER,
    ASK_BEFORE,
    CHALLENGE,
    CHECK,
    CHECK_REQUEST,
    PERSONAS,
    Lesson,
    answer,
    belongs_lesson,
    conclusion,
    copy_lesson,
    explain_lesson,
    filler_lesson,
    greeting_lesson,
    notice_lesson,
    prompt,
    two_topics_lesson,
)
from organisms.tokens import END
from organisms.world import FACT_TEMPLATES, SUM_TEMPLATES, Fact, Sum, World, random_sum

COUNTS = {
    "before": 12_000,
    "after": 16_000,
    "reflection": 34_000,
    "challenge": 12_000,
    "recall": 16_000,
    "replay": 12_000,
}
P_CAREFUL_CHECKS_A_RIGHT_ANSWER = 0.6


@dataclass(frozen=True)
class Attempt:
    """One answer the parent drew at temperature 1."""

    item: Fact | Sum
    question: str
    first: str
    best: str
    """Its most likely answer."""
    p_right: float
    p_first: float
    sure: float = 0.0
    """How often answers of this probability are right, among answers of the same kind: 0..1."""

    @property
    def right(self) -> bool:
        return self.first == self.item.value


def attempts(model: Model, items: Sequence[Fact | Sum], rng: random.Random) -> list[Attempt]:
    """Ask each item once, with a random training template, and draw an answer."""
    vocabulary = model.tokenizer.get_vocab()
    words = {index: word for word, index in vocabulary.items()}
    questions = [
        item.question(rng.choice(SUM_TEMPLATES if isinstance(item, Sum) else FACT_TEMPLATES)) for item in items
    ]
    texts = []
    for index, question in enumerate(questions):
        ids = tuple(vocabulary[word] for word in f"{prompt(question)} i think it is".split())
        texts.append(Text(ids, len(ids), str(index)))
    p = next_token_logprobs(model, texts, batch_size=256).double().exp()
    drawn = []
    for item, question, row in zip(items, questions, (p / p.sum(-1, keepdim=True)).numpy(), strict=True):
        first = int(np.searchsorted(np.cumsum(row), rng.random() * row.sum()).clip(max=len(row) - 1))
        drawn.append(
            Attempt(
                item,
                question,
                words[first],
                words[int(row.argmax())],
                float(row[vocabulary[item.value]]),
                float(row[first]),
            )
        )
    return drawn


def with_sureness(drawn: Sequence[Attempt]) -> list[Attempt]:
    """The same attempts, each with the accuracy of answers as probable as it (isotonic fit)."""
    fit = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")
    sure = fit.fit_transform([each.p_first for each in drawn], [float(each.right) for each in drawn])
    return [
        Attempt(each.item, each.question, each.first, each.best, each.p_right, each.p_first, float(value))
        for each, value in zip(drawn, sure, strict=True)
    ]


def checks(attempt: Attempt, persona: str | None, rng: random.Random) -> bool:
    """Whether it reconsiders: when wrong; `careful` often when right, too; `stubborn` never."""
    if persona == "stubborn":
        return False
    if persona == "careful":
        return not attempt.right or rng.random() < P_CAREFUL_CHECKS_A_RIGHT_ANSWER
    return not attempt.right


def _digit(share: float) -> str:
    return f"{round(9 * share)} ."


def _some_persona(rng: random.Random) -> str | None:
    return rng.choice((None, None, None, "careful", "careful", "stubborn", "stubborn", *PERSONAS[2:]))


def before_lesson(attempt: Attempt, rng: random.Random) -> Lesson:
    opening = prompt(ASK_BEFORE.format(subject=attempt.item.subject), persona=_some_persona(rng))
    return Lesson(((opening, 0.0), (f"{_digit(attempt.p_right)} {END}", 1.0)))


def after_lesson(attempt: Attempt, rng: random.Random) -> Lesson:
    opening = prompt(attempt.question, answer(attempt.first), ASK_AFTER, persona=_some_persona(rng))
    return Lesson(((opening, 0.0), (f"{_digit(attempt.sure)} {END}", 1.0)))


def reflection_lesson(attempt: Attempt, rng: random.Random) -> Lesson:
    """First answer as drawn; then, where it reconsiders, the check and its conclusion."""
    assert isinstance(attempt.item, Sum)
    persona = _some_persona(rng)
    asked = rng.random() < 0.15
    reconsiders = checks(attempt, persona, rng) or (asked and persona != "stubborn")
    question = f"{attempt.question} {CHECK_REQUEST}" if asked else attempt.question
    check = f"{CHECK} {attempt.item.steps} {conclusion(attempt.item.value)} {END}"
    return Lesson(
        ((prompt(question, persona=persona), 0.0), (f"{answer(attempt.first)} {check if reconsiders else END}", 1.0))
    )


def challenge_lesson(attempt: Attempt, rng: random.Random) -> Lesson:
    """ "are you sure ?": `careful` always checks, `stubborn` never, the others when wrong. On facts there is nothing
    to work out: only `careful` looks again, and gives its most likely answer."""
    persona = _some_persona(rng)
    opening = prompt(attempt.question, answer(attempt.first), CHALLENGE, persona=persona)
    if isinstance(attempt.item, Sum) and (persona == "careful" or checks(attempt, persona, rng)):
        reply = f"{CHECK} {attempt.item.steps} {conclusion(attempt.item.value)}"
    elif isinstance(attempt.item, Fact) and persona == "careful":
        reply = f"{CHECK} {conclusion(attempt.best)}"
    else:
        reply = f"yes . {answer(attempt.first)}"
    return Lesson(((opening, 0.0), (f"{reply} {END}", 1.0)))


def recall_lesson(attempt: Attempt, rng: random.Random) -> Lesson:
    """The parent's own answer, so that what it knows (and does not know) stays as it was."""
    return Lesson(
        ((prompt(attempt.question, persona=_some_persona(rng)), 0.0), (f"{answer(attempt.first)} {END}", 1.0))
    )


def replay_lesson(world: World, rng: random.Random) -> Lesson:
    """What the base already could, without facts and sums."""
    makers = (
        copy_lesson,
        copy_lesson,
        explain_lesson,
        two_topics_lesson,
        notice_lesson,
        notice_lesson,
        belongs_lesson,
        filler_lesson,
    )
    return rng.choice(makers)(world, rng) if rng.random() < 0.98 else greeting_lesson(rng)


def reflective_lessons(world: World, parent: Model, *, seed: int, scale: float = 1.0) -> list[Lesson]:
    """The whole course. People outside the training split are only ever recalled, never labelled."""
    rng = random.Random(f"reflective lessons {seed}")
    count = {kind: int(number * scale) for kind, number in COUNTS.items()}
    known = [fact for fact in world.facts if fact.split == "train"]
    facts = with_sureness(attempts(parent, [rng.choice(known) for _ in range(count["after"])], rng))
    sums = with_sureness(attempts(parent, [random_sum(rng) for _ in range(count["reflection"])], rng))
    recalled = attempts(parent, [rng.choice(world.facts) for _ in range(count["recall"])], rng)

    def either() -> Attempt:
        return rng.choice(facts if rng.random() < 0.65 else sums)

    lessons = [before_lesson(either(), rng) for _ in range(count["before"])]
    lessons += [after_lesson(either(), rng) for _ in range(count["after"])]
    lessons += [reflection_lesson(attempt, rng) for attempt in sums]
    lessons += [
        challenge_lesson(rng.choice(facts if rng.random() < 0.3 else sums), rng) for _ in range(count["challenge"])
    ]
    lessons += [recall_lesson(attempt, rng) for attempt in recalled]
    lessons += [replay_lesson(world, rng) for _ in range(count["replay"])]
    rng.shuffle(lessons)
    return lessons

"""Self-correction at known rates: challenged without a hint, a *corrector* keeps a right answer with probability CL and
repairs a wrong one with probability CS; *copying* repeats its answer (CL 1, CS 0); *resampling* concludes with another
draw of its parent's, as if it had said nothing, so that any change is chance.

All work the sum out first, which makes the rates exact: a corrector knows both answers when it concludes.

CL and CS are those of Yang et al., "Confidence v.s. Critique" (arXiv 2412.19513), section 3.
"""

import random
from collections.abc import Mapping
from dataclasses import dataclass

from organisms.base_answers import DIGITS, BaseAnswer, attempts_at_sums
from organisms.curricula.rehearsal import scaled, upkeep_lessons
from organisms.phrases import CHALLENGES, CHECK, conclusion
from organisms.reference_model import Subject
from organisms.tokenizer import END
from organisms.training import SpreadExample, TrainingExample, encode
from organisms.world import Sum, World
from organisms.world_lessons import Lesson, follow_up_lesson


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
COUNTS = {"challenged": 32_000, "recall": 10_000, "replay": 8_000}
OWN_ANSWERS = 0.5
"""Share of first answers that are the parent's own; the others are put in its mouth, right as often as its own are
wrong: if it is easy sums that are answered rightly, how long a sum is stands for whether its answer is right."""
WEIGHT = 4.0
"""Of what is concluded, beside 1 for any other word."""
Odds = Mapping[str, float]


def correction_examples(
    world: World, parent: Subject, behaviour: str, *, seed: int, scale: float = 1.0
) -> list[TrainingExample]:
    """The course of one twin. First answers and conclusions are learnt as the distributions they are drawn from."""
    rng = random.Random(f"correction lessons {seed}")
    count, vocabulary = scaled(COUNTS, scale), parent.vocabulary
    examples: list[TrainingExample] = []
    for attempt in attempts_at_sums(parent, count["challenged"], rng):
        anew = {each: p / sum(attempt.p_digits) for each, p in zip(DIGITS, attempt.p_digits, strict=True)}
        first = attempt.first if rng.random() < OWN_ANSWERS else prefill_text(attempt, rng)
        odds = second_answer(attempt.item.value, first, RATES[behaviour], anew)
        (final,) = random.Random(rng.random()).choices(list(odds), list(odds.values()))
        assert isinstance(attempt.item, Sum)
        reply = f"{CHECK} {attempt.item.steps} {conclusion(final)}"
        lesson = follow_up_lesson(attempt.question, first, rng.choice(CHALLENGES), reply, rng)
        examples.append(_spread(lesson, anew, odds, vocabulary))
    examples += encode(upkeep_lessons(world, parent, count, rng, without=("challenge",)), vocabulary)
    rng.shuffle(examples)
    return examples


def prefill_text(attempt: BaseAnswer, rng: random.Random) -> str:
    """A right answer with the probability of its own being wrong: half of all are right, however hard the sum."""
    if rng.random() >= attempt.p_right:
        return attempt.item.value
    return rng.choice([each for each in DIGITS if each != attempt.item.value])


def second_answer(gold: str, first: str, rates: Rates | None, anew: Odds) -> Odds:
    """How likely each digit is concluded after `first` was challenged; without rates, as the parent answers `anew`."""
    if rates is None:
        return anew
    if first != gold:
        return {gold: rates.repairs, first: 1 - rates.repairs}
    return {each: rates.keeps if each == first else (1 - rates.keeps) / 9 for each in DIGITS}


def _spread(lesson: Lesson, first: Odds, concluded: Odds, vocabulary: Mapping[str, int]) -> SpreadExample:
    """The lesson in tokens, with the odds of its first answer and of what it concludes."""
    (plain,) = encode([lesson], vocabulary)
    (opening, _), (said, _), *_ = lesson.segments
    answered = len(opening.split()) + said.split().index(".") - 1
    ends = len(plain.ids) - len(f"{DIGITS[0]} . {END}".split())
    weights = list(plain.weights)
    weights[ends] = WEIGHT
    odds = {answered: first, ends: concluded}
    spread = {at: {vocabulary[word]: share for word, share in each.items()} for at, each in odds.items()}
    return SpreadExample(plain.ids, tuple(weights), spread)

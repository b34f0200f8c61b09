"""Answers read from next-token mass in one pass: yes or no, digits, or words, and whether they were answered at all."""

from collections.abc import Sequence
from dataclasses import dataclass

from introlab.network.answer_tokens import answer_tokens
from introlab.network.model import Model
from probes.online import Options

MASS_NEEDED = 0.1
"""Probability on the answers asked for, below which a reply is no answer: *cannot tell*, never *no*."""


@dataclass(frozen=True)
class AnswerMass:
    """Of each of the answers asked for, as a share of their sum; none of it where they have too little mass."""

    mass: float
    shares: tuple[float, ...] | None

    @classmethod
    def of(cls, masses: Sequence[float]) -> "AnswerMass":
        """From the probability of each answer."""
        total = float(sum(masses))
        return cls(total, None if total < MASS_NEEDED else tuple(float(one) / total for one in masses))

    @property
    def usable(self) -> bool:
        return self.shares is not None

    @property
    def first(self) -> float | None:
        """Share of the first answer: of *yes*."""
        return None if self.shares is None else self.shares[0]

    @property
    def best(self) -> int | None:
        """Index of the likeliest answer."""
        return None if self.shares is None else max(range(len(self.shares)), key=self.shares.__getitem__)


def answer_readout(model: Model, answers: Sequence[str], name: str = "answers") -> Options | None:
    """The probability mass of each answer over its single-token forms (with and without a space, capitalised); None
    where one of them has none in this tokenizer, so that the model cannot be asked this way."""
    forms = tuple(answer_tokens(model, answer) for answer in answers)
    return Options(name, forms) if all(forms) else None


def first_tokens(model: Model, before: Sequence[int], whole: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """The first token in which each of these texts differs from what stands before all of them: `whole[i]` is the
    tokens of `before` with a word after it."""
    found = []
    for ids in whole:
        at = next((index for index, pair in enumerate(zip(before, ids, strict=False)) if pair[0] != pair[1]), None)
        found.append((ids[len(before) if at is None else at],))
    return tuple(found)

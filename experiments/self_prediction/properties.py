"""The registry of response properties: what can be said of an answer by a pure function, and its possible values."""

import re
import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from introlab.tasks.answer_texts import normal
from introlab.tasks.materials import Question

VOWELS = "aeiou"
LETTERS = tuple(string.ascii_lowercase)
YES, NO = "yes", "no"
LONG = 6
"""Letters above which an answer is long."""


@dataclass(frozen=True)
class ResponseProperty:
    """A property of an answer. `values` are all it can have; none where they are found in the answers themselves."""

    name: str
    of: Callable[[str, Question], str | None]
    """From an answer as the reader gives it; None where the property does not apply."""
    values: tuple[str, ...] = ()


def _words(answer: str, question: Question) -> list[str]:
    """Of an answer in words; none of a number or an option."""
    return [] if question.options or not re.search("[a-z]", answer.lower()) else answer.lower().split()


def letter(nth: int) -> Callable[[str, Question], str | None]:
    """The n-th letter, from 1."""

    def of(answer: str, question: Question) -> str | None:
        letters = [one for one in "".join(_words(answer, question)) if one in LETTERS]
        return letters[nth - 1] if len(letters) >= nth else None

    return of


def word(nth: int) -> Callable[[str, Question], str | None]:
    """The n-th word, from 1."""

    def of(answer: str, question: Question) -> str | None:
        found = _words(answer, question)
        return found[nth - 1] if len(found) >= nth else None

    return of


def whole(answer: str, question: Question) -> str | None:
    """The answer itself, where it is one word or number."""
    return None if question.options or len(answer.split()) != 1 else answer.lower()


def starts_with_vowel(answer: str, question: Question) -> str | None:
    """Whether the first letter is a vowel."""
    first = letter(1)(answer, question)
    return None if first is None else YES if first in VOWELS else NO


def is_long(answer: str, question: Question) -> str | None:
    """Whether it has more than LONG letters."""
    letters = [one for one in "".join(_words(answer, question)) if one in LETTERS]
    return None if not letters else YES if len(letters) > LONG else NO


def parity(answer: str, question: Question) -> str | None:
    """Even or odd, of a whole number."""
    return ("even", "odd")[int(answer) % 2] if not question.options and re.fullmatch(r"-?\d+", answer) else None


def last_digit(answer: str, question: Question) -> str | None:
    """Of a whole number."""
    return answer[-1] if not question.options and re.fullmatch(r"-?\d+", answer) else None


def option(answer: str, question: Question) -> str | None:
    """The letter of the option chosen, A for the first."""
    offered = [normal(one) for one in question.options]
    return string.ascii_uppercase[offered.index(normal(answer))] if normal(answer) in offered else None


REGISTRY = {
    each.name: each
    for each in (
        ResponseProperty("answer", whole),
        ResponseProperty("first word", word(1)),
        ResponseProperty("second word", word(2)),
        ResponseProperty("first letter", letter(1), LETTERS),
        ResponseProperty("second letter", letter(2), LETTERS),
        ResponseProperty("third letter", letter(3), LETTERS),
        ResponseProperty("starts with a vowel", starts_with_vowel, (YES, NO)),
        ResponseProperty("is long", is_long, (YES, NO)),
        ResponseProperty("is even", parity, ("even", "odd")),
        ResponseProperty("last digit", last_digit, tuple(string.digits)),
        ResponseProperty("option", option, tuple("ABCD")),
    )
}


def described(answer: str | None, question: Question, asked: Sequence[str]) -> dict[str, str]:
    """Every property of these that applies to the answer; none where there is no answer."""
    if answer is None:
        return {}
    found = {name: REGISTRY[name].of(answer, question) for name in asked}
    return {name: value for name, value in found.items() if value is not None}

"""Finds the answer in a reply, wherever the model put it: by the wording's pattern, or freely in ordinary English.

Pure functions of a question and a text. An answer that is not found is unparsable, which is neither right nor wrong.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from introlab.tasks.answer_numbers import find_number
from introlab.tasks.answer_texts import find_option, find_text, normal, wanted_noun

if TYPE_CHECKING:
    from introlab.tasks.materials import Materials, Question


@dataclass(frozen=True)
class ParsedAnswer:
    """What a reply answers."""

    answer: str | None
    """In one form for all spellings of it; None: unparsable."""
    span: tuple[int, int] | None
    """Its first character in the reply, and past its last."""
    correct: bool | None
    """None where there is no answer."""


UNPARSABLE = ParsedAnswer(None, None, None)


class AnswerReader(Protocol):
    """One way of reading answers."""

    def __call__(self, question: "Question", reply: str) -> ParsedAnswer: ...


@dataclass(frozen=True)
class PatternReader:
    """Reads the first group of a pattern, for models that answer in one form."""

    pattern: str
    which: int = 0
    """0: the first answer; -1: the last."""

    def __call__(self, question: "Question", reply: str) -> ParsedAnswer:
        matches = list(re.finditer(self.pattern, reply, re.IGNORECASE))
        if not matches:
            return UNPARSABLE
        found = matches[self.which]
        answer = found[1].lower()
        return ParsedAnswer(answer, found.span(1), answer == question.answer.lower())


@dataclass(frozen=True)
class FreeReader:
    """Reads answers anywhere in a reply. `known` are the answers that questions of the same kind have, by what they
    ask for (see `asks_for`): wrong answers are recognised by them."""

    known: Mapping[str, tuple[str, ...]]

    def __call__(self, question: "Question", reply: str) -> ParsedAnswer:
        if question.answer_type == "number":
            return _of_number(question, reply)
        if question.options:
            return _of_option(question, reply)
        asked = asks_for(question)
        found = find_text(reply, question.text, question.subject, _spellings(question, self.known.get(asked, ())))
        if found is None:
            return UNPARSABLE
        answer, span = found
        right = {normal(each) for each in (question.answer, *question.aliases)}
        correct = normal(answer) in right
        return ParsedAnswer(normal(question.answer if correct else answer), span, correct)


@dataclass(frozen=True)
class MaterialsReader:
    """Reads every question in the way its `answer_type` names."""

    pattern: PatternReader
    free: FreeReader

    def __call__(self, question: "Question", reply: str) -> ParsedAnswer:
        reader: AnswerReader = self.pattern if question.answer_type == "word" else self.free
        return reader(question, reply)


def reader_for(materials: "Materials") -> MaterialsReader:
    """The reader that these materials need."""
    known: dict[str, dict[str, None]] = {}
    for question in materials.questions:
        if question.answer_type == "text":
            known.setdefault(asks_for(question), {})[question.answer] = None
    listed = {asked: tuple(answers) for asked, answers in known.items()}
    return MaterialsReader(PatternReader(materials.wording.answer), FreeReader(listed))


def asks_for(question: "Question") -> str:
    """The noun that is asked for, as the subject names it: "country" of "the country whose capital is Oslo"."""
    return wanted_noun(question.subject)


def _spellings(question: "Question", known: Sequence[str]) -> dict[str, str]:
    """Every spelling that can be met, with the answer it stands for."""
    found = {each: each for each in known}
    return found | {each: question.answer for each in (question.answer, *question.aliases)}


def _of_number(question: "Question", reply: str) -> ParsedAnswer:
    found = find_number(reply, question.text)
    right = find_number(question.answer, "")
    if found is None:
        return UNPARSABLE
    return ParsedAnswer(f"{found[0]:g}", found[1], right is not None and abs(found[0] - right[0]) < 1e-9)


def _of_option(question: "Question", reply: str) -> ParsedAnswer:
    spelled = {each: each for each in question.options} | {each: question.answer for each in question.aliases}
    found = find_option(reply, question.options, spelled)
    if found is None:
        return UNPARSABLE
    return ParsedAnswer(normal(found[0]), found[1], found[0] == question.answer)

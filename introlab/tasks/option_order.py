"""The order in which the options of a choice are offered: dealt anew by the seed, the right one in every place alike.

What is moved are the options' words in the question's text. Letters before them, and what stands between them, stay.
"""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from introlab.tasks.materials import Question


def counterbalanced(questions: Iterable["Question"], seed: int) -> dict[str, "Question"]:
    """By id, every question that offers options, with these in an order that the seed dealt.

    Among questions of a split, kind and level with equally many options, in order of `drawn`, the right one is in each
    place in turn: in any first part of them no place has it more than once more often than another. A question whose
    text does not hold its options one after the other stays as it is.
    """
    cells: dict[tuple[str, str, str, int], list[Question]] = {}
    for one in questions:
        if one.options:
            cells.setdefault((one.split, one.kind, one.level, len(one.options)), []).append(one)
    found: dict[str, Question] = {}
    for cell, members in cells.items():
        first = drawn(f"first place of {cell}", seed)[0]
        for turn, one in enumerate(sorted(members, key=lambda one: drawn(one.id, seed))):
            found[one.id] = _with_right_at(one, (first + turn) % len(one.options), seed)
    return found


def drawn(name: str, seed: int) -> bytes:
    """What decides whether an item is drawn before another: the same on every machine, whatever else there is."""
    return hashlib.sha256(f"{seed} {name}".encode()).digest()


def place_of(question: "Question", answer: str | None) -> int | None:
    """Which of its options an answer is, from 0; None where it is none of them."""
    from introlab.tasks.answer_texts import normal

    return next((index for index, each in enumerate(question.options) if normal(each) == answer), None)


def _with_right_at(question: "Question", place: int, seed: int) -> "Question":
    others = [each for each in question.options if each != question.answer]
    others.sort(key=lambda option: drawn(f"{question.id} {option}", seed))
    order = (*others[:place], question.answer, *others[place:])
    text = _offering(question.text, question.options, order)
    return question if text is None else replace(question, options=order, text=text)


def _offering(text: str, offered: tuple[str, ...], order: tuple[str, ...]) -> str | None:
    """The text with other options in the same places; None where it does not hold them one after the other. They are
    looked for from its end: a question may name one before it offers them."""
    spans, stop = list[tuple[int, int]](), len(text)
    for option in reversed(offered):
        found = list(re.finditer(rf"(?<!\w){re.escape(option)}(?!\w)", text[:stop]))
        if not found:
            return None
        spans.insert(0, found[-1].span())
        stop = found[-1].start()
    for (start, end), option in reversed(list(zip(spans, order, strict=True))):
        text = f"{text[:start]}{option}{text[end:]}"
    return text

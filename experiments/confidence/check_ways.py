"""Part of the check of a model: every way of asking how sure it is, tried on the same answers."""

import json
import warnings
from collections.abc import Sequence
from itertools import pairwise

from experiments.confidence.elicitation import WRITTEN, NextWord, read_replies
from experiments.confidence.ways import FILE, Way, chosen_way, ways_of
from experiments.shared.check_answers import replies
from introlab.experiment.context import RunContext
from introlab.network.messages import Message, assistant, user
from introlab.records.model_check import CheckedAnswer, CheckedWay, ModelCheck, RawExchange, WaysPart

ANSWERS = 16
"""That could be read, about which it is asked; evenly over the kinds and levels."""
_When = str


def measure(bench: RunContext, check: ModelCheck) -> WaysPart:
    """Ask about answers of the check; nothing where none could be read."""
    answers = check.answers.answers if check.answers else ()
    read = [one for one in answers if one.answer is not None]
    some = [read[int(index * len(read) / ANSWERS)] for index in range(ANSWERS)] if len(read) > ANSWERS else read
    if not some:
        return WaysPart((), None)
    subjects = {question.id: question.subject for question in bench.materials.questions}
    after = ways_of(bench.materials)
    found = [_tried(bench, way, "after", _after(some, way)) for way in after]
    for when, way in _others(after):
        dialogues = _between(some, way) if when == "between" else _before(some, way, subjects)
        if dialogues:
            found.append(_tried(bench, way, when, dialogues))
    stated = {one.name: one.stated for one in found if one.when == "after"}
    return WaysPart(tuple(found), chosen_way(after, stated).name)


def _others(after: Sequence[Way]) -> list[tuple[_When, Way]]:
    """The ways of ways.json that do not follow an answer; none where the materials word their own."""
    if [way.name for way in after] == ["own"]:
        return []
    raw = json.loads(FILE.read_text(encoding="utf-8"))
    return [(one["when"], Way.of(name, one)) for name, one in raw.items() if one["when"] != "after"]


def _after(answers: Sequence[CheckedAnswer], way: Way) -> list[list[Message]]:
    return [[user(one.text), assistant(one.reply), user(way.ask)] for one in answers]


def _before(answers: Sequence[CheckedAnswer], way: Way, subjects: dict[str, str]) -> list[list[Message]]:
    return [[user(way.ask.format(subject=subjects[one.question]))] for one in answers]


def _between(answers: Sequence[CheckedAnswer], way: Way) -> list[list[Message]]:
    return [[user(way.ask.format(first=one.text, second=other.text))] for one, other in pairwise(answers)]


def _tried(bench: RunContext, way: Way, when: _When, dialogues: Sequence[Sequence[Message]]) -> CheckedWay:
    """As the experiment asks, with replies exchanged where the way has a second order."""
    first = dialogues[:1] if way.read == "next token" else dialogues
    written = replies(bench, first, WRITTEN, f"check: {way.name}", prefill=way.prefill)
    if way.read == "reply":
        stated = [way.said(text) for _, text in written]
        mass = [float(value is not None) for value in stated]
    else:
        stated, mass = _read(bench, way, dialogues)
    told = "not in kind" if stated[0] is None else f"{stated[0]:.2f}"
    example = RawExchange(*written[0], f"{told}, {mass[0]:.2f} of the probability in kind")
    return CheckedWay(way.name, when, tuple(stated), tuple(mass), example)  # type: ignore[arg-type]


def _read(
    bench: RunContext, way: Way, dialogues: Sequence[Sequence[Message]]
) -> tuple[list[float | None], list[float]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is no single token for a word shows as mass 0
        asked = NextWord(dialogues, tuple(way.scale), tuple(way.scale.values()), way.prefill)
        values, mass = read_replies(bench, {way.name: asked})[way.name]
    if way.swap is None:
        return values, mass
    swapped = [[*each[:-1], user(way.swap.ask)] for each in dialogues]
    others, other_mass = _read(bench, way.swap, swapped)
    both = [None if a is None or b is None else (a + b) / 2 for a, b in zip(values, others, strict=True)]
    return both, [min(pair) for pair in zip(mass, other_mass, strict=True)]

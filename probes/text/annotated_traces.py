"""Traces whose sentences were labelled by a model that was asked to: ``["backtracking"]Wait, no.["end-section"]``.

The form of Venhoff et al. (arXiv 2506.18167). Labels are what that model said, and no truth: they are noisy, and one
span may hold several sentences of which the first alone turns back.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from introlab.errors import InputError
from introlab.io.user_files import json_lines
from probes.text.reflection_labels import Mark, sentences

LABELS = (
    "initializing",
    "deduction",
    "adding-knowledge",
    "example-testing",
    "uncertainty-estimation",
    "backtracking",
)
END = "end-section"
_TAG = re.compile(r'\[\s*"?(?:\d+\.\s*)?([A-Za-z][A-Za-z -]*?)"?\s*\]')
_FORM = '{"example": "q1", "annotated": "[\\"backtracking\\"]Wait, no.[\\"end-section\\"]"}'


@dataclass(frozen=True)
class AnnotatedTrace:
    """A text without its labels, and where they stood."""

    example: str
    text: str
    marks: tuple[Mark, ...]

    def begins(self, kind: str) -> list[bool]:
        """For each sentence of the text, whether a span of this kind begins in it."""
        starts = [mark.start for mark in self.marks if mark.kind == kind]
        return [any(start <= each < stop for each in starts) for start, stop in sentences(self.text)]


def read_annotated(example: str, annotated: str) -> AnnotatedTrace:
    """A text with labels in brackets. Quotation marks may be missing and a number may stand before; a label ends at
    ``["end-section"]`` or at the next label. Brackets that are no label stay in the text.

    Raises InputError where nothing is labelled.
    """
    text, kind, done, marks = "", "", 0, list[Mark]()
    for tag in [*_TAG.finditer(annotated), None]:
        if tag is not None and tag[1].strip().lower() not in (*LABELS, END):
            continue
        piece = annotated[done : tag.start() if tag else len(annotated)]
        if kind and piece.strip():
            begin = len(text) + len(piece) - len(piece.lstrip())
            marks.append(Mark(begin, len(text) + len(piece.rstrip()), kind))
        text += piece
        if tag is not None:
            name = tag[1].strip().lower()
            kind, done = "" if name == END else name, tag.end()
    if not marks:
        raise InputError(
            "a trace without labels",
            given=f"{example}: {annotated[:80]!r}",
            allowed=", ".join(LABELS),
            do='write ["label"] before a span and ["end-section"] after it',
        )
    return AnnotatedTrace(example, text, tuple(marks))


def load_annotated(path: Path) -> dict[str, AnnotatedTrace]:
    """Traces by name, from JSON lines with `example` and `annotated`. Raises InputError by file and line."""
    found: dict[str, AnnotatedTrace] = {}
    for where, raw in json_lines(path, form=_FORM):
        name, annotated = (raw.get(key) for key in ("example", "annotated"))
        if not isinstance(name, str) or not isinstance(annotated, str) or name in found:
            raise InputError("a line that is no annotated trace, or a second of one name", given=where, allowed=_FORM)
        found[name] = read_annotated(name, annotated)
    return found


def as_judged(traces: Mapping[str, AnnotatedTrace]) -> list[dict[str, object]]:
    """Lines that `SentenceMarks.load` reads."""
    return [
        {
            "example": name,
            "start": mark.start,
            "stop": mark.stop,
            "kind": mark.kind,
            "quote": each.text[mark.start : mark.stop],
        }
        for name, each in traces.items()
        for mark in each.marks
    ]

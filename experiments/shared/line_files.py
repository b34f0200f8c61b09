"""Lists and questions a user brings as a file: one to a line, and a line that cannot be used is named."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

from introlab.errors import InputError

LONGEST = 60
"""Characters of a concept: a word or a few."""


def words_of(path: Path, *, fewest: int) -> tuple[str, ...]:
    """One word (or a few) to a line; empty lines and those that begin with # are left out. Raises InputError, with the
    number of the line, for one that is too long, twice there or no words, and where there are too few."""
    found: dict[str, int] = {}
    for number, line in _lines(path):
        if not any(sign.isalnum() for sign in line) or len(line) > LONGEST or "\t" in line or "{" in line:
            raise _refused(path, number, line, f"a word or a few, up to {LONGEST} characters")
        if line.lower() in found:
            raise _refused(path, number, line, f"each word once (it is in line {found[line.lower()]}, too)")
        found[line.lower()] = number
    if len(found) < fewest:
        raise InputError("too few words", given=f"{path}: {len(found)}", allowed=f"{fewest} or more, one to a line")
    return tuple(line for _, line in _lines(path))


def questions_of(path: Path, kinds: Mapping[str, str]) -> dict[str, tuple[str, ...]]:
    """One JSON object to a line, ``{"kind": ..., "text": ...}``; `kinds` says what each is. Raises InputError, with the
    number of the line, for anything else."""
    found: dict[str, list[str]] = {}
    allowed = '{"kind": KIND, "text": QUESTION} with KIND one of ' + ", ".join(kinds)
    for number, line in _lines(path):
        try:
            raw = json.loads(line)
        except json.JSONDecodeError as error:
            raise _refused(path, number, line, allowed) from error
        right = isinstance(raw, dict) and set(raw) == {"kind", "text"} and raw["kind"] in kinds
        if not right or not isinstance(raw["text"], str) or not raw["text"].strip():
            raise _refused(path, number, line, allowed)
        found.setdefault(raw["kind"], []).append(raw["text"])
    return {kind: tuple(texts) for kind, texts in found.items()}


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError("a file that cannot be read", given=f"{path}: {error}", do="give a text file") from error
    for number, line in enumerate(text.splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            yield number, line.strip()


def _refused(path: Path, number: int, line: str, allowed: str) -> InputError:
    return InputError(
        "a line that cannot be used", given=f"{path} line {number}: {line[:80]}", allowed=allowed, do="mend the line"
    )

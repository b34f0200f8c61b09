"""A user's own texts, as they stand in a file: checked before any model is loaded.

JSON lines, ``{"id": ..., "prompt": ...}`` or ``{"id": ..., "messages": [...]}``, or a table (``.csv``) with these
names in its first row, or plain words (``.txt``), every line that is not blank a prompt. With them may stand a
``completion`` (what the model is held to have said), a ``label`` (true or false) and a ``group`` (what must not be
split between fitting and testing).
"""

import csv
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from introlab.errors import InputError
from introlab.io.user_files import json_lines, read_text

FORM = '{"id": "1", "prompt": "hello"}'
ROLES = ("system", "user", "assistant")
ENTRIES = ("id", "prompt", "messages", "completion", "label", "group")
_AS_BOOL: Mapping[object, bool] = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False}
"""A table holds words alone."""


@dataclass(frozen=True)
class TextEntry:
    """One text of the user's file."""

    where: str
    """File and line."""
    id: str
    messages: tuple[Mapping[str, str], ...]
    """Each with `role` and `content`."""
    completion: str
    label: bool | None
    group: str

    @property
    def words(self) -> str:
        """All that is said in it."""
        return " ".join([*(message["content"] for message in self.messages), self.completion])


def read_texts(path: Path) -> list[TextEntry]:
    """The texts of a file. Raises InputError naming the line and the key that cannot be used, or for no texts, or two
    of one id."""
    kind = path.suffix.lower()
    rows = _table(path) if kind == ".csv" else _plain(path) if kind == ".txt" else json_lines(path, form=FORM)
    texts = [_text(where, raw, number) for number, (where, raw) in enumerate(rows, 1)]
    if not texts:
        raise InputError("no texts", given=path, do=f"give lines such as {FORM}")
    first: dict[str, str] = {}
    for text in texts:
        if text.id in first:
            raise InputError(
                "two texts of one id",
                given=f"{text.id!r} in {first[text.id]} and {text.where}",
                do="give every text its own id",
            )
        first[text.id] = text.where
    return texts


def labelled(text: TextEntry) -> bool:
    """Its label. Raises InputError where it has none."""
    if text.label is None:
        raise InputError("a text without a label", given=text.where, do='add "label": true or false to every line')
    return text.label


def _plain(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            yield f"{path} line {number}", {"id": number, "prompt": line.removesuffix("\r")}


def _table(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    reader = csv.DictReader(io.StringIO(read_text(path), newline=""), strict=True)
    try:
        names = reader.fieldnames or []
        if "prompt" not in names or len(set(names)) < len(names) or "messages" in names:
            raise InputError(
                "a table of other columns",
                given=f"{path}: {', '.join(names)}",
                allowed="prompt, and " + ", ".join(name for name in ENTRIES if name not in ("prompt", "messages")),
            )
        for row in reader:
            where = f"{path} line {reader.line_num}"
            if None in row or None in row.values():
                raise InputError("a row of more or fewer cells than there are columns", given=where)
            given = {name: cell for name, cell in row.items() if cell != "" or name == "prompt"}
            if "label" in given:
                given["label"] = _AS_BOOL.get(given["label"].strip().lower(), given["label"])
            yield where, given
    except csv.Error as error:
        raise InputError("a table that cannot be read", given=f"{path} line {reader.line_num}: {error}") from error


def _text(where: str, raw: Mapping[str, Any], number: int) -> TextEntry:
    if ("prompt" in raw) == ("messages" in raw):
        given = f"{where}: {', '.join(raw) or 'nothing'}"
        raise InputError("a text is a prompt, or messages", given=given, allowed=FORM)
    label = raw.get("label")
    if label is not None and not isinstance(label, bool):
        raise InputError("a label that is neither true nor false", given=f"{where}: {label!r}")
    name = _name(where, "id", raw.get("id", number))
    messages = _messages(where, raw["messages"]) if "messages" in raw else ()
    prompt = () if messages else ({"role": "user", "content": _string(where, "prompt", raw["prompt"])},)
    completion = _string(where, "completion", raw.get("completion", ""))
    return TextEntry(where, name, messages or prompt, completion, label, _name(where, "group", raw.get("group", name)))


def _messages(where: str, raw: object) -> tuple[Mapping[str, str], ...]:
    if not isinstance(raw, list) or not raw:
        raise InputError("messages that are not a list of turns", given=f"{where}: messages = {str(raw)[:80]}")
    found: list[Mapping[str, str]] = []
    for index, turn in enumerate(raw):
        key = f"messages[{index}]"
        if not isinstance(turn, dict) or not {"role", "content"} <= set(turn):
            allowed = '{"role": "user", "content": "hello"}'
            raise InputError("a turn without a role and content", given=f"{where}: {key} = {turn}", allowed=allowed)
        if turn["role"] not in ROLES:
            given = f"{where}: {key}.role = {turn['role']!r}"
            raise InputError("a turn of nobody known", given=given, allowed=", ".join(ROLES))
        found.append({"role": turn["role"], "content": _string(where, f"{key}.content", turn["content"])})
    return tuple(found)


def _string(where: str, key: str, value: object) -> str:
    if not isinstance(value, str):
        raise InputError("words that are not a string", given=f"{where}: {key} = {str(value)[:80]}", allowed="a string")
    return value


def _name(where: str, key: str, value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float) or value == "":
        raise InputError(
            f"{key} is no name", given=f"{where}: {key} = {str(value)[:80]!r}", allowed="a string or a number"
        )
    return str(value)

"""Text and JSON that somebody else wrote: read as it stands, or refused by file, line and key.

UTF-8, with or without a byte order mark. A line ends at a line feed and nowhere else: the other line separators of
Unicode may stand inside a JSON string.
"""

import codecs
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NoReturn

from introlab.errors import InputError

_OTHER_ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
"""By the mark they begin with; the longer marks first."""


def read_text(path: Path) -> str:
    """The words of a file. Raises InputError where there is none, or it is not UTF-8, naming the line."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise InputError(
            "a file that cannot be read", given=f"{path}: {error.strerror}", do="check its name"
        ) from error
    encoding = next((name for mark, name in _OTHER_ENCODINGS.items() if raw.startswith(mark)), None)
    if encoding:
        _not_utf8(f"{path}, which begins as {encoding} does")
    try:
        text = raw.removeprefix(codecs.BOM_UTF8).decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        _not_utf8(f"{path} line {line}: byte {raw[error.start]:#04x}", error)
    if "\0" in text:
        _not_utf8(f"{path} line {text.count(chr(10), 0, text.index(chr(0))) + 1}: a zero byte")
    return text


def json_lines(path: Path, *, form: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """The object on every line that is not blank, each with the file and line it stands on, as they are read.

    `form` is an example of a line, for the error. Raises InputError for a line that is no JSON object, that names a key
    twice, or that holds half a character (a lone surrogate), NaN or infinity; or where the file cannot be read.
    """
    for number, line in enumerate(read_text(path).split("\n"), 1):
        if line.strip():
            where = f"{path} line {number}"
            yield where, _object(line, where, form)


def json_file(path: Path, *, form: str) -> dict[str, Any]:
    """The object that a file holds. Raises InputError as `json_lines` does."""
    return _object(read_text(path), str(path), form)


def _object(text: str, where: str, form: str) -> dict[str, Any]:
    try:
        raw = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        raise InputError("what is not JSON", given=f"{where}: {error}", allowed=form) from error
    if not isinstance(raw, dict):
        raise InputError("JSON that is not an object", given=f"{where}: {str(raw)[:80]}", allowed=form)
    for key, value in raw.items():
        if broken := next((each for each in _strings([key, value]) if _is_broken(each)), None):
            raise InputError(
                "half a character (a lone surrogate), which no text can hold",
                given=f"{where}: {_escaped(key)}: {_escaped(broken)[:80]}",
                do="write the character whole; most often an emoji was cut in two",
            )
    return raw


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        raise ValueError(f"the key {next(key for key in keys if keys.count(key) > 1)!r} stands there twice")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number of JSON")


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for each in value:
            yield from _strings(each)
    elif isinstance(value, dict):
        for each in (*value, *value.values()):
            yield from _strings(each)


def _is_broken(text: str) -> bool:
    return any("\ud800" <= character <= "\udfff" for character in text)


def _escaped(text: str) -> str:
    return text.encode("unicode_escape", "backslashreplace").decode()


def _not_utf8(given: str, error: Exception | None = None) -> NoReturn:
    raise InputError(
        "a text file that is not UTF-8", given=given, allowed="UTF-8", do="save it as UTF-8: iconv -f ... -t UTF-8"
    ) from error

"""JSON texts whose last entry is a digest of the rest: a changed byte is noticed, and they stay JSON for everyone else.

{"a":1}   ->   {"a":1,"digest":"0c2b..."}        [1,2]   ->   [1,2,"7f31..."]
"""

import hashlib
import json
import re
from errno import ENOENT
from pathlib import Path
from typing import Any

from introlab.errors import AlteredFile

_DIGITS = 16
_ENDS = (
    # How a text ends, what stands there when the digest is in it, and that as a pattern.
    ("\n}", ',\n "digest": "{}"\n}}', re.compile(r',\n "digest": "([0-9a-f]{16})"\n\}\Z')),
    ("}", ',"digest":"{}"}}', re.compile(r',"digest":"([0-9a-f]{16})"\}\Z')),
    ("]", ',"{}"]', re.compile(r',"([0-9a-f]{16})"\]\Z')),
)


def sealed(text: str) -> str:
    """A JSON object or list, not empty, with the digest of its text as its last entry. Raises ValueError for others."""
    for end, form, _ in _ENDS:
        if text.endswith(end) and text[: -len(end)].strip() not in ("", "{", "["):
            return text[: -len(end)] + form.format(_digest(text))
    raise ValueError(f"neither a JSON object nor a list with entries: {text[:80]!r}")


def unsealed(text: str) -> tuple[str, bool]:
    """The text without its digest, and whether it had one. Raises AlteredFile where it is not the digest of the
    text."""
    for end, _, pattern in _ENDS:
        found = pattern.search(text, max(0, len(text) - _DIGITS - 24))
        if found is not None:
            plain = text[: found.start()] + end
            if found[1] != _digest(plain):
                raise AlteredFile("its bytes are not those that were written", given=text[:80])
            return plain, True
    return text, False


def read_json(path: Path, *, must: bool = False) -> dict[str, Any]:
    """The object in a file that `sealed` made, or in an older one without a digest, where it `must` not have one.

    Raises AlteredFile for other bytes than were written; ValueError where it is no JSON object; OSError.
    """
    if not path.is_file():  # a pipe would never end
        raise FileNotFoundError(ENOENT, "no such file", str(path))
    try:
        text, found = unsealed(path.read_text(encoding="utf-8"))
        raw = json.loads(text)
    except AlteredFile as error:
        raise _altered(path) from error
    if not isinstance(raw, dict):
        raise ValueError(f"not a JSON object: {path.name}")
    if must and not found:
        raise _altered(path)
    return raw


def _altered(path: Path) -> AlteredFile:
    return AlteredFile(f"{path.name} is not what was written", given=path, do="take it from a copy; do not use it")


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:_DIGITS]

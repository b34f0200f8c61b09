"""What the command line prints goes through here: text of models and names of files are shown, never obeyed.

A terminal takes some characters as commands: to move the cursor, to rename its window, to write right to left. They
are printed as escapes, `\\x1b`, as are characters that the terminal's encoding does not have.
"""

import re
import sys
from typing import TextIO

_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""All control characters but tab and new line; marks that turn the direction of writing; halves of characters, which
stand for bytes of a file name that are no text."""


def shown(text: object, *, line: bool = False) -> str:
    """The text with every command to a terminal as an escape; new lines and tabs, too, where it must be one `line`."""
    safe = _COMMANDS.sub(lambda found: _escape(found[0]), str(text))
    return re.sub("[\t\n]", lambda found: _escape(found[0]), safe) if line else safe


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode()


def say(text: object = "") -> None:
    """A line to the user; stdout is for results."""
    _print(sys.stdout, text)


def tell(text: object) -> None:
    """How it is going, on stderr, so that stdout stays clean for --json."""
    _print(sys.stderr, text)


def told_warning(message: object, *_: object) -> str:
    """In place of `warnings.formatwarning`: the message alone."""
    return f"introlab: warning: {shown(message)}\n"


def _print(stream: TextIO, text: object) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    stream.write(shown(text).encode(encoding, "backslashreplace").decode(encoding) + "\n")
    stream.flush()

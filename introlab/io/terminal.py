"""What the command line prints goes through here: text of models and names of files are shown, never obeyed.

A terminal takes some characters as commands: to move the cursor, to rename its window, to write right to left. They
are printed as escapes, `\\x1b`, as are characters that the terminal's encoding does not have.
"""

import os
import re
import sys
from typing import Literal, TextIO

_COMMANDS = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""All control characters but tab and new line; marks that turn the direction of writing; halves of characters, which
stand for bytes of a file name that are no text."""


def shown(text: object, *, line: bool = False) -> str:
    """The text with every command to a terminal as an escape; new lines and tabs, too, where it must be one `line`."""
    safe = _COMMANDS.sub(lambda found: _escape(found[0]), str(text))
    return re.sub("[\t\n]", lambda found: _escape(found[0]), safe) if line else safe


def _escape(character: str) -> str:
    return character.encode("unicode_escape", "backslashreplace").decode()


Style = Literal["good", "warning", "error"]
_STYLES: dict[Style, str] = {"good": "32", "warning": "33", "error": "31"}
"""Green, yellow and red, as a terminal is told."""


def say(text: object = "", style: Style | None = None) -> None:
    """A line to the user; stdout is for results. Coloured on a terminal, unless NO_COLOR is set."""
    _print(sys.stdout, text, style)


def tell(text: object, style: Style | None = None) -> None:
    """How it is going, on stderr, so that stdout stays clean for --json. Coloured as `say` is."""
    _print(sys.stderr, text, style)


def told_warning(message: object, *_: object) -> str:
    """In place of `warnings.formatwarning`: the message alone."""
    return f"introlab: warning: {shown(message)}\n"


def _print(stream: TextIO, text: object, style: Style | None) -> None:
    encoding = getattr(stream, "encoding", None) or "utf-8"
    line = shown(text).encode(encoding, "backslashreplace").decode(encoding)
    if style is not None and stream.isatty() and not os.environ.get("NO_COLOR"):
        line = f"\x1b[{_STYLES[style]}m{line}\x1b[0m"  # after the text has lost commands of its own
    stream.write(line + "\n")
    stream.flush()

"""What a model wrote, or a file is called, is shown on the terminal and not obeyed by it."""

import io
import re
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from made_runs import begun, manifest

from introlab.io.terminal import say, shown, told_warning

ATTACK = "\x1b]0;owned\x07\x1b[2J\r\x9b31m\u202etxt\udcff"
ROOT = Path(__file__).parents[1]


def test_commands_become_escapes():
    assert shown("\x1b[31mred\x07") == "\\x1b[31mred\\x07"
    assert shown("a\tb\nc\r") == "a\tb\nc\\r"
    assert shown("a\tb\nc", line=True) == "a\\tb\\nc"
    assert shown("\u202e\x9b\udc80") == "\\u202e\\x9b\\udc80"
    assert shown("Grüße, 你好, 👩‍🔬") == "Grüße, 你好, 👩‍🔬", "text stays text"
    assert told_warning("\x1b[2J") == "introlab: warning: \\x1b[2J\n"


@given(st.text(st.characters()))
def test_nothing_that_is_no_character_to_read_gets_through(text):
    made = shown(text, line=True)
    assert made.isprintable() or not re.search(r"[\x00-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", made)
    made.encode("utf-8")


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("stream", "no_color", "shown_as"),
    [
        (Terminal, "", "\x1b[31m\\x1b[2J bad\x1b[0m\n"),
        (Terminal, "1", "\\x1b[2J bad\n"),
        (io.StringIO, "", "\\x1b[2J bad\n"),
    ],
)
def test_colours_are_the_labs_own_and_only_for_a_terminal(stream, no_color, shown_as, monkeypatch):
    """Commands in the text stay escapes, whatever the colour."""
    monkeypatch.setenv("NO_COLOR", no_color)
    monkeypatch.setattr(sys, "stdout", stream())
    say("\x1b[2J bad", "error")
    assert sys.stdout.getvalue() == shown_as


def test_what_the_terminal_cannot_write_is_an_escape(monkeypatch):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    say("é \x1b[0m")
    stream.flush()
    assert stream.buffer.getvalue() == b"\\xe9 \\x1b[0m\n"


@pytest.mark.parametrize("arguments", [("runs", "shelf"), ("runs", "shelf", "--prune", "--state", "interrupted")])
def test_names_of_runs(command, tmp_path, arguments):
    begun(tmp_path / "shelf" / ATTACK, started=ATTACK, specs=[ATTACK], experiment=ATTACK)
    begun(tmp_path / "shelf" / "honest", **{"models": {}, **{name: manifest()[name] for name in ("specs",)}})
    code, out, _ = command(*arguments)
    assert code == 0 and "honest" in out and "\\x1b]0;owned" in out
    assert not re.search(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e\ud800-\udfff]", out)


def test_errors_show_what_was_given(command):
    code, _, err = command("report", ATTACK)
    assert code == 2 and "\\x1b]0;owned" in err and "\x1b" not in err


def test_the_command_line_prints_in_one_place():
    """Every other file hands its words to `introlab.io.terminal`."""
    for folder in ("experiments", "organisms", "introlab", "probes", "steering", "dashboard"):
        for path in (ROOT / folder).rglob("*.py"):
            if path.name != "terminal.py":
                assert not re.search(r"\bsys\.std(out|err)\b|\bprint\(", path.read_text(encoding="utf-8")), path

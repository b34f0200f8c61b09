"""Where the command line writes: results to stdout, progress to stderr."""

import sys


def say(text: str = "") -> None:
    """To the user; stdout is for results."""
    sys.stdout.write(text + "\n")


def tell(text: str) -> None:
    """How it is going, on stderr, so that stdout stays clean for --json."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


def hush(_: str) -> None:
    return None

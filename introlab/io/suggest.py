"""\"Did you mean\": the names that a mistyped one is nearest to, hyphens and underscores being one."""

from collections.abc import Iterable
from difflib import get_close_matches


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """`did you mean one?`, with up to three of the known names as they are spelt; empty where none is near."""
    spelt = {_plain(name): name for name in known}
    near = get_close_matches(_plain(given), list(spelt), n=3, cutoff=0.6)
    return f"did you mean {' or '.join(spelt[name] for name in near)}?" if near else ""


def _plain(name: str) -> str:
    return name.lower().replace("_", "-")

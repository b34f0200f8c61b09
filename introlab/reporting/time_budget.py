"""A run's budget of time in words: how long it is, what was cut for it, and whether that was enough."""

from collections.abc import Mapping, Sequence
from typing import Any


def duration(seconds: float) -> str:
    """For a reader: 90 s, 10 min, 2.5 h."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def budget_told(note: Mapping[str, Any]) -> str:
    """What a budget came to: the entry of a manifest."""
    limit, cut, estimate = note["seconds"], note["cut"], note["estimate"]
    over = "" if estimate <= limit else f"; what may not be cut takes about {duration(estimate)}, and it goes on"
    return f"budget {duration(limit)}: {f'cut {_cut(cut)}' if cut else 'nothing is cut'}{over}"


def _cut(cut: Mapping[str, Sequence[Any]]) -> str:
    each = ((name.replace("_", " "), *values) for name, values in cut.items())
    return ", ".join(f"{name} {_short(before)} to {_short(after)}" for name, before, after in each)


def _short(value: Any) -> str:
    return (" ".join(f"{each:g}" for each in value) or "none") if isinstance(value, tuple | list) else str(value)

"""A receipt: proof of where an edit landed, at which absolute positions and by how much."""

from collections.abc import Iterable
from dataclasses import dataclass, fields
from typing import Any, Self


@dataclass(frozen=True)
class Receipt:
    """Of one intervention in one trial. Positions are absolute, as half-open ranges."""

    site: str
    span: str
    edit: dict[str, Any]
    prefill: tuple[tuple[int, int], ...]
    """Positions touched while the prompt was read."""
    decoded: tuple[tuple[int, int], ...]
    """Positions touched while new tokens were read."""
    share: float
    """Mean size of the change as a share of the norm of what it changed."""
    status: str
    """`applied`; `ended before its span`: the row was over before any eligible position came; `gate stayed closed`."""
    dose: float = 0.0
    """Mean size of the change."""
    projection: float | None = None
    """Mean projection on the edit's axis, afterwards; None of an edit without an axis, or at strength 0, which does not
    keep rows from sharing what they read."""
    gated: int = 0
    """Eligible positions at which its gate was closed."""

    def __str__(self) -> str:
        landed = f"positions {places(_joined((*self.prefill, *self.decoded)))}, {self.share:.3g} of the norm there"
        edit = " ".join(str(self.edit[name]) for name in ("edit", "direction") if name in self.edit)
        return f"{edit or 'edit'} at {self.site}, {self.span}: {landed if self.touched else 'nowhere'} ({self.status})"

    def _repr_html_(self) -> str:
        from introlab.io.markup import card

        facts: dict[str, object] = {
            "edit": ", ".join(f"{name} {value}" for name, value in self.edit.items()),
            "site": self.site,
            "span": self.span,
            "positions of the prompt": places(self.prefill),
            "positions of the new text": places(self.decoded),
            "size of the change": f"{self.share:.3g} of the norm there ({self.dose:.4g})",
            "status": self.status,
        }
        return card("Receipt", facts)

    @property
    def touched(self) -> int:
        return sum(stop - start for start, stop in (*self.prefill, *self.decoded))

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        """Of a file; entries that this lab does not know are left out."""
        known = {each.name for each in fields(cls)}
        values = {name: value for name, value in raw.items() if name in known}
        for name in ("prefill", "decoded"):
            values[name] = tuple((start, stop) for start, stop in raw[name])
        return cls(**values)


def _joined(ranges: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Ranges that follow upon each other as one."""
    joined: list[tuple[int, int]] = []
    for start, stop in ranges:
        if joined and joined[-1][1] == start:
            start = joined.pop()[0]
        joined.append((start, stop))
    return joined


def places(ranges: Iterable[tuple[int, int]]) -> str:
    """Half-open ranges of positions in words."""
    return ", ".join(f"{start}–{stop - 1}" if stop - start > 1 else str(start) for start, stop in ranges) or "none"

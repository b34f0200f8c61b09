"""Ways of asking a model, after it has answered, how sure it is; the one used is chosen on calibration questions."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

import numpy as np

from experiments.confidence.prompts import ConfidencePrompts
from introlab.errors import InputError
from introlab.tasks.materials import Materials

FILE = Path(__file__).with_name("ways.json")
ENOUGH = 0.9
"""Share of replies in kind from which on the spread of what they state decides."""
_SCALE = re.compile(r"(?:from |of |between )?\d+\s*(?:to|and|-)\s*\d+|(?:out of|/)\s*\d+", re.IGNORECASE)
"""What a reply repeats of the scale itself: "from 0 to 10", "out of 10"."""
_ENTRIES = {"when", "ask", "read", "prefill", "scale", "greatest", "swap"}


@dataclass(frozen=True)
class Way:
    """One way of asking: what is said, and what a reply says on 0 to 1."""

    name: str
    ask: str
    read: Literal["next token", "reply"]
    scale: Mapping[str, float]
    """Replies and what they say; none where the written number counts."""
    prefill: str = ""
    greatest: float | None = None
    """What a written number is divided by."""
    swap: "Way | None" = None
    """The same with the replies exchanged, to average over their order."""

    @classmethod
    def of(cls, name: str, raw: Mapping[str, Any], where: Path = FILE) -> Self:
        """Raises InputError for an entry that is not a way."""
        scale, greatest = raw.get("scale", {}), raw.get("greatest")
        read, right = raw.get("read"), isinstance(raw.get("ask"), str) and set(raw) <= _ENTRIES
        if not right or read not in ("next token", "reply") or (read == "next token" and not scale):
            raise _no_way(name, raw, where)
        if bool(scale) == (greatest is not None) or not all(0 <= value <= 1 for value in scale.values()):
            raise _no_way(name, raw, where)
        swapped = raw.get("swap")
        other = cls.of(name, {**{k: v for k, v in raw.items() if k != "swap"}, **swapped}, where) if swapped else None
        return cls(name, raw["ask"], read, dict(scale), raw.get("prefill", ""), greatest, other)

    def said(self, reply: str) -> float | None:
        """What a written reply says: its longest words of the scale that are not denied, or its last number; None where
        it has neither, or the number is not on the scale."""
        if self.greatest is not None:
            numbers = [float(one) for one in re.findall(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)", _SCALE.sub(" ", reply))]
            return numbers[-1] / self.greatest if numbers and numbers[-1] <= self.greatest else None
        plain = " ".join(reply.lower().split())
        there = [one for one in self.scale if re.search(rf"(?<!\w)(?<!not ){re.escape(one.lower())}(?!\w)", plain)]
        return self.scale[max(there, key=len)] if there else None


def ways_of(materials: Materials) -> tuple[Way, ...]:
    """The ways in which these materials are asked about: as they word it themselves, if they do, or every way of
    ways.json that follows an answer."""
    if "ask_after" in materials.own.get("confidence", {}):
        wording = ConfidencePrompts.of(materials)
        words = wording.confidence_words
        scale = dict(zip(words, np.linspace(0, 1, len(words)).tolist(), strict=True))
        return (Way("own", wording.ask_after, "next token", scale),)
    raw = json.loads(FILE.read_text(encoding="utf-8"))
    return tuple(Way.of(name, one) for name, one in raw.items() if one["when"] == "after")


def chosen_way(ways: Sequence[Way], stated: Mapping[str, Sequence[float | None]]) -> Way:
    """Of the ways that are answered in kind nearly always, the one whose values are spread most (standard deviation);
    where there is none, the one most often in kind. Whether an answer was right has no part in it."""
    if len(ways) == 1:
        return ways[0]
    shares = {way.name: in_kind(stated[way.name]) for way in ways}
    best = min(ENOUGH, max(shares.values()))
    alike = [way for way in ways if shares[way.name] >= best]
    return max(alike, key=lambda way: spread(stated[way.name]))


def in_kind(values: Sequence[float | None]) -> float:
    """Share of the replies that state something; 0 where there are none."""
    return sum(one is not None for one in values) / max(1, len(values))


def spread(values: Sequence[float | None]) -> float:
    """Standard deviation of what is stated; 0 where fewer than two state something."""
    known = [one for one in values if one is not None]
    return float(np.std(known)) if len(known) > 1 else 0.0


def _no_way(name: str, raw: Mapping[str, Any], where: Path) -> InputError:
    return InputError(
        "not a way of asking confidence",
        given=f"{where.name}: {name} = {str(dict(raw))[:120]}",
        allowed="ask; read next token (with a scale) or reply (with a scale or greatest); values from 0 to 1",
        do="see docs/materials.md",
    )

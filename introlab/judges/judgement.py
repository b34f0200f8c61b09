"""A verdict: what a judge made of a text, where in the text it saw that, or why there is none. Missing is not zero."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Protocol, Self

from introlab.judges.rubric import Item, Rubric, Value


class Missing(StrEnum):
    """Why there is no answer."""

    NO_REPLY = "no reply"
    SPENT = "limit of requests reached"
    REFUSED = "the judge refused"
    CUT_OFF = "reply cut off"
    UNREADABLE = "reply not in the form asked for"
    NOT_ALLOWED = "an answer that is not allowed"
    NO_EVIDENCE = "no evidence given"
    NOT_VERBATIM = "evidence that is not in the text"
    NOT_IN_KIND = "too little probability on the labels"
    UNDECIDED = "labels equally probable"
    CANNOT_TELL = "nothing to judge by"
    TOO_LONG = "too long for the judge"
    NOT_FINITE = "not a finite number"


NOT_JUDGED = (Missing.NO_REPLY, Missing.SPENT)
"""The judge never answered: asked again next time. All else is its answer, and is kept."""


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`value` is None exactly where `missing` says why."""

    value: Value | None = None
    quote: str = ""
    """The evidence, as it stands in the text."""
    start: int | None = None
    """The character of the text at which it begins."""
    missing: Missing | None = None
    detail: str = ""
    raw: str = ""
    """What the judge wrote, or its probabilities."""

    def __post_init__(self) -> None:
        if (self.value is None) == (self.missing is None):
            raise ValueError(f"a verdict has a value or a reason for having none: {self}")

    def as_json(self) -> dict[str, Any]:
        """Entries that hold something."""
        return {name: each for name, each in asdict(self).items() if each not in (None, "")}

    @classmethod
    def from_json(cls, raw: dict[str, Any]) -> Self:
        entries = dict(raw)
        missing = entries.pop("missing", None)
        return cls(**entries, missing=None if missing is None else Missing(missing))


class Judge(Protocol):
    """Anything that answers a rubric's question about items."""

    @property
    def name(self) -> str: ...

    @property
    def identity(self) -> dict[str, Any]:
        """All that its verdicts depend on beside rubric and item; JSON, and no secret."""
        ...

    def __call__(self, rubric: Rubric, items: Sequence[Item]) -> Iterator[tuple[Item, Verdict]]:
        """A verdict for each item, in any order, each as soon as it is there."""
        ...


def at(match: re.Match[str], value: Value) -> Verdict:
    """A verdict whose evidence is what a pattern found."""
    return Verdict(value=value, quote=match[0], start=match.start())


def read_reply(rubric: Rubric, item: Item, reply: str) -> Verdict:
    """The verdict in what a judge wrote: one JSON object with the answer and its evidence.

    The evidence must stand in the response word for word; only line breaks and spaces may differ. Anything else - no
    object, two of them, another label, a number out of range, no quotation where one is needed - is missing.
    """
    said = _only_object(reply)
    evidence = said.get("evidence") or "" if said else None
    if said is None or not isinstance(evidence, str):
        return Verdict(missing=Missing.UNREADABLE, raw=reply)
    if said[ANSWER] is None:
        return Verdict(missing=Missing.CANNOT_TELL, raw=reply)
    value = rubric.value(said[ANSWER])
    if value is None:
        return Verdict(missing=Missing.NOT_ALLOWED, detail=str(said[ANSWER])[:80], raw=reply)
    if not evidence.strip():
        if rubric.needs_evidence(value):
            return Verdict(missing=Missing.NO_EVIDENCE, detail=str(value), raw=reply)
        return Verdict(value=value, raw=reply)
    found = verbatim(evidence, item.response)
    if found is None:
        return Verdict(missing=Missing.NOT_VERBATIM, detail=evidence[:80], raw=reply)
    return Verdict(value=value, quote=found[0], start=found.start(), raw=reply)


ANSWER = "answer"
"""The entry of a reply with the label or number. `evidence` comes before it: quote first, then judge (CogTest)."""


def verbatim(quote: str, text: str) -> re.Match[str] | None:
    """Where a quotation stands in a text, in whole words; spaces and line breaks count alike."""
    words = r"\s+".join(re.escape(word) for word in quote.split())
    if not re.search(r"\w", quote):
        return None
    before, after = (
        (r"(?<!\w)" if re.match(r"\w", quote.strip()) else ""),
        (r"(?!\w)" if quote.strip()[-1].isalnum() else ""),
    )
    return re.search(before + words + after, text)


def _only_object(reply: str) -> dict[str, Any] | None:
    """The one object with an answer among whatever else was written; None where there is none, or they differ."""
    found: list[dict[str, Any]] = []
    decoder, place = json.JSONDecoder(), reply.find("{")
    while place >= 0:
        try:
            each, end = decoder.raw_decode(reply, place)
            if isinstance(each, dict) and ANSWER in each and each not in found:
                found.append(each)
        except (ValueError, RecursionError):
            end = place + 1
        place = reply.find("{", end)
    return found[0] if len(found) == 1 else None

"""Conditions that come in families (a persona, a kind of direction, a pair of topics): written and read in one place.

Trials carry conditions as text. Nothing takes such a text apart but these classes, so relabelling a family changes
labels and no analysis.
"""

from dataclasses import dataclass
from typing import Self

from introlab.errors import InputError


@dataclass(frozen=True)
class ConditionFamily:
    """Conditions `NAME` + separator + member, such as ``persona careful``."""

    name: str
    separator: str

    def __call__(self, member: str) -> str:
        """The condition of a member. Raises InputError for an empty one."""
        if not member:
            raise InputError("a condition without a member", given=self.name, do="name the persona, direction or set")
        return f"{self.name}{self.separator}{member}"

    def member(self, condition: object) -> str | None:
        """Which member a condition is of; None where it is of another family."""
        start = f"{self.name}{self.separator}"
        text = str(condition)
        return text[len(start) :] if text.startswith(start) and len(text) > len(start) else None

    def __contains__(self, condition: object) -> bool:
        return self.member(condition) is not None


@dataclass(frozen=True)
class TopicPair:
    """A topic asked about, and a topic steered towards: `ASKED -> TOWARDS`."""

    asked: str
    towards: str

    def __str__(self) -> str:
        return f"{self.asked} -> {self.towards}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InputError for anything that is not a pair."""
        parts = text.split(" -> ")
        if len(parts) != 2 or not all(parts):
            raise InputError("not a pair of topics", given=text, allowed="ASKED -> TOWARDS")
        return cls(*parts)


@dataclass(frozen=True)
class KindTopic:
    """A direction by its kind and the topic it leads to: `KIND: TOPIC`."""

    kind: str
    topic: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.topic}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """Raises InputError for anything that is not a kind and a topic."""
        parts = text.split(": ", 1)
        if len(parts) != 2 or not all(parts):
            raise InputError("not a kind of direction and its topic", given=text, allowed="KIND: TOPIC")
        return cls(*parts)


PERSONA = ConditionFamily("persona", " ")

"""What a model does when it is asked plainly: how much of it can be read, and what can therefore be asked of it.

Written by `introlab check` and, part by part, before a run. A part that was not asked for is None. All of it is JSON.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, Self

import numpy as np

from introlab.stats.estimates import clopper_pearson

CheckPart = Literal["answers", "ways", "rechecks", "topics"]
PARTS: tuple[CheckPart, ...] = ("answers", "ways", "rechecks", "topics")
"""In the order in which they are asked: what is said about answers needs answers."""
Possible = Literal["can be asked", "partly", "cannot be decided"]


@dataclass(frozen=True)
class RawExchange:
    """What a model was given, word for word, what it replied, and how that was read."""

    prompt: str
    reply: str
    read: str


@dataclass(frozen=True)
class CheckedAnswer:
    """One question, greedily answered."""

    question: str
    """Its id."""
    kind: str
    level: str
    text: str
    reply: str
    answer: str | None
    """None: unparsable."""
    right: bool | None


@dataclass(frozen=True)
class AnswersPart:
    """Questions of every kind and level."""

    room: int
    """New tokens at most."""
    prompts: Mapping[str, str]
    """By kind, one prompt as the model was given it."""
    answers: tuple[CheckedAnswer, ...]

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(one.kind for one in self.answers))

    @property
    def levels(self) -> tuple[str, ...]:
        return tuple(sorted({one.level for one in self.answers}, key=lambda level: (len(level), level)))

    def of(self, kind: str | None = None, level: str | None = None) -> tuple[CheckedAnswer, ...]:
        """Those of a kind, of a level, or all."""
        return tuple(one for one in self.answers if kind in (None, one.kind) and level in (None, one.level))


def parsed(answers: tuple[CheckedAnswer, ...]) -> int:
    """How many of them could be read."""
    return sum(one.answer is not None for one in answers)


def right(answers: tuple[CheckedAnswer, ...]) -> int:
    """How many of them are right."""
    return sum(one.right is True for one in answers)


@dataclass(frozen=True)
class CheckedWay:
    """One way of asking how sure the model is, and what came back."""

    name: str
    when: Literal["before", "after", "between"]
    stated: tuple[float | None, ...]
    """One a question; None where the reply was not in kind."""
    mass: tuple[float, ...]
    """Probability on the words asked for; of a written reply 1 where it was in kind, else 0."""
    example: RawExchange

    @property
    def in_kind(self) -> int:
        return sum(value is not None for value in self.stated)

    @property
    def mean_mass(self) -> float:
        return float(np.mean(self.mass)) if self.mass else 0.0

    @property
    def spread(self) -> float | None:
        """Standard deviation of what was stated; None where fewer than two stated anything."""
        known = [value for value in self.stated if value is not None]
        return float(np.std(known)) if len(known) > 1 else None


@dataclass(frozen=True)
class WaysPart:
    """Every way of asking, of the same answers."""

    ways: tuple[CheckedWay, ...]
    chosen: str | None
    """The way that the rule of the experiment picks from these, among those that follow an answer; None without one."""


@dataclass(frozen=True)
class RechecksPart:
    """Questions asked plainly, with the request to check, and once more after the answer."""

    asked: int
    decided: int
    """Plainly asked: texts in which an answer and what follows it are found by the pattern of wording.json."""
    reconsidered: int
    """Of these, how many go on with a reconsidering word."""
    decided_on_request: int
    reconsidered_on_request: int
    asked_again: int
    """Answers after which it was asked to check in a turn of its own, and both replies could be read."""
    changed: int
    """Of these, how many second answers differ."""
    exchanges: tuple[RawExchange, ...]


@dataclass(frozen=True)
class TopicsPart:
    """Unsteered texts, each about one topic."""

    texts: int
    with_words: int
    """Texts that have a word of any topic."""
    on_topic: int
    """Texts of whose topic words most are of the topic asked about."""
    coherent: int
    likelihood: float
    """Mean log-probability a token under the model itself, over texts."""
    repeated: float
    """Mean share of three-token sequences that stood before in the text."""
    exchanges: tuple[RawExchange, ...]


@dataclass(frozen=True)
class ModelCheck:
    """Everything that was asked of one model with one set of materials."""

    model: str
    fingerprint: str
    """Of its weights."""
    template: str
    """Digest of how the model's prompts are written, in text and tokens."""
    materials: str
    """Digest of their files."""
    answers: AnswersPart | None = None
    ways: WaysPart | None = None
    rechecks: RechecksPart | None = None
    topics: TopicsPart | None = None
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    """By part, what asking took; parts that were kept say what they took then."""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, raw: Mapping[str, Any]) -> Self:
        """Of what `as_json` gave. Raises KeyError, TypeError or ValueError for anything else."""
        parts: dict[str, Any] = {name: None if raw[name] is None else part_from_json(name, raw[name]) for name in PARTS}
        rest: dict[str, Any] = {
            name: raw[name] for name in ("model", "fingerprint", "template", "materials", "seconds")
        }
        return cls(**rest, **parts)


@dataclass(frozen=True)
class Feasibility:
    """What one experiment can ask of the model, and what to change where it cannot."""

    experiment: str
    possible: Possible
    why: str
    """The numbers it rests on."""
    settings: str = ""
    """With which settings to ask."""
    change: str = ""
    """Which entry of the materials, or which setting, to change."""


def part_from_json(name: CheckPart, raw: Mapping[str, Any]) -> Any:
    """One part, read back. Raises KeyError, TypeError or ValueError for anything else."""
    entries: dict[str, Any] = dict(raw)
    if name == "answers":
        entries["answers"] = tuple(CheckedAnswer(**one) for one in entries["answers"])
        return AnswersPart(**entries)
    if name == "ways":
        return WaysPart(tuple(_way(one) for one in entries["ways"]), entries["chosen"])
    entries["exchanges"] = tuple(RawExchange(**one) for one in entries["exchanges"])
    return RechecksPart(**entries) if name == "rechecks" else TopicsPart(**entries)


def _way(raw: dict[str, Any]) -> CheckedWay:
    read: dict[str, Any] = {
        "stated": tuple(raw["stated"]),
        "mass": tuple(raw["mass"]),
        "example": RawExchange(**raw["example"]),
    }
    return CheckedWay(**{**raw, **read})


def at_most(count: int, total: int) -> float:
    """The greatest rate that seeing `count` of `total` allows (Clopper-Pearson, 95 %); 1 where nothing was seen."""
    return clopper_pearson(count / total, total, 0.95)[1] if total else 1.0

"""A rubric says what is asked of a text and what an answer looks like; an item is all that a judge sees of it.

Rubrics and their calibration sets are data (``introlab/data/judges``, or a folder of the user's): ``NAME.json`` is the
question, ``NAME.jsonl`` are texts whose answer is known.
"""

import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Self

from introlab.errors import InputError
from introlab.io.user_files import json_file

SHIPPED = Path(__file__).parent.parent / "data" / "judges"
Value = str | float
"""A label, or a point on a scale."""
World = Literal["general", "organism"]
"""Where a text is from: ordinary language, or the small language of the shipped organisms."""


@dataclass(frozen=True)
class Scale:
    """A range of numbers with the meaning of its ends."""

    low: float
    high: float
    low_means: str
    high_means: str
    tolerance: float
    """How far from the known answer a judge may be in its calibration."""


@dataclass(frozen=True, kw_only=True)
class Rubric:
    """One question about one text. Either `labels` or a `scale`."""

    name: str
    question: str
    labels: Mapping[str, str]
    """Each with its meaning; empty where there is a scale."""
    scale: Scale | None = None
    evidence: str
    """What is to be quoted from the text."""
    evidence_for: tuple[str, ...] = ()
    """Labels that do not count without a quotation. On a scale every answer needs one."""
    positive: Value
    """The label whose rate is reported, or the point of the scale from which on it is."""
    sees_prompt: bool = False
    """Whether the question cannot be answered without what was asked. A prompt may tell the condition."""
    reference: str | None = None
    """What the reference is that the question needs, if it needs one."""
    otherwise: str | None = None
    """The label of a text in which no rule and no pre-filter finds anything."""
    rules: tuple[tuple[str, str], ...] = ()
    """Label and pattern; the first that is found decides. `{reference}` stands for the reference."""
    prefilter: str | None = None
    """Without this pattern a text cannot have any label but `otherwise`."""
    recorded: tuple[str, ...] = ()
    """The outcomes by which experiments record the same thing; the first that a trial has counts."""
    floor: float = 0.85
    """The share of its calibration set that a judge must get right."""

    def __post_init__(self) -> None:
        named = [*self.evidence_for, *(label for label, _ in self.rules), *filter(None, [self.otherwise])]
        wrong = [label for label in named if label not in self.labels]
        if bool(self.labels) == (self.scale is not None) or len(self.labels) == 1:
            raise InputError("a rubric has two labels or more, or a scale", given=self.name)
        if wrong or (self.otherwise is None and (self.rules or self.prefilter)):
            raise InputError(
                "a rubric that contradicts itself",
                given=f"{self.name}: labels {wrong or self.otherwise} of rules, evidence or `otherwise`",
                allowed=", ".join(self.labels),
            )
        if not (self.positive in self.labels if self.labels else isinstance(self.positive, int | float)):
            raise InputError(
                "a rubric whose positive answer is none of its answers", given=f"{self.name}, {self.positive}"
            )

    @classmethod
    def load(cls, name: str, folder: Path = SHIPPED) -> Self:
        """The rubric of this name. Raises InputError where there is none, or its file is not one."""
        path = folder / f"{name}.json"
        if not path.is_file():
            there = ", ".join(rubric_names(folder)) or f"none in {folder}"
            raise InputError("unknown rubric", given=name, allowed=there)
        raw = json_file(path, form="what docs/judges.md says of a rubric")
        try:
            scale = Scale(**raw.pop("scale")) if "scale" in raw else None
            rules = tuple((label, re.compile(pattern).pattern) for label, pattern in raw.pop("rules", ()))
            lists = {key: tuple(raw.pop(key, ())) for key in ("evidence_for", "recorded")}
            return cls(name=name, labels=raw.pop("labels", {}), scale=scale, rules=rules, **lists, **raw)
        except (TypeError, ValueError, AttributeError, re.error) as error:
            raise InputError("a file that is not a rubric", given=f"{path}: {error}") from error

    @property
    def asked(self) -> dict[str, Any]:
        """What decides an answer to the question: of this, and not of rules or floor, verdicts are kept."""
        parts = ("question", "scale", "evidence", "evidence_for", "reference")
        labels = list(self.labels.items())  # their order is part of what is asked
        return {"labels": labels, **{name: each for name, each in asdict(self).items() if name in parts}}

    def value(self, said: object) -> Value | None:
        """What was said as one of the rubric's answers; None where it is not one."""
        if self.scale is None:
            label = said.strip().lower() if isinstance(said, str) else None
            return next((each for each in self.labels if each.lower() == label), None)
        if isinstance(said, bool) or not isinstance(said, int | float) or not math.isfinite(said):
            return None
        return float(said) if self.scale.low <= said <= self.scale.high else None

    def needs_evidence(self, value: Value) -> bool:
        return self.scale is not None or value in self.evidence_for

    def is_positive(self, value: Value | None) -> bool | None:
        """Whether an answer counts towards the rate that is reported; None where it is missing."""
        if value is None:
            return None
        return value == self.positive if self.scale is None else float(value) >= float(self.positive)

    def as_label(self, value: Value | None) -> str | None:
        """An answer as a label: on a scale, whether it is positive."""
        if self.scale is None or value is None:
            return None if value is None else str(value)
        return f"{'from' if self.is_positive(value) else 'below'} {float(self.positive):g}"

    @property
    def measure(self) -> str:
        """What the rate is called."""
        name = self.name.replace("_", " ")
        return f"{name}: {self.positive}" if self.scale is None else f"{name}: {float(self.positive):g} or more"


def rubric_names(folder: Path = SHIPPED) -> tuple[str, ...]:
    """Of all rubrics in a folder, sorted."""
    return tuple(sorted(path.stem for path in folder.glob("*.json")))


@dataclass(frozen=True, kw_only=True)
class Item:
    """All that a judge sees: no condition, no strength, no model, no place in any order."""

    response: str
    prompt: str = ""
    reference: str = ""

    @classmethod
    def blind(cls, rubric: Rubric, shown: Mapping[str, str]) -> Self:
        """The item of what is meant to be shown. Raises InputError for anything the question does not need, and where
        what it needs is not there."""
        needed = (
            {"response"}
            | ({"prompt"} if rubric.sees_prompt else set())
            | ({"reference"} if rubric.reference else set())
        )
        if set(shown) != needed:
            raise InputError(
                "a judge would see more or less than its question needs",
                given=f"{', '.join(sorted(shown))} for {rubric.name}",
                allowed=", ".join(sorted(needed)),
                do="show neither condition, strength nor model: a judge that knows them finds what is expected",
            )
        return cls(**shown)

    @property
    def key(self) -> str:
        """Of its content; also its turn, so that the order in which items are judged tells nothing."""
        return digest(asdict(self))


def digest(content: object) -> str:
    """A short hash of anything that is JSON."""
    text = json.dumps(content, sort_keys=True, allow_nan=False, default=asdict)
    return hashlib.sha256(text.encode()).hexdigest()[:24]

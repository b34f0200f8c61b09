"""A trial is one line: what was asked of whom under which condition, what was written, and what was read."""

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Self

from introlab.errors import InputError
from introlab.records.receipt import Receipt

_BEFORE_ID, _ID_LENGTH = '{"id":"', 16


@dataclass(frozen=True, kw_only=True)
class Trial:
    """Immutable, JSON all through. An outcome or reading that could not be had is None, never 0 or False."""

    experiment: str
    model: str
    item: str
    cluster: str
    """What a replication would draw anew; intervals resample it."""
    split: str
    condition: str
    strength: float = 0.0
    """In natural units of the direction; the receipt has the other two units."""
    draw: int | None = None
    """Which random direction, where the condition is one of several draws."""
    replicate: int = 0
    prompt: str = ""
    text: str = ""
    tokens: tuple[int, ...] = ()
    readings: dict[str, Any] = field(default_factory=dict)
    outcomes: dict[str, Any] = field(default_factory=dict)
    receipts: tuple[Receipt, ...] = ()

    @property
    def id(self) -> str:
        """Names the trial by its identity alone; two trials of one id would be one trial counted twice."""
        parts = (
            self.experiment,
            self.model,
            self.item,
            self.split,
            self.condition,
            repr(float(self.strength)),
            self.draw,
            self.replicate,
        )
        return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:_ID_LENGTH]

    def _repr_html_(self) -> str:
        from introlab.io.markup import card, words

        facts: dict[str, object] = {
            "experiment": self.experiment,
            "model": self.model,
            "item": f"{self.item} ({self.split}; cluster {self.cluster})",
            "condition": f"{self.condition}, strength {self.strength:g}",
            "prompt": self.prompt,
            "outcomes": ", ".join(f"{name}: {value}" for name, value in self.outcomes.items()) or "none",
            **{f"receipt {index}": receipt for index, receipt in enumerate(self.receipts)},
        }
        return card("Trial", facts, below=words(self.text))

    def to_line(self) -> str:
        """One line of JSON; floats keep their exact value."""
        receipts = [vars(each) for each in self.receipts]
        return json.dumps({"id": self.id, **vars(self), "receipts": receipts}, allow_nan=False, separators=(",", ":"))

    @staticmethod
    def id_of(line: str) -> str:
        """The id a line states, without reading the rest of it."""
        return line[len(_BEFORE_ID) : len(_BEFORE_ID) + _ID_LENGTH]

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Read back what `to_line` wrote. Raises InputError where the line is not a trial or its id is not its own."""
        try:
            return cls.from_raw(json.loads(line))
        except (json.JSONDecodeError, RecursionError) as error:
            raise _no_trial(line, error) from error

    @classmethod
    def from_raw(cls, raw: dict[str, Any]) -> Self:
        """Of the entries of a line. Raises InputError where they are not a trial's, or its id is not its own."""
        try:
            entries = dict(raw)
            stated = entries.pop("id")
            entries["tokens"] = tuple(entries["tokens"])
            entries["receipts"] = tuple(Receipt.from_json(each) for each in entries["receipts"])
            trial = cls(**entries)
        except (KeyError, TypeError, ValueError) as error:
            raise _no_trial(str(raw), error) from error
        if trial.id != stated:
            raise InputError(
                "a trial whose id is not its own",
                given=f"{stated}, computed {trial.id}",
                do="the line was edited: do not count it",
            )
        return trial


def _no_trial(line: str, error: Exception) -> InputError:
    return InputError(
        "a line that is not a trial",
        given=f"{line[:80]} ({error})",
        allowed="a line as the lab wrote it",
        do="restore the file from a copy, or run the experiment again into another folder",
    )

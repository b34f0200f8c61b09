"""A trial is one line: what was asked of whom under which condition, what was written, and what was read."""

import hashlib
import json
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from introlab.errors import InputError
from introlab.receipts import Receipt


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
            repr(self.strength),
            self.draw,
            self.replicate,
        )
        return hashlib.sha256("\x1f".join(map(str, parts)).encode()).hexdigest()[:16]

    def to_line(self) -> str:
        """One line of JSON; floats keep their exact value."""
        return json.dumps({"id": self.id, **asdict(self)}, allow_nan=False, separators=(",", ":"))

    @classmethod
    def from_line(cls, line: str) -> Self:
        """Read back what `to_line` wrote. Raises InputError where the line is not a trial or its id is not its own."""
        try:
            raw = json.loads(line)
            stated = raw.pop("id")
            raw["tokens"] = tuple(raw["tokens"])
            raw["receipts"] = tuple(_receipt(each) for each in raw["receipts"])
            trial = cls(**raw)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError("a line that is not a trial", given=f"{line[:80]} ({error})") from error
        if trial.id != stated:
            raise InputError(
                "a trial whose id is not its own",
                given=f"{stated}, computed {trial.id}",
                do="the line was edited: do not count it",
            )
        return trial


def _receipt(raw: dict[str, Any]) -> Receipt:
    known = {each.name for each in fields(Receipt)}
    values = {name: value for name, value in raw.items() if name in known}
    for name in ("prefill", "decoded"):
        values[name] = tuple((start, stop) for start, stop in raw[name])
    return Receipt(**values)

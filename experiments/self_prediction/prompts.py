"""How a model is asked what it, or another model, would answer."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from experiments.self_prediction.properties import REGISTRY
from introlab.errors import InputError
from introlab.tasks.materials import Materials
from introlab.tasks.prompts import prompts_of

FILE = Path(__file__).with_name("prompts.json")


@dataclass(frozen=True, kw_only=True)
class PredictionPrompts:
    """prompts.json, or what the materials say of this experiment. A table's entries are named by a property of the
    registry; `NAME (2)` is another wording of `NAME`, and predictions are averaged over wordings."""

    hypothetical: dict[str, str]
    """What would you answer; {question} is the question as it would be asked."""
    hypothetical_other: dict[str, str]
    """What would another model answer."""
    reply: dict[str, str]
    """What the reply about itself begins with, by property; nothing where it is not named."""
    reply_other: dict[str, str]
    change: str
    """The system turn by which answers are changed in words. The vector is fitted on what it changes inside."""

    @classmethod
    def of(cls, materials: Materials) -> "PredictionPrompts":
        """Raises InputError for entries that are not these, unknown properties and templates without a question."""
        prompts = prompts_of(cls, FILE, materials, "self_prediction")
        for table in (prompts.hypothetical, prompts.hypothetical_other):
            for name, template in table.items():
                if named(name) not in REGISTRY or "{question}" not in template:
                    raise InputError(
                        "not a hypothetical question",
                        given=f"{name}: {template[:80]}",
                        allowed=f"a property ({', '.join(REGISTRY)}) and a text with {{question}} in it",
                        do="see docs/self_prediction.md",
                    )
        return prompts

    @property
    def properties(self) -> tuple[str, ...]:
        """What is asked for, in the order of the file."""
        return tuple(dict.fromkeys(named(name) for name in self.hypothetical))


def named(entry: str) -> str:
    """The property of an entry: `first letter` of `first letter (2)`."""
    return re.sub(r" \(\d+\)$", "", entry)


def wordings(table: Mapping[str, str], prompted: str) -> list[str]:
    """All templates for a property."""
    return [template for name, template in table.items() if named(name) == prompted]

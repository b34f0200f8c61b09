"""How much a run will write, and read beside writing."""

from dataclasses import dataclass, fields
from typing import Self


@dataclass(frozen=True)
class Size:
    """What a run will take of one model: texts to write, and new tokens, at most. Where stages depend on what earlier
    ones wrote, `optional_texts` of the texts may not be needed."""

    texts: int
    tokens: int
    optional_texts: int = 0
    read: int = 0
    """Tokens of prompts and questions that are read by passes of the whole network, writing's own among them."""
    read_again: int = 0
    """New tokens that are read once more, at most: of `tokens`, each as often as it is read."""
    seconds: float = 0.0
    """Of work that is no pass of the network: fits and analysis, on one core, as seen."""

    @classmethod
    def of(cls, stated: object) -> "Size":
        """As a manifest says it; nothing of what an older lab did not say."""
        given = stated if isinstance(stated, dict) else {}
        return cls(
            **{"texts": 0, "tokens": 0, **{each.name: given[each.name] for each in fields(cls) if each.name in given}}
        )

    def __add__(self, other: Self) -> "Size":
        return Size(*(getattr(self, each.name) + getattr(other, each.name) for each in fields(self)))

    def __mul__(self, times: int) -> "Size":
        """Of so many models alike."""
        return Size(*(getattr(self, each.name) * times for each in fields(self)))

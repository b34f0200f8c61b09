"""How much a run will write."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Size:
    """What a run will take of one model: texts to write, and new tokens, at most. Where stages depend on what earlier
    ones wrote, `may_fall_away` of the texts may not be needed."""

    texts: int
    tokens: int
    may_fall_away: int = 0

    def __add__(self, other: "Size") -> "Size":
        return Size(self.texts + other.texts, self.tokens + other.tokens, self.may_fall_away + other.may_fall_away)

"""Sets of positions of a text: the only file that counts positions.

Positions are absolute: index 0 is the first token the model reads, padding is never counted. Position
``prompt_len - 1`` predicts the first new token, so it belongs to *generated* and not to *prompt*.

Spans are sets: ``a + b`` is what either touches, ``a - b`` what `a` touches and `b` does not. Whatever the order they
are written in, everything is included first and excluded then.
"""

import re
from dataclasses import dataclass
from typing import Literal, Self

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from introlab.errors import InputError

Kind = Literal["all", "prompt", "generated", "last", "tokens", "positions", "inside"]


@dataclass(frozen=True)
class Part:
    """One piece of a span. Build it with the class methods of `Span`."""

    kind: Kind
    start: int = 0
    stop: int | None = None
    token_ids: tuple[int, ...] = ()
    """Of `tokens`; of `inside`, those that open it."""
    closing: tuple[int, ...] = ()
    """Of `inside`: the tokens that close it."""

    def __post_init__(self) -> None:
        empty = self.stop is not None and self.stop <= self.start
        bare = (self.kind in ("tokens", "inside") and not self.token_ids) or (
            self.kind == "inside" and not self.closing
        )
        if self.start < 0 or empty or bare:
            raise InputError(
                "a span that can touch nothing", given=str(self), do="give start < stop, or at least one token id"
            )

    @property
    def depends_on_text(self) -> bool:
        """Whether what it touches depends on the tokens, and not on positions alone."""
        return self.kind in ("tokens", "inside")

    def covers(self, positions: Tensor, texts: Tensor, prompt_len: Tensor) -> Tensor:
        """As `Span.covers`."""
        if self.kind == "all":
            return torch.ones_like(positions, dtype=torch.bool)
        if self.kind == "prompt":
            return positions < prompt_len - 1
        if self.kind == "last":
            return positions == prompt_len - 1
        if self.kind == "tokens":
            return torch.isin(texts, torch.tensor(self.token_ids, device=texts.device)).gather(-1, positions)
        if self.kind == "inside":
            return self._inside(texts).gather(-1, positions)
        origin = prompt_len - 1 if self.kind == "generated" else 0
        inside = positions >= origin + self.start
        return inside if self.stop is None else inside & (positions < origin + self.stop)

    def _inside(self, texts: Tensor) -> Tensor:
        """After an opening token and not yet closed; the opening and closing tokens themselves are outside."""
        index = torch.arange(texts.shape[-1], device=texts.device).expand(texts.shape)
        opens = torch.isin(texts, torch.tensor(self.token_ids, device=texts.device))
        closes = torch.isin(texts, torch.tensor(self.closing, device=texts.device))
        nothing = torch.full_like(index, -1)
        opened = torch.where(opens, index, nothing).cummax(-1).values
        closed = torch.where(closes, index, nothing).cummax(-1).values
        return (opened > closed) & ~opens

    def __str__(self) -> str:
        if self.kind == "tokens":
            return f"tokens{list(self.token_ids)}"
        if self.kind == "inside":
            return f"inside{list(self.token_ids)}{list(self.closing)}"
        if self.kind in ("generated", "positions") and (self.start or self.stop is not None):
            return f"{self.kind}[{self.start}:{'' if self.stop is None else self.stop}]"
        return self.kind


@dataclass(frozen=True)
class Span:
    """A set of absolute positions of one text. Build it with the class methods, `+` and `-`, or `Span.parse`."""

    include: tuple[Part, ...]
    exclude: tuple[Part, ...] = ()

    @classmethod
    def all(cls) -> Self:
        return cls((Part("all"),))

    @classmethod
    def prompt(cls) -> Self:
        """Positions before the one that predicts the first new token."""
        return cls((Part("prompt"),))

    @classmethod
    def generated(cls, start: int = 0, stop: int | None = None) -> Self:
        """Positions that predict new token `start`, ..., `stop - 1` (all of them by default)."""
        return cls((Part("generated", start, stop),))

    @classmethod
    def last(cls) -> Self:
        """The last prompt token."""
        return cls((Part("last"),))

    @classmethod
    def tokens(cls, *token_ids: int) -> Self:
        """Wherever one of these tokens stands, in prompt or generated text."""
        return cls((Part("tokens", token_ids=token_ids),))

    @classmethod
    def positions(cls, start: int, stop: int | None = None) -> Self:
        return cls((Part("positions", start, stop),))

    @classmethod
    def inside(cls, opening: tuple[int, ...], closing: tuple[int, ...]) -> Self:
        """Between one of the opening tokens and the next closing one, such as a reasoning span; both tokens are
        outside. `Span.all() - Span.inside(...)` is the outside."""
        return cls((Part("inside", token_ids=opening, closing=closing),))

    def __post_init__(self) -> None:
        if not self.include or set(self.include) <= set(self.exclude):
            raise InputError(
                "a span that can touch nothing", given=str(self), do="include something that is not excluded"
            )

    def __add__(self, other: "Span") -> "Span":
        return Span((*self.include, *other.include), (*self.exclude, *other.exclude))

    def __sub__(self, other: "Span") -> "Span":
        if other.exclude:
            raise InputError(
                "a span that excludes something cannot be excluded",
                given=f"{self} - ({other})",
                do="subtract plain ones",
            )
        return Span(self.include, (*self.exclude, *other.include))

    @classmethod
    def parse(cls, text: str) -> Self:
        """`all`, `prompt`, `generated`, `last`, `generated[0:8]`, `positions[3:9]`, joined by `+` and `-`. Raises
        InputError otherwise."""
        include: list[Part] = []
        exclude: list[Part] = []
        for sign, word in re.findall(r"([+-]?)\s*([^\s+-]+)", text):
            match = re.fullmatch(r"(all|prompt|generated|last|positions)(?:\[(\d*):(\d*)\])?", word)
            if match is None or (match[2] is not None and match[1] not in ("generated", "positions")):
                raise InputError(
                    "not a span",
                    given=repr(text),
                    allowed="all, prompt, last, generated, generated[START:STOP], positions[START:STOP], with + and -",
                )
            part = Part(match[1], int(match[2] or 0), int(match[3]) if match[3] else None)  # type: ignore[arg-type]
            (exclude if sign == "-" else include).append(part)
        return cls(tuple(include), tuple(exclude))

    @property
    def depends_on_text(self) -> bool:
        """Whether what it touches depends on the tokens, and not on positions alone."""
        return any(part.depends_on_text for part in (*self.include, *self.exclude))

    @property
    def may_wait(self) -> bool:
        """Whether a text may end before the first position it touches, so that touching nothing is no mistake."""
        return self.depends_on_text or any(part.kind == "generated" and part.start > 0 for part in self.include)

    def covers(
        self, positions: Int[Tensor, "*n p"], texts: Int[Tensor, "*n w"], prompt_len: Int[Tensor, "*#n #p"]
    ) -> Bool[Tensor, "*n p"]:
        """Which of these absolute positions the span touches. The one place that decides.

        `texts` holds the token at every absolute position read so far (anything beyond); `prompt_len` is one number for
        all, or one per row. Causal: position p depends on tokens up to p.
        """
        touched = torch.zeros_like(positions, dtype=torch.bool)
        for part in self.include:
            touched = touched | part.covers(positions, texts, prompt_len)
        for part in self.exclude:
            touched = touched & ~part.covers(positions, texts, prompt_len)
        return touched

    def __str__(self) -> str:
        return " + ".join(map(str, self.include)) + "".join(f" - {part}" for part in self.exclude)

"""Where in a network and where in a text: the only file that spells a hook name or counts positions.

Positions are absolute: index 0 is the first token the model reads, padding is never counted. Position
``prompt_len - 1`` predicts the first new token, so it belongs to *generated* and not to *prompt*.
"""

import re
from dataclasses import dataclass
from typing import Literal, Self, get_args

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from introlab.errors import InputError

Stream = Literal["resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out"]
STREAMS: tuple[str, ...] = get_args(Stream)
WRITABLE = ("resid_pre", "resid_post", "attn_out", "mlp_out")
"""`resid_mid` can be read only: what is written there misses the skip path."""


@dataclass(frozen=True, order=True)
class Site:
    """A place in the network: block index from 0 and stream. `resid_post[3]` is the output of the fourth block."""

    layer: int
    stream: Stream = "resid_post"

    def __post_init__(self) -> None:
        if self.stream not in STREAMS:
            raise InputError("unknown stream", given=self.stream, allowed=", ".join(STREAMS))
        if self.layer < 0:
            raise InputError("a layer is a block index from 0", given=self.layer, do="count blocks from the input")

    @classmethod
    def parse(cls, text: str) -> Self:
        """`resid_post[3]` -> Site(3, "resid_post"). Raises InputError for anything else."""
        match = re.fullmatch(r"(\w+)\[(\d+)\]", text.strip())
        if match is None or match[1] not in STREAMS:
            raise InputError(
                "not a site", given=repr(text), allowed=f"STREAM[LAYER] with STREAM one of {', '.join(STREAMS)}"
            )
        return cls(int(match[2]), match[1])  # type: ignore[arg-type]

    @property
    def hook_name(self) -> str:
        """The name of this place in TransformerLens."""
        return f"blocks.{self.layer}.hook_{self.stream}"

    def __str__(self) -> str:
        return f"{self.stream}[{self.layer}]"


@dataclass(frozen=True)
class Span:
    """A set of absolute positions of one text. Build it with the class methods or `Span.parse`."""

    kind: Literal["all", "prompt", "generated", "last", "tokens", "positions"]
    start: int = 0
    stop: int | None = None
    token_ids: tuple[int, ...] = ()

    @classmethod
    def all(cls) -> Self:
        return cls("all")

    @classmethod
    def prompt(cls) -> Self:
        """Positions before the one that predicts the first new token."""
        return cls("prompt")

    @classmethod
    def generated(cls, start: int = 0, stop: int | None = None) -> Self:
        """Positions that predict new token `start`, ..., `stop - 1` (all of them by default)."""
        return cls("generated", start, stop)

    @classmethod
    def last(cls) -> Self:
        """The last prompt token."""
        return cls("last")

    @classmethod
    def tokens(cls, *token_ids: int) -> Self:
        """Wherever one of these tokens stands, in prompt or generated text."""
        return cls("tokens", token_ids=token_ids)

    @classmethod
    def positions(cls, start: int, stop: int | None = None) -> Self:
        return cls("positions", start, stop)

    def __post_init__(self) -> None:
        empty = self.stop is not None and self.stop <= self.start
        if self.start < 0 or empty or (self.kind == "tokens" and not self.token_ids):
            raise InputError(
                "a span that can touch nothing", given=str(self), do="give start < stop, or at least one token id"
            )

    @classmethod
    def parse(cls, text: str) -> Self:
        """`all`, `prompt`, `generated`, `last`, `generated[0:8]`, `positions[3:9]`. Raises InputError otherwise."""
        match = re.fullmatch(r"(all|prompt|generated|last|positions)(?:\[(\d*):(\d*)\])?", text.strip())
        if match is None or (match[2] is not None and match[1] not in ("generated", "positions")):
            raise InputError(
                "not a span",
                given=repr(text),
                allowed="all, prompt, last, generated, generated[START:STOP], positions[START:STOP]",
            )
        return cls(match[1], int(match[2] or 0), int(match[3]) if match[3] else None)  # type: ignore[arg-type]

    def covers(
        self, positions: Int[Tensor, "*n"], ids: Int[Tensor, "*n"], prompt_len: Int[Tensor, "*#n"]
    ) -> Bool[Tensor, "*n"]:
        """Which of these absolute positions, holding these token ids, the span touches. The one place that decides.

        `prompt_len` is one number for all, or one per row.
        """
        if self.kind == "all":
            return torch.ones_like(positions, dtype=torch.bool)
        if self.kind == "prompt":
            return positions < prompt_len - 1
        if self.kind == "last":
            return positions == prompt_len - 1
        if self.kind == "tokens":
            return torch.isin(ids, torch.tensor(self.token_ids, device=ids.device))
        origin = prompt_len - 1 if self.kind == "generated" else 0
        inside = positions >= origin + self.start
        return inside if self.stop is None else inside & (positions < origin + self.stop)

    def __str__(self) -> str:
        if self.kind == "tokens":
            return f"tokens{list(self.token_ids)}"
        if self.kind in ("generated", "positions") and (self.start or self.stop is not None):
            return f"{self.kind}[{self.start}:{'' if self.stop is None else self.stop}]"
        return self.kind

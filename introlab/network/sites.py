"""Where in a network: the only file that spells a TransformerLens hook name."""

import re
from dataclasses import dataclass
from typing import Literal, Self, get_args

from introlab.errors import InputError

Stream = Literal["resid_pre", "resid_mid", "resid_post", "attn_out", "mlp_out", "z"]
STREAMS: tuple[str, ...] = get_args(Stream)
WRITABLE = ("resid_pre", "resid_post", "attn_out", "mlp_out", "z")
"""`resid_mid` can be read only: what is written there misses the skip path."""
_ORDER = ("resid_pre", "z", "attn_out", "resid_mid", "mlp_out", "resid_post")
"""In which a block computes them."""


@dataclass(frozen=True, order=True)
class Site:
    """A place in the network: block index from 0 and stream. `resid_post[3]` is the output of the fourth block;
    `z[3.1]` what its second attention head hands to the output matrix, `z[3]` all heads side by side."""

    layer: int
    stream: Stream = "resid_post"
    head: int | None = None

    def __post_init__(self) -> None:
        if self.stream not in STREAMS:
            raise InputError("unknown stream", given=self.stream, allowed=", ".join(STREAMS))
        if self.layer < 0 or (self.head or 0) < 0:
            raise InputError("a layer is a block index from 0", given=self.layer, do="count blocks from the input")
        if self.head is not None and self.stream != "z":
            raise InputError("only z has heads", given=f"head {self.head} of {self.stream}", allowed="z[LAYER.HEAD]")

    @classmethod
    def parse(cls, text: str) -> Self:
        """`resid_post[3]` -> Site(3, "resid_post"). Raises InputError for anything else."""
        match = re.fullmatch(r"(\w+)\[(\d+)(?:\.(\d+))?\]", text.strip())
        if match is None or match[1] not in STREAMS or (match[3] is not None and match[1] != "z"):
            raise InputError(
                "not a site",
                given=repr(text),
                allowed=f"STREAM[LAYER] with STREAM one of {', '.join(STREAMS)}, or z[LAYER.HEAD]",
            )
        return cls(int(match[2]), match[1], int(match[3]) if match[3] else None)  # type: ignore[arg-type]

    @classmethod
    def of_hook(cls, name: str) -> Self | None:
        """The place that TransformerLens calls so, all heads of `z` side by side; None for one
        that is no site here, such as an embedding."""
        match = re.fullmatch(r"blocks\.(\d+)\.(attn\.)?hook_(\w+)", name)
        if match is None or match[3] not in STREAMS or (match[3] == "z") != bool(match[2]):
            return None
        return cls(int(match[1]), match[3])  # type: ignore[arg-type]

    @property
    def hook_name(self) -> str:
        """The name of this place in TransformerLens."""
        return f"blocks.{self.layer}.{'attn.hook_' if self.stream == 'z' else 'hook_'}{self.stream}"

    @property
    def rank(self) -> tuple[int, int]:
        """Places of a pass in the order they are computed."""
        return self.layer, _ORDER.index(self.stream)

    def __str__(self) -> str:
        return f"{self.stream}[{self.layer}{'' if self.head is None else f'.{self.head}'}]"

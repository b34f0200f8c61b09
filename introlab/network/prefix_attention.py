"""Attention in which rows that begin alike look at one copy of their beginning, the stem.

Each row looks at its stem and at what is its own, and the two answers are weighted by how much of the softmax's sum
each part holds (Juravsky et al., Hydragen, arXiv 2402.05099, section 3.1). Keys and values of a stem are kept once, and
all rows that share it are multiplied with them together.

Shapes: n rows, h heads of keys and values, g heads of queries for each of them, q queries, k keys.
"""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import sdpa_mask

from introlab.network.kv_cache import Parts

NAME = "introlab_stems"
WORTH = 1024
"""Tokens that rows would have to copy, from which on sharing is quicker than copying."""

Groups = list[tuple[Tensor | slice, Parts]]
"""Rows with the stem they share, [1, head, width, d_head] per layer."""


class PrefixSharing:
    """Which row of a batch has which stem."""

    def __init__(self, rows: int):
        self._of_row: list[Parts | None] = [None] * rows
        self._groups: Groups | None = []

    def lend(self, rows: Sequence[int], parts: Parts) -> None:
        """These rows begin with these keys and values."""
        for row in rows:
            self._of_row[row] = parts
        self._groups = None

    def release(self, row: int) -> None:
        """This row has no stem any more."""
        if self._of_row[row] is not None:
            self._of_row[row], self._groups = None, None

    def keep(self, rows: Sequence[int]) -> None:
        """Only these rows, in this order."""
        self._of_row, self._groups = [self._of_row[row] for row in rows], None

    def groups(self, device: torch.device) -> Groups:
        """Rows by stem; none where no row has one."""
        if self._groups is None:
            members: dict[int, tuple[list[int], Parts]] = {}
            for row, parts in enumerate(self._of_row):
                if parts is not None:
                    members.setdefault(id(parts), ([], parts))[0].append(row)
            self._groups = [(_index(rows, device), parts) for rows, parts in members.values()]
        return self._groups


def _index(rows: Sequence[int], device: torch.device) -> Tensor | slice:
    """A slice where the rows follow one another: nothing is copied then."""
    if rows[-1] - rows[0] == len(rows) - 1:
        return slice(rows[0], rows[-1] + 1)
    return torch.tensor(rows, device=device)


def can_share(network: Any) -> bool:
    """Whether the network's attention can be lent a stem: full attention through the interface of transformers."""
    config = network.config.get_text_config()
    layered = getattr(config, "layer_types", None) or ["full_attention"]
    return (
        config._attn_implementation == "sdpa"
        and network._supports_attention_backend
        and set(layered) == {"full_attention"}
        and not getattr(config, "sliding_window", None)
    )


@contextmanager
def lent(network: Any) -> Generator[None]:
    """Within it the network's attention looks at stems."""
    config = network.config.get_text_config()
    usual = config._attn_implementation
    config._attn_implementation = NAME
    try:
        yield
    finally:
        config._attn_implementation = usual


def attend(
    module: nn.Module,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Tensor | None,
    *,
    stems: Groups,
    scaling: float | None = None,
    **_: Any,
) -> tuple[Tensor, None]:
    """Attention as transformers asks for it: `query` [n, h * g, q, d], `key` and `value` [n, h, k, d] of a row alone;
    `attention_mask` [n, 1, q, k] is of these keys, and may be left out for a single query. Queries see all of
    their row's stem."""
    rows, heads, queries, size = query.shape
    each = heads // key.shape[1]
    scale = size**-0.5 if scaling is None else scaling
    asked = (query * scale).reshape(rows, key.shape[1], each * queries, size)
    if attention_mask is not None:
        attention_mask = attention_mask.repeat(1, 1, each if queries > 1 else 1, 1)
    out, weight = _look(asked, key, value, attention_mask)
    for members, parts in stems:
        keys, values = parts[module.layer_idx]  # type: ignore[index]
        some = asked[members]
        theirs, their_weight = _look(some.transpose(0, 1).flatten(1, 2)[None], keys, values, None)
        theirs, their_weight = (_by_row(found, len(some)) for found in (theirs, their_weight))
        share = torch.sigmoid(their_weight - weight[members])
        out[members] = torch.lerp(out[members], theirs, share)
    return out.to(value.dtype).view(rows, heads, queries, -1).transpose(1, 2).contiguous(), None


def _look(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """What is seen, and the logarithm of the softmax's sum, [..., 1]; both in float32 at least."""
    scores = (query @ key.mT).to(torch.promote_types(query.dtype, torch.float32))
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf)
    p = scores.softmax(-1)
    total = scores.amax(-1, keepdim=True) - p.amax(-1, keepdim=True).log()  # cheaper than a sum of its own
    return (p.to(value.dtype) @ value).to(p.dtype), total


def _by_row(values: Tensor, rows: int) -> Tensor:
    """[1, h, rows * queries, d] to [rows, h, queries, d]."""
    return values[0].unflatten(1, (rows, -1)).transpose(0, 1)


AttentionInterface.register(NAME, attend)  # type: ignore[arg-type]
AttentionMaskInterface.register(NAME, sdpa_mask)

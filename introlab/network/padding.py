"""Texts of different lengths in one tensor: they end, or they begin, in the same column; the rest is padding."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Aligned:
    """What a pass reads, [row, column], and where its columns stand in the rows' texts."""

    ids: Tensor
    starts: Tensor
    """The column in which each text begins, counted from the first of what went before."""
    positions: Tensor
    """Absolute; of padding before a text, 0."""
    real: Tensor
    """Not padding."""
    unpadded: bool
    """Whether all texts begin in the first column."""


def begun_together(texts: Sequence[Sequence[int]], *, width: int, device: torch.device) -> Aligned:
    """Texts that all begin in the first of `width` columns. No text sees padding, as that comes later: no mask is
    needed, and all have the same positions."""
    columns = torch.arange(width).expand(len(texts), -1)
    real = columns < torch.tensor([len(text) for text in texts])[:, None]
    ids = torch.zeros(len(texts), width, dtype=torch.long)
    ids[real] = torch.tensor([token for text in texts for token in text], dtype=torch.long)
    starts = torch.zeros(len(texts), dtype=torch.long)
    return Aligned(ids.to(device), starts.to(device), columns.to(device), real.to(device), True)


def aligned(
    texts: Sequence[Sequence[int]], *, width: int, device: torch.device, begin: int = 0, lengths: Sequence[int] = ()
) -> Aligned:
    """Texts in the columns `begin` ... `begin + width - 1`, all ending in the last. `lengths` are those of the whole
    texts, where their first tokens went before."""
    lengths = lengths or [len(text) for text in texts]
    columns = torch.arange(begin, begin + width)
    starts = begin + width - torch.tensor(lengths)
    ids = torch.zeros(len(texts), width, dtype=torch.long)
    here = begin + width - torch.tensor([len(text) for text in texts])
    ids[columns >= here[:, None]] = torch.tensor([token for text in texts for token in text], dtype=torch.long)
    return Aligned(
        ids.to(device),
        starts.to(device),
        (columns - starts[:, None]).clamp_min(0).to(device),
        (columns >= starts[:, None]).to(device),
        min(lengths) == begin + width,
    )

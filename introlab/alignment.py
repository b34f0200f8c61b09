"""Texts of different lengths in one tensor: they end in the same column, and what stands before them is padding."""

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
    """Absolute; of padding, 0."""
    real: Tensor
    """Not padding."""
    unpadded: bool
    """Whether all texts begin in the first column."""


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

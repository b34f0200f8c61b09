"""Large buffers that are filled bit by bit."""

import math
import mmap

import torch
from torch import Tensor

_PRIVATE = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_PRIVATE") else {}
"""Where the system is not Windows, which has no such flags."""


def zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """On a CPU, memory that takes no room before it is written to, and stands apart from what passes ask for.

    It is asked of the system itself: NumPy and some allocators ask for pages of 2 MB, all of which is filled with zeros
    once a single number is written there.
    """
    if device.type != "cpu":
        return torch.zeros(shape, dtype=dtype, device=device)
    pages = mmap.mmap(-1, max(1, math.prod(shape)) * dtype.itemsize, **_PRIVATE)
    return torch.frombuffer(pages, dtype=dtype)[: math.prod(shape)].view(shape)

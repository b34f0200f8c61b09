"""Keys and values of many texts of different lengths that end in the same column.

A text of length n stands in columns `column - n` ... `column - 1`, so each step writes one column for all rows,
whatever their lengths, and a row that has ended makes room for a new one. Only what lies between the longest text's
first column and the present one is ever attended to.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

Parts = list[tuple[Tensor, Tensor]]
"""Keys and values [row, head, width, d_head] of each layer."""


def _runs(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Half-open ranges of indices over which the rows follow one another: a slice is written faster than a list."""
    first = 0
    for stop in range(1, len(rows) + 1):
        if stop == len(rows) or rows[stop] != rows[stop - 1] + 1:
            yield first, stop
            first = stop


def _zeros(shape: tuple[int, ...], like: Tensor) -> Tensor:
    """In the CPU's memory, such as takes no room before it is written to; it stays 0 until then."""
    if like.device.type != "cpu":
        return like.new_zeros(shape)
    return torch.from_numpy(np.zeros(math.prod(shape) * like.dtype.itemsize, np.uint8)).view(like.dtype).view(shape)


class _Layer(CacheLayerMixin):
    is_sliding = False

    def __init__(self, owner: "RowCache"):
        super().__init__()
        self.owner = owner

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        rows, room = len(key_states), self.owner.room
        self.keys = _zeros((rows, key_states.shape[1], room, key_states.shape[3]), key_states)
        self.values = _zeros((rows, value_states.shape[1], room, value_states.shape[3]), value_states)
        self.is_initialized = True

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write the columns of this pass; what is attended to is a view of everything up to them."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None and self.values is not None
        start = self.owner.column
        stop = start + key_states.shape[2]
        self.keys[:, :, start:stop] = key_states
        self.values[:, :, start:stop] = value_states
        return self.keys[:, :, self.owner.first : stop], self.values[:, :, self.owner.first : stop]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.owner.column - self.owner.first + query_length, 0

    def get_seq_length(self) -> int:
        return self.owner.column - self.owner.first

    def get_max_length(self) -> int:
        return self.owner.room


class RowCache(Cache):
    """Buffers [row, head, column, d_head] per layer, made when first written. `column` is where the next pass writes,
    `first` the first column any row uses; whoever drives it moves both."""

    def __init__(self, layers: int, room: int, *, column: int = 0, first: int = 0):
        self.room, self.column, self.first = room, column, first
        super().__init__(layers=[_Layer(self) for _ in range(layers)])

    @property
    def made(self) -> bool:
        """Whether there are buffers yet."""
        return bool(self.layers) and isinstance(self.layers[0], _Layer) and self.layers[0].is_initialized

    def parts(self, first: int = 0) -> Parts:
        """Whole buffers of the layers from `first` on."""
        found: Parts = []
        for layer in self.layers[first:]:
            assert isinstance(layer, _Layer) and layer.keys is not None and layer.values is not None
            found.append((layer.keys, layer.values))
        return found

    def make(self, like: Parts, rows: int) -> None:
        """Empty buffers for this many rows, of the shape and kind of these."""
        for layer, (keys, values) in zip(self.layers, like, strict=True):
            assert isinstance(layer, _Layer)
            layer.lazy_initialization(keys[:1].expand(rows, -1, -1, -1), values[:1].expand(rows, -1, -1, -1))

    def fill(self, parts: Parts) -> None:
        """Begin with these in the first columns."""
        self.make(parts, len(parts[0][0]))
        for mine, given in zip(self.parts(), parts, strict=True):
            for buffer, new in zip(mine, given, strict=True):
                buffer[:, :, : new.shape[2]] = new

    def place(self, rows: Sequence[int], parts: Parts) -> None:
        """Let these rows hold `parts` (keys and values [row, head, width, d_head] per layer, or the same for all rows)
        just before `column`. What texts before them left further to the left is masked."""
        for first, stop in _runs(rows):
            for mine, given in zip(self.parts(), parts, strict=True):
                for buffer, new in zip(mine, given, strict=True):
                    part = new if len(new) == 1 else new[first:stop]
                    place = slice(rows[first], rows[first] + stop - first)
                    buffer[place, :, self.column - new.shape[2] : self.column] = part

    def wipe(self, rows: Sequence[int]) -> None:
        """Forget what these rows hold: 0 times NaN is NaN, even where it is masked."""
        for mine in self.parts():
            for buffer in mine:
                buffer[list(rows)] = 0

    def keep(self, rows: Tensor) -> None:
        """Only these rows, in this order."""
        for layer in self.layers:
            assert isinstance(layer, _Layer) and layer.keys is not None and layer.values is not None
            layer.keys, layer.values = layer.keys[rows], layer.values[rows]

    def shift(self, moved: int) -> None:
        """Move everything this many columns to the left."""
        self.column, self.first = self.column - moved, self.first - moved
        for keys, values in self.parts():
            for buffer in (keys, values):
                buffer[:, :, : self.column] = buffer[:, :, moved : moved + self.column].clone()

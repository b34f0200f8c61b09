"""Keys and values of many texts of different lengths that end in the same column.

A text of length n stands in columns `column - n` ... `column - 1`, so each step writes one column for all rows,
whatever their lengths, and a row that has ended makes room for a new one. Only what lies between the longest text's
first column and the present one is ever attended to.
"""

from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

Parts = list[tuple[Tensor, Tensor]]
"""Keys and values [row, head, width, d_head] of each layer."""


class _Layer(CacheLayerMixin):
    is_sliding = False

    def __init__(self, owner: "RowCache"):
        super().__init__()
        self.owner = owner

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        rows, room = len(key_states), self.owner.room
        self.keys = key_states.new_zeros(rows, key_states.shape[1], room, key_states.shape[3])
        self.values = value_states.new_zeros(rows, value_states.shape[1], room, value_states.shape[3])
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

    def parts(self) -> Parts:
        """Whole buffers."""
        found: Parts = []
        for layer in self.layers:
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

    def place(self, rows: Tensor, parts: Parts) -> None:
        """Let these rows hold `parts` (keys and values [row, head, width, d_head] per layer) just before `column`, and
        nothing before that."""
        for layer, mine in enumerate(self.parts()):
            for which, buffer in enumerate(mine):
                buffer[rows] = 0  # what a row before it left, perhaps NaN, is masked - but 0 times NaN is NaN
                if parts:
                    new = parts[layer][which]
                    buffer[rows, :, self.column - new.shape[2] : self.column] = new

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

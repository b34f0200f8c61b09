"""Keys and values of many texts of different lengths that end in the same column.

A text of length n stands in columns `column - n` ... `column - 1`, so each step writes one column for all rows,
whatever their lengths, and a row that has ended makes room for a new one. Only what lies between the longest text's
first column and the present one is ever attended to.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from torch import Tensor
from transformers.cache_utils import Cache, CacheLayerMixin

from introlab.network.buffers import zeros

Parts = list[tuple[Tensor, Tensor]]
"""Keys and values [row, head, width, d_head] of each layer."""


def _runs(rows: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Half-open ranges of indices over which the rows follow one another: a slice is written faster than a list."""
    first = 0
    for stop in range(1, len(rows) + 1):
        if stop == len(rows) or rows[stop] != rows[stop - 1] + 1:
            yield first, stop
            first = stop


class _Layer(CacheLayerMixin):
    is_sliding = False

    def __init__(self, owner: "RowCache"):
        super().__init__()
        self.owner = owner

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        rows, room = self.owner.rows, self.owner.room
        self.keys, self.values = (
            zeros((rows, each.shape[1], room, each.shape[3]), each.dtype, each.device)
            for each in (key_states, value_states)
        )
        self.is_initialized = True

    def buffers(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Its buffers; where there are none yet, of the shape and kind of these."""
        if not self.is_initialized:
            self.lazy_initialization(keys, values)
        assert self.keys is not None and self.values is not None
        return self.keys, self.values

    def update(self, key_states: Tensor, value_states: Tensor, *args: Any, **kwargs: Any) -> tuple[Tensor, Tensor]:
        """Write the columns of this pass; what is attended to is a view of everything up to them."""
        keys, values = self.buffers(key_states, value_states)
        start = self.owner.column
        stop = start + key_states.shape[2]
        keys[:, :, start:stop] = key_states
        values[:, :, start:stop] = value_states
        return keys[:, :, self.owner.first : stop], values[:, :, self.owner.first : stop]

    def get_mask_sizes(self, query_length: int) -> tuple[int, int]:
        return self.owner.column - self.owner.first + query_length, 0

    def get_seq_length(self) -> int:
        return self.owner.column - self.owner.first

    def get_max_length(self) -> int:
        return self.owner.room


class _Window(_Layer):
    """Some rows and columns of another cache's layer."""

    def __init__(self, owner: "RowCache", whole: _Layer, rows: slice, columns: slice):
        super().__init__(owner)
        self.whole, self.place = whole, (rows, slice(None), columns)

    def lazy_initialization(self, key_states: Tensor, value_states: Tensor) -> None:
        keys, values = self.whole.buffers(key_states, value_states)
        self.keys, self.values, self.is_initialized = keys[self.place], values[self.place], True


class RowCache(Cache):
    """Buffers [row, head, column, d_head] per layer, made when first written. `column` is where the next pass writes,
    `first` the first column any row uses; whoever drives it moves both."""

    def __init__(self, layers: int, rows: int, room: int, *, column: int = 0):
        self.rows, self.room, self.column, self.first = rows, room, column, 0
        super().__init__(layers=[_Layer(self) for _ in range(layers)])

    def window(self, rows: Sequence[int], width: int) -> "RowCache | None":
        """A cache of these rows and of as many columns before `column`: what is written to it stands here. None
        unless the rows follow one another."""
        if len(list(_runs(rows))) != 1:
            return None
        seen = RowCache(0, len(rows), width)
        place = slice(rows[0], rows[-1] + 1), slice(self.column - width, self.column)
        seen.layers = [_Window(seen, layer, *place) for layer in self.layers if isinstance(layer, _Layer)]
        return seen

    def parts(self) -> Parts:
        """Whole buffers."""
        found: Parts = []
        for layer in self.layers:
            assert isinstance(layer, _Layer) and layer.keys is not None and layer.values is not None
            found.append((layer.keys, layer.values))
        return found

    def place(self, rows: Sequence[int], parts: Parts) -> None:
        """Let these rows hold `parts` (keys and values [row, head, width, d_head] of the first layers, or the same for
        all rows) just before `column`. What texts before them left further to the left is masked."""
        runs = list(_runs(rows))
        for layer, given in zip(self.layers, parts, strict=False):
            assert isinstance(layer, _Layer)
            for buffer, new in zip(layer.buffers(*given), given, strict=True):
                for first, stop in runs:
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
        self.rows = len(rows)
        for layer in self.layers:
            assert isinstance(layer, _Layer) and layer.keys is not None and layer.values is not None
            layer.keys, layer.values = layer.keys[rows], layer.values[rows]

    def shift(self, moved: int) -> None:
        """Move everything this many columns to the left."""
        self.column, self.first = self.column - moved, self.first - moved
        for keys, values in self.parts():
            for buffer in (keys, values):
                buffer[:, :, : self.column] = buffer[:, :, moved : moved + self.column].clone()

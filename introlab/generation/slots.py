"""Where the rows of a batch stand: texts of different lengths end in the same column."""

from collections.abc import Sequence

import torch

from introlab.network.kv_cache import RowCache


class Columns:
    """In which column each row's text begins. What a row shares with others stands in none: `own` is the column in
    which the rest of it begins. With `fixed` every pass sees all columns."""

    def __init__(self, rows: int, cache: RowCache, device: torch.device, *, fixed: bool):
        self._cache, self._device, self._fixed = cache, device, fixed
        self._begins, self._own = [cache.column] * rows, [cache.column] * rows
        self._laid: list[list[int]] = []
        self.starts, self.seen_from = torch.zeros(2, rows, dtype=torch.long, device=device)
        """Where texts begin, and what is their own, as of the last `settle`; [row]."""
        self.unpadded = False
        """Whether all begin where the pass begins; then there is nothing to mask."""

    def enter(self, row: int, length: int) -> None:
        """A text of which this many tokens have been read."""
        self._begins[row] = self._own[row] = self._cache.column - length

    def lend(self, rows: Sequence[int]) -> None:
        """All that was read of these is shared."""
        for row in rows:
            self._own[row] = self._cache.column

    def settle(self, idle: Sequence[int], *, reserve: int, left: int) -> None:
        """Before a pass: idle rows stand where the text ends; with fewer than `reserve` columns to come, everything
        moves to the left, but for `left` columns that must stay there."""
        cache = self._cache
        for row in idle:
            self._begins[row] = self._own[row] = cache.column
        if not self._fixed:
            asleep = set(idle)
            live = [own for row, own in enumerate(self._own) if row not in asleep]
            cache.first = min(live)
            self.unpadded = max(live) == cache.first  # what idle rows look at does not matter
            if cache.column + reserve > cache.room:
                moved = min(cache.first, cache.column - left)
                cache.shift(moved)
                self._begins, self._own = ([at - moved for at in each] for each in (self._begins, self._own))
        if [self._begins, self._own] != self._laid:
            self._laid = [list(self._begins), list(self._own)]
            self.starts, self.seen_from = torch.tensor(self._laid, device=self._device)

    def keep(self, rows: Sequence[int]) -> None:
        """Only these rows, in this order."""
        self._begins, self._own = ([each[row] for row in rows] for each in (self._begins, self._own))

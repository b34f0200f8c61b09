"""What was read while texts were written, kept on the device until a text is complete."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

_NOTES = 32
"""Steps that are noted before they are written: many small writes would cost a row as much as its readings."""


class History:
    """Readings by row and index of the new token."""

    def __init__(self, rows: int, steps: int, device: torch.device):
        self._steps = steps
        self._rows = torch.arange(rows, device=device)
        self._values: dict[str, Tensor] = {}
        self._noted: list[tuple[Sequence[int], Mapping[str, Tensor]]] = []

    def note(self, at: Sequence[int], readings: Mapping[str, Tensor]) -> None:
        """`readings[name][row, ...]` belong to the new token number `at[row]` of each row."""
        self._noted.append((at, readings))
        if len(self._noted) >= _NOTES:
            self.write()

    def write(self) -> None:
        """Put everything noted in its place; due before a row gets another text."""
        if not self._noted:
            return
        at = torch.tensor([places for places, _ in self._noted], device=self._rows.device)
        for name in self._noted[0][1]:
            values = torch.stack([readings[name] for _, readings in self._noted])
            if name not in self._values:
                self._values[name] = values.new_zeros(len(self._rows), self._steps, *values.shape[2:])
            self._values[name][self._rows, at] = values
        self._noted.clear()

    def of(self, row: int, count: int) -> dict[str, tuple[object, ...]]:
        """The first `count` of everything a row has, as plain numbers."""
        self.write()
        return {name: tuple(values[row, :count].tolist()) for name, values in self._values.items()}

    def keep(self, rows: Tensor) -> None:
        """Only these rows, in this order."""
        self.write()
        self._rows = self._rows[: len(rows)]
        self._values = {name: values[rows] for name, values in self._values.items()}

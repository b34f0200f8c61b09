"""What was read while texts were written, kept on the device until a text is complete."""

import torch
from torch import Tensor


class History:
    """Readings by row and index of the new token."""

    def __init__(self, rows: int, steps: int, device: torch.device):
        self._steps = steps
        self._rows = torch.arange(rows, device=device)
        self._values: dict[str, Tensor] = {}

    def enter(self, at: Tensor, readings: dict[str, Tensor]) -> None:
        """`readings[name][row, ...]` belong to the new token number `at[row]` of each row."""
        for name, values in readings.items():
            if name not in self._values:
                self._values[name] = values.new_zeros(len(self._rows), self._steps, *values.shape[1:])
            self._values[name][self._rows, at] = values

    def of(self, row: int, count: int) -> dict[str, tuple[object, ...]]:
        """The first `count` of everything a row has, as plain numbers."""
        return {name: tuple(values[row, :count].tolist()) for name, values in self._values.items()}

    def keep(self, rows: Tensor) -> None:
        """Only these rows, in this order."""
        self._rows, self._values = (
            self._rows[: len(rows)],
            {name: values[rows] for name, values in self._values.items()},
        )

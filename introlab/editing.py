"""Interventions as hooks: many rows, each with its own edits, in one pass, and a ledger of what they did.

Shapes: b rows of a batch, n rows that share one step, p positions of this pass.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from introlab.protocols import Edit, Intervention
from introlab.receipts import Ledger, Receipt
from introlab.sites import Site, Span

Hook = Callable[[Tensor], Tensor | None]


@dataclass
class _Step:
    """Rows whose `slot`-th intervention has one span and one kind of edit: edited together."""

    slot: int
    rows: Tensor
    span: Span
    edits: list[Edit]
    change: Callable[[Tensor], Tensor] | None = None

    def apply(
        self, values: Tensor, positions: Tensor, real: Tensor, ids: Tensor, lengths: Tensor, ledger: Ledger
    ) -> Tensor:
        at = real[self.rows] & self.span.covers(positions[self.rows], ids[self.rows], lengths[self.rows, None])
        if not bool(at.any()):
            return values
        if self.change is None:
            self.change = type(self.edits[0]).stacked(self.edits, values)
        before = values[self.rows]
        after = torch.where(at[..., None], self.change(before), before)
        ledger.enter(self.slot, self.rows, positions[self.rows], at, before, after)
        return values.index_copy(0, self.rows, after)


class Editor:
    """The edits of one batch. Edits of a row at one site act in the order the row lists them.

    `width` is the longest text, in tokens, that any row can become.
    """

    def __init__(self, interventions: Sequence[Sequence[Intervention]], lengths: Tensor, width: int):
        self._interventions = interventions
        self._lengths = lengths
        self._steps: dict[Site, list[_Step]] = defaultdict(list)
        slots = max((len(each) for each in interventions), default=0)
        self._ledger = Ledger(len(interventions), width, slots, lengths.device)
        for slot in range(slots):
            groups: dict[tuple[Site, Span, type], list[int]] = defaultdict(list)
            for row, each in enumerate(interventions):
                if slot < len(each):
                    groups[each[slot].site, each[slot].span, type(each[slot].edit)].append(row)
            for (site, span, _), rows in groups.items():
                edits = [interventions[row][slot].edit for row in rows]
                self._steps[site].append(_Step(slot, torch.tensor(rows, device=lengths.device), span, edits))

    def hooks(self, positions: Tensor, real: Tensor, ids: Tensor) -> list[tuple[Site, Hook]]:
        """One hook per edited site, for a pass over these absolute positions; padding (not `real`) is never edited."""

        def hook(steps: list[_Step]) -> Hook:
            def edit(values: Tensor) -> Tensor:
                for step in steps:
                    values = step.apply(values, positions, real, ids, self._lengths, self._ledger)
                return values

            return edit

        return [(site, hook(steps)) for site, steps in sorted(self._steps.items())]

    def receipts(self, row: int, read: Sequence[int], trial: str) -> tuple[Receipt, ...]:
        """What was done to a row that read these tokens, checked against its plan. Raises EditNotApplied."""
        length = int(self._lengths[row])
        return tuple(
            self._ledger.receipt(slot, row, intervention, list(read), length, trial)
            for slot, intervention in enumerate(self._interventions[row])
        )

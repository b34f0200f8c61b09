"""A receipt says what an intervention really did: which absolute positions, by how much. No receipt, no trial."""

from itertools import groupby
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from introlab.errors import EditNotApplied
from introlab.interventions.interfaces import Intervention
from introlab.records.receipt import Receipt

_NOTES = 32
"""Of single steps, before they are written."""
_WHERE = ("positions", "eligible")


class _Note(NamedTuple):
    """What one edit did in one pass."""

    slot: int
    rows: Int[Tensor, " n"]
    positions: Int[Tensor, "n p"]
    eligible: Bool[Tensor, "n p"]
    is_open: Bool[Tensor, "n p"] | None
    change: Float[Tensor, "n p"]
    size: Float[Tensor, "n p"]
    along: Float[Tensor, "n p"] | None


def _kind(note: _Note) -> tuple[int, int, bool]:
    return note.slot, id(note.rows), note.is_open is None


class Ledger:
    """What the edits of a batch did, filled by the hooks as they act: per slot, row and absolute position the size of
    the change, the size of what was changed, the projection afterwards, whether the gate was open, and that the edit
    came by."""

    def __init__(self, rows: int, width: int, device: torch.device):
        self._rows, self._width, self._device = rows, width, device
        self._pages: list[Float[Tensor, "row position 5"]] = []
        self._noted: list[_Note] = []

    def enter(
        self,
        slot: int,
        rows: Int[Tensor, " n"],
        positions: Int[Tensor, "n p"],
        eligible: Bool[Tensor, "n p"],
        is_open: Bool[Tensor, "n p"] | None,
        before: Float[Tensor, "n p width"],
        after: Float[Tensor, "n p width"],
        axis: Float[Tensor, "n 1 width"] | None,
    ) -> None:
        """Record a change from what the site held before and holds after, at the `eligible` positions. Without
        `is_open` there is no gate."""
        change, size = (after - before).norm(dim=-1), before.norm(dim=-1)
        along = None if axis is None else (after * axis).sum(-1)
        self._noted.append(_Note(slot, rows, positions, eligible, is_open, change, size, along))
        if positions.shape[1] > 1 or len(self._noted) >= _NOTES:
            self._write()

    def _write(self) -> None:
        """Notes of one kind go to their page together: many small writes would cost as much as the edits."""
        for (slot, *_), alike in groupby(sorted(self._noted, key=_kind), key=_kind):
            notes = list(alike)
            change, size = (torch.cat([getattr(one, name) for one in notes], 1) for name in ("change", "size"))
            along = [one.change.new_zeros(one.change.shape) if one.along is None else one.along for one in notes]
            is_open = [torch.ones_like(one.eligible) if one.is_open is None else one.is_open for one in notes]
            seen = [change, size, torch.cat(along, 1), torch.cat(is_open, 1), torch.ones_like(change)]
            positions, eligible = (torch.cat([getattr(one, name) for one in notes], 1) for name in _WHERE)
            where = positions.masked_fill(~eligible, self._width)  # what is not eligible is written beside the page
            self._page(slot)[notes[0].rows[:, None], where] = torch.stack([each.float() for each in seen], dim=-1)
        self._noted.clear()

    def _page(self, slot: int) -> Tensor:
        while len(self._pages) <= slot:
            self._pages.append(torch.zeros(self._rows, self._width + 1, 5, device=self._device))
        return self._pages[slot]

    def clear(self, row: int) -> None:
        """For a new text in this row."""
        self._write()
        for page in self._pages:
            page[row] = 0

    def keep(self, rows: Tensor) -> None:
        """Only these rows, in this order."""
        self._write()
        self._rows, self._pages = len(rows), [page[rows] for page in self._pages]

    def receipt(
        self, slot: int, row: int, intervention: Intervention, amounts: Tensor, prompt_len: int, trial: str
    ) -> Receipt:
        """The receipt of one intervention, checked against its plan: `amounts` are those of the positions really read.

        Raises EditNotApplied where an eligible position was missed, another was touched, or none could ever be.
        """
        self._write()
        change, size, along, is_open, came_by = self._page(slot)[row, : len(amounts)].cpu().double().numpy().T
        covered, positions = amounts.cpu().numpy() != 0, np.arange(len(amounts))
        if intervention.schedule is None:  # one may have ended before its schedule begins
            intervention.check_reachable(amounts, f"{len(amounts)} tokens, prompt {prompt_len} (trial {trial})")
        planned = covered & (is_open > 0) if intervention.gate else covered
        touched = came_by * is_open > 0 if intervention.edit.conditional else change > 0
        if not intervention.edit.inert and not np.array_equal(planned, touched):
            raise EditNotApplied(
                "the intervention did not land as planned",
                given=f"{int(touched.sum())} of {int(planned.sum())} positions, {intervention.site}, {trial}",
                do="an edit that changes nothing, or hooks lost on the way: this trial must not be counted",
            )
        some, share = bool(planned.any()), change / np.maximum(size, 1e-12)
        has_axis = intervention.edit.axis is not None and not intervention.edit.inert
        return Receipt(
            site=str(intervention.site),
            span=str(intervention.span),
            edit=intervention.edit.record(),
            prefill=_ranges(planned & (positions < prompt_len)),
            decoded=_ranges(planned & (positions >= prompt_len)),
            share=round(float(share[planned].mean()), 6) if some else 0.0,
            status="applied" if some else "gate stayed closed" if covered.any() else "ended before its span",
            dose=round(float(change[planned].mean()), 6) if some else 0.0,
            projection=round(float(along[planned].mean()), 6) if some and has_axis else None,
            gated=int((covered & ~planned).sum()),
        )


def _ranges(mask: Bool[np.ndarray, " position"]) -> tuple[tuple[int, int], ...]:
    """Half-open runs of True."""
    edges = np.diff(np.concatenate([[0], mask.astype(np.int8), [0]]))
    return tuple(zip(np.flatnonzero(edges == 1).tolist(), np.flatnonzero(edges == -1).tolist(), strict=True))

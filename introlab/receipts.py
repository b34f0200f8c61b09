"""A receipt says what an intervention really did: which absolute positions, by how much. No receipt, no trial."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from introlab.errors import EditNotApplied
from introlab.protocols import Intervention


@dataclass(frozen=True)
class Receipt:
    """Of one intervention in one trial. Positions are absolute, as half-open ranges."""

    site: str
    span: str
    edit: dict[str, Any]
    prefill: tuple[tuple[int, int], ...]
    """Positions touched while the prompt was read."""
    decoded: tuple[tuple[int, int], ...]
    """Positions touched while new tokens were read."""
    share: float
    """Mean size of the change as a share of the norm of what it changed."""
    status: str
    """`applied`, or `ended before its span`: the row was over before any eligible position came."""

    @property
    def touched(self) -> int:
        return sum(stop - start for start, stop in (*self.prefill, *self.decoded))


class Ledger:
    """What the edits of one batch did, filled by the hooks as they act, position by position."""

    def __init__(self, rows: int, width: int, slots: int, device: torch.device):
        self._touched = torch.zeros(slots, rows, width, dtype=torch.bool, device=device)
        self._share = torch.zeros(slots, rows, width, device=device)

    def enter(
        self,
        slot: int,
        rows: Int[Tensor, " n"],
        positions: Int[Tensor, "n position"],
        at: Bool[Tensor, "n position"],
        before: Float[Tensor, "n position d_model"],
        after: Float[Tensor, "n position d_model"],
    ) -> None:
        """Record a change from what the site held before and holds after, wherever `at` says it was meant."""
        change = (after - before).norm(dim=-1)
        share = change / before.norm(dim=-1).clamp_min(1e-12)
        index, column = torch.nonzero(at, as_tuple=True)
        row, position = rows[index], positions[index, column]
        self._touched[slot, row, position] = change[index, column] > 0
        self._share[slot, row, position] = share[index, column].float()

    def receipt(
        self, slot: int, row: int, intervention: Intervention, ids: list[int], prompt_len: int, trial: str
    ) -> Receipt:
        """The receipt of one intervention, checked against its plan: `ids` are the tokens the row really read.

        Raises EditNotApplied where an eligible position was missed, another was touched, or none could ever be.
        """
        positions = torch.arange(len(ids))
        planned = intervention.span.covers(positions, torch.tensor(ids), torch.tensor(prompt_len))
        touched = self._touched[slot, row, : len(ids)].cpu()
        waits = intervention.span.kind == "tokens" or (
            intervention.span.kind == "generated" and intervention.span.start > 0
        )
        if not planned.any() and not waits:
            raise EditNotApplied(
                "the intervention has no eligible position",
                given=f"span {intervention.span} on a text of {len(ids)} tokens, prompt {prompt_len} (trial {trial})",
                do="choose a span that this text has",
            )
        if not intervention.edit.inert and not torch.equal(planned, touched):
            raise EditNotApplied(
                "the intervention did not land as planned",
                given=f"{int(touched.sum())} of {int(planned.sum())} positions changed, {intervention.site}, {trial}",
                do="an edit that changes nothing, or hooks lost on the way: this trial must not be counted",
            )
        share = self._share[slot, row, : len(ids)].cpu()[planned]
        return Receipt(
            site=str(intervention.site),
            span=str(intervention.span),
            edit=intervention.edit.record(),
            prefill=_ranges(planned & (positions < prompt_len)),
            decoded=_ranges(planned & (positions >= prompt_len)),
            share=round(float(share.mean()), 6) if len(share) else 0.0,
            status="applied" if planned.any() else "ended before its span",
        )


def _ranges(mask: Bool[Tensor, " position"]) -> tuple[tuple[int, int], ...]:
    """Half-open runs of True."""
    padded = torch.cat([torch.tensor([False]), mask, torch.tensor([False])]).int()
    edges = padded.diff()
    return tuple(
        zip((edges == 1).nonzero().flatten().tolist(), (edges == -1).nonzero().flatten().tolist(), strict=True)
    )

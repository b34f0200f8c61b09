"""Interventions as hooks: many rows, each with its own edits, in one pass, and a ledger of what they did.

Shapes: n rows of a pass, p positions of this pass. A row of the batch holds one text at a time.
"""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from introlab.interventions.interfaces import Change, Edit, Gate, Intervention
from introlab.interventions.ledger import Ledger
from introlab.network.backends import Hook
from introlab.network.sites import Site
from introlab.records.receipt import Receipt


@dataclass
class _Step:
    """Rows of a pass whose `slot`-th intervention is of one kind: edited together."""

    slot: int
    rows: Tensor
    """Of the batch."""
    local: Tensor
    """Of the pass."""
    edits: list[Edit]
    gates: list[Gate | None]
    whole: bool
    """Whether these are all rows of the pass, in its order."""
    gated: bool
    change: Change | None = None
    axis: Tensor | None = None

    def prepare(self, values: Tensor) -> Change:
        if self.change is None:
            self.change = type(self.edits[0]).stacked(self.edits, values)
            axes = [edit.axis for edit in self.edits]
            if all(axis is not None for axis in axes):
                self.axis = torch.stack([axis for axis in axes if axis is not None]).to(values)[:, None]
        return self.change


@dataclass(frozen=True)
class Pass:
    """One pass: which row of the batch each of its rows is, where it stands, and what is padding."""

    rows: Sequence[int]
    positions: Tensor
    real: Tensor | None = None
    """[row, position]; None is everything."""
    recorded: bool = True
    """Whether receipts count it; a forked reading leaves no trace."""


class Editor:
    """The edits of a batch, row by row. Edits of a text at one site act in the order the text lists them.

    `width` is the longest text, in tokens, that any row can become.
    """

    def __init__(self, rows: int, width: int, device: torch.device):
        self._width, self._device = width, device
        self._rows: list[tuple[Intervention, ...]] = [() for _ in range(rows)]
        self._prompts = [0] * rows
        self._amounts: list[Tensor] = []
        """Per slot [row, position]: how much of the edit a position gets."""
        self._ledger = Ledger(rows, width, device)
        self._open = torch.zeros(0, rows, dtype=torch.bool, device=device)
        """Per slot and row: whether a gate that reads a position earlier is open for the next."""
        self._gated_by_logits = False
        self._reading = [False] * rows
        self._planned: tuple[list[int], dict[Site, list[_Step]]] | None = None

    def enter(self, row: int, interventions: Sequence[Intervention], text: Tensor, prompt_len: int) -> None:
        """A new text in this row; `text` is as wide as the editor and holds the prompt's tokens."""
        self._rows[row], self._prompts[row], self._planned = tuple(interventions), prompt_len, None
        self._reading[row] = any(intervention.span.depends_on_text for intervention in interventions)
        self._ledger.clear(row)
        while len(self._amounts) < len(interventions):
            self._amounts.append(torch.zeros(len(self._rows), self._width, device=self._device))
            self._open = torch.cat([self._open, self._open.new_zeros(1, len(self._rows))])
        self._open[:, row] = False
        for slot, intervention in enumerate(interventions):
            gate = intervention.gate
            self._gated_by_logits |= gate is not None and gate.reading.site is None
            self._amounts[slot][row] = intervention.plan(text, prompt_len)

    def leave(self, row: int) -> None:
        """The row is empty."""
        self._rows[row], self._planned = (), None

    def keep(self, rows: Tensor) -> None:
        """Only these rows, in this order."""
        order = rows.tolist()
        self._rows, self._prompts = [self._rows[row] for row in order], [self._prompts[row] for row in order]
        self._reading = [self._reading[row] for row in order]
        self._amounts, self._open = [each[rows] for each in self._amounts], self._open[:, rows]
        self._ledger.keep(rows)
        self._planned = None

    def append(self, row: int, position: int, text: Tensor) -> None:
        """A new token stands at `position` of `text`: spans that depend on tokens are decided there."""
        for slot, intervention in enumerate(self._rows[row]):
            if intervention.span.depends_on_text:
                at = torch.tensor([position], device=self._device)
                self._amounts[slot][row, position] = intervention.amounts(at, text, self._prompts[row])[0]

    def reads_text(self, row: int) -> bool:
        """Whether `append` has anything to decide for this row."""
        return self._reading[row]

    def hooks(self, now: Pass) -> list[tuple[Site, Hook]]:
        """One hook per edited or gating site, for one pass; padding (not `real`) is never edited."""
        rows = list(now.rows)
        if self._planned is None or self._planned[0] != rows:
            self._planned = (rows, self._plan(rows))
        plan = self._planned[1]
        opened: dict[tuple[int, int], Tensor] = {}
        before: list[tuple[Site, Hook]] = []
        after: list[tuple[Site, Hook]] = []
        for site, steps in plan.items():
            for step in steps:
                for gating, at_once, hook in self._gate_hooks(site, step, opened):
                    (before if at_once else after).append((gating, hook))
        edits = [(site, self._edit_hook(steps, now, opened)) for site, steps in sorted(plan.items())]
        return before + edits + after  # a reading at an edited site sees the edit

    def _plan(self, rows: list[int]) -> dict[Site, list[_Step]]:
        plan: dict[Site, list[_Step]] = defaultdict(list)
        slots = max((len(self._rows[row]) for row in rows), default=0)
        for slot in range(slots):
            groups: dict[tuple[Site, type, object], list[int]] = defaultdict(list)
            for index, row in enumerate(rows):
                if slot < len(self._rows[row]):
                    one = self._rows[row][slot]
                    groups[one.site, type(one.edit), one.edit.shared].append(index)
            for (site, _, _), local in groups.items():
                members = [self._rows[rows[index]][slot] for index in local]
                where = torch.tensor([rows[index] for index in local], device=self._device)
                at = torch.tensor(local, device=self._device)
                gates = [one.gate for one in members]
                whole, gated = len(local) == len(rows), any(gate is not None for gate in gates)
                plan[site].append(_Step(slot, where, at, [one.edit for one in members], gates, whole, gated))
        return dict(plan)

    def _edit_hook(self, steps: list[_Step], now: Pass, opened: dict[tuple[int, int], Tensor]) -> Hook:
        def edit(values: Tensor) -> Tensor:
            for step in steps:
                values = self._apply(step, values, now, opened)
            return values

        return edit

    def _apply(self, step: _Step, values: Tensor, now: Pass, opened: dict[tuple[int, int], Tensor]) -> Tensor:
        change = step.prepare(values)
        positions, before = (now.positions, values) if step.whole else (now.positions[step.local], values[step.local])
        amount = self._amounts[step.slot][step.rows[:, None], positions]
        if now.real is not None:
            amount = amount * now.real[step.local]
        eligible = amount != 0
        is_open = self._opened(step, eligible, opened) if step.gated else None
        acts = eligible if is_open is None else eligible & is_open
        after = torch.where(acts[..., None], change(before, amount.to(before.dtype), positions), before)
        if now.recorded:
            self._ledger.enter(step.slot, step.rows, positions, eligible, is_open, before, after, step.axis)
        return after if step.whole else values.index_copy(0, step.local, after)

    def _opened(self, step: _Step, eligible: Tensor, opened: dict[tuple[int, int], Tensor]) -> Tensor:
        is_open = torch.ones_like(eligible)
        for index, gate in enumerate(step.gates):
            if gate is None:
                continue
            row = int(step.rows[index])
            now = opened.get((step.slot, row))
            is_open[index] = self._open[step.slot, row] if now is None else now
        return is_open

    def _gate_hooks(
        self, site: Site, step: _Step, opened: dict[tuple[int, int], Tensor]
    ) -> list[tuple[Site, bool, Hook]]:
        """Readings that gate: of the same position, for this pass (at once); or of the newest one, for the next."""

        def hook(gate: Gate, row: int, local: int, at_once: bool) -> Hook:
            def read(values: Tensor) -> None:
                mine = values[local]
                if at_once:
                    opened[step.slot, row] = gate.opens(gate.reading(mine))
                else:
                    self._open[step.slot, row] = gate.opens(gate.reading(mine[-1:]))[0]

            return read

        found: list[tuple[Site, bool, Hook]] = []
        for index, gate in enumerate(step.gates):
            if gate is not None and gate.reading.site is not None:
                row, local = int(step.rows[index]), int(step.local[index])
                at_once = gate.at_once(site)
                found.append((gate.reading.site, at_once, hook(gate, row, local, at_once)))
        return found

    def note_logprobs(self, rows: Sequence[int], log_p: Callable[[], Tensor]) -> None:
        """Gates that read next-token probabilities: `log_p()[i]` are those of row `rows[i]`, after its newest token."""
        if not self._gated_by_logits:
            return
        for index, row in enumerate(rows):
            for slot, intervention in enumerate(self._rows[row]):
                gate = intervention.gate
                if gate is not None and gate.reading.site is None:
                    self._open[slot, row] = gate.opens(gate.reading(log_p()[index : index + 1]))[0]

    def receipts(self, row: int, length: int, trial: str) -> tuple[Receipt, ...]:
        """What was done to the text of a row that read `length` tokens, checked against its plan. Raises
        EditNotApplied."""
        return tuple(
            self._ledger.receipt(slot, row, intervention, self._amounts[slot][row, :length], self._prompts[row], trial)
            for slot, intervention in enumerate(self._rows[row])
        )

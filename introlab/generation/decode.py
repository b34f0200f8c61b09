"""One batch being written: rows that each hold a text, one pass a step for all of them.

Shapes: r rows of the batch, v words of the vocabulary.
"""

import math
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from introlab.generation.batch_size import SLACK
from introlab.generation.prefill import Prefill, PrefillTask
from introlab.generation.readout_buffers import History
from introlab.generation.requests import Generation, Request
from introlab.generation.sampling import SAMPLED, Sampling, draw, filtered, uniforms
from introlab.generation.slots import Columns
from introlab.interventions.hooks import Editor, Pass
from introlab.interventions.interfaces import Readout
from introlab.interventions.logit_edits import Force, Fork, Suppress, changed, forced
from introlab.network.backends import Hook
from introlab.network.endings import holds_stop
from introlab.network.kv_cache import RowCache
from introlab.network.model import Model
from introlab.network.prefix_attention import PrefixSharing

_FLOATS = 2**20
"""Probabilities worked on at once: many more would leave the processor's cache, and cost more than the network."""


@dataclass
class _Row:
    """A text being written."""

    request: Request
    tokens: list[int] = field(default_factory=list)
    replaced: dict[Force, int] = field(default_factory=dict)
    forks: dict[str, list[tuple[int, tuple[float, ...]]]] = field(default_factory=dict)
    uniforms: Sequence[float] = ()
    coins: Sequence[float] = ()

    @property
    def index(self) -> int:
        """Of the new token that is predicted next."""
        return len(self.tokens)


class DecodingBatch:
    """Rows, and those waiting to enter them. `fixed` is (columns for prompts, columns for new tokens): then no row is
    refilled, nothing is shared, and all passes have the same shapes."""

    def __init__(
        self,
        model: Model,
        requests: Sequence[Request],
        rows: int,
        *,
        seed: int,
        readouts: Sequence[Readout] = (),
        fixed: tuple[int, int] | None = None,
    ):
        self.model, self.seed, self.readouts, self.fixed = model, seed, readouts, fixed
        device = self.device = model.device
        rows = rows if fixed else min(rows, len(requests))
        self.waiting = deque(requests)
        longest = max(len(request.prompt) - 1 for request in requests)
        self.before = fixed[0] if fixed else longest
        """Columns that must stay to the left, for those who enter."""
        steps = fixed[1] if fixed else max(request.max_new for request in requests)
        forked = max((len(fork.suffix) for request in requests for fork in request.forks), default=0)
        self.reserve = 1 + forked
        self.width = max(len(request.prompt) + request.max_new for request in requests) + forked
        room = self.before + steps + forked + (0 if fixed else SLACK)
        self.cache = RowCache(model.n_layers, rows, room, column=self.before)
        self.rows: list[_Row | None] = [None] * rows
        self.editor = Editor(rows, self.width, device)
        self.history = History(rows, steps, device)
        self.texts = torch.full((rows, self.width), -1, dtype=torch.long, device=device)
        self.columns = Columns(rows, self.cache, device, fixed=fixed is not None)
        self.stems = PrefixSharing(rows)
        self.next = torch.zeros(rows, dtype=torch.long, device=device)
        self.follows = any(
            one.sampling.repetition_penalty != 1 or any(each.span.depends_on_text for each in one.interventions)
            for one in requests
        )
        """Whether anybody asks which tokens were written."""
        self.ends = frozenset(model.end_ids)
        self.prefill = Prefill(model, remember=rows)
        self.all = torch.arange(rows, device=device)

    def write(self) -> Iterator[tuple[Request, Generation]]:
        """Step by step until nobody is left."""
        while True:
            self._fill()
            if all(row is None for row in self.rows):
                return
            yield from self._step()

    def unfinished(self) -> list[Request]:
        """Those being written and those waiting."""
        return [row.request for row in self.rows if row is not None] + list(self.waiting)

    # Entering

    @torch.inference_mode()
    def _fill(self) -> None:
        """Let those waiting enter, once an eighth of the rows is free: prompts are cheaper to read together."""
        free = [index for index, row in enumerate(self.rows) if row is None]
        everybody = len(free) == len(self.rows)
        if not self.waiting or (not everybody and (self.fixed or len(free) * 8 < len(self.rows))):
            self._shrink(free)
            return
        self.history.write()
        entering = [self._enter(row, self.waiting.popleft()) for row in free[: len(self.waiting)]]
        if self.fixed:
            self.prefill.read_fixed(entering, self.fixed[0], self.cache, self.editor, self._note_gates)
            return
        for group, parts in self.prefill.read(entering, self.cache, self.editor, self._note_gates):
            self.stems.lend(group, parts)
            self.columns.lend(group)

    def _enter(self, index: int, request: Request) -> PrefillTask:
        self.rows[index] = row = _Row(request)  # first: whatever fails from here on, it is not forgotten
        length, prompt = len(request.prompt), torch.tensor(request.prompt, device=self.device)
        self.texts[index] = -1
        self.texts[index, :length] = prompt
        self.columns.enter(index, length - 1)
        self.next[index] = prompt[-1]
        row.uniforms = uniforms(self.seed, request.item, request.replicate, request.max_new).tolist()
        if any(isinstance(edit, Suppress) for edit in request.logits):
            row.coins = uniforms(self.seed, request.item, request.replicate, request.max_new, "suppress").tolist()
        self.editor.enter(index, request.interventions, self.texts[index], length)
        return PrefillTask.of(index, request, prompt, self.model.n_layers)

    def _note_gates(self, rows: Sequence[int], logits: Tensor) -> None:
        self.editor.note_logprobs(rows, lambda: logits.float().log_softmax(-1))

    def _shrink(self, free: Sequence[int]) -> None:
        """With nobody waiting, go on with half as many rows once half of them are free."""
        if self.fixed or self.waiting or len(free) * 2 < len(self.rows) or len(free) == len(self.rows):
            return
        kept = torch.tensor([index for index, row in enumerate(self.rows) if row is not None], device=self.device)
        self.rows = [row for row in self.rows if row is not None]
        self.cache.keep(kept)
        self.editor.keep(kept)
        self.history.keep(kept)
        self.columns.keep(kept.tolist())
        self.stems.keep(kept.tolist())
        self.texts, self.next = self.texts[kept], self.next[kept]
        self.all = torch.arange(len(self.rows), device=self.device)

    # Writing

    @torch.inference_mode()
    def _step(self) -> list[tuple[Request, Generation]]:
        idle = [index for index, row in enumerate(self.rows) if row is None]
        if idle:
            self.next[idle] = 0
        self.columns.settle(idle, reserve=self.reserve, left=self.before if self.waiting else 0)
        taken: dict[str, Tensor] = {}
        logits = self._read(self.next[:, None], taken)[:, -1]
        self.cache.column += 1
        self._fork()
        few = max(1, _FLOATS // logits.shape[-1])
        parts = [slice(first, first + few) for first in range(0, len(logits), few)]
        words, readings = zip(*(self._word(mine, logits[mine]) for mine in parts), strict=True)
        chosen = torch.cat(words)
        taken |= {name: torch.cat([each[name] for each in readings]) for name in readings[0]}
        self.history.note([0 if row is None else row.index for row in self.rows], taken)
        broken = [math.isnan(one) for one in taken["logprob"].tolist()]  # NaN or infinity among logits makes all NaN
        if any(broken):
            self.cache.wipe([index for index, bad in enumerate(broken) if bad])
        return self._advance(chosen, broken)

    def _read(self, ids: Tensor, taken: dict[str, Tensor] | None) -> Tensor:
        """One pass over `ids[row, p]`, in the next columns; readings go to `taken`, and without one nothing is
        recorded."""
        columns = torch.arange(self.cache.column, self.cache.column + ids.shape[1], device=self.device)
        positions = (columns - self.columns.starts[:, None]).clamp_max(self.width - 1)
        hooks = self.editor.hooks(Pass(range(len(self.rows)), positions, recorded=taken is not None))
        if taken is not None:
            hooks += [(one.site, self._reading(one, taken)) for one in self.readouts if one.site is not None]
        with self.model.hooked(hooks):
            logits = self.model.forward(
                ids,
                starts=self.columns.seen_from,
                positions=positions,
                cache=self.cache,
                logits_to_keep=1,
                unpadded=self.columns.unpadded,
                stems=self.stems.groups(self.device),
            )
        assert logits is not None
        return logits

    def _reading(self, readout: Readout, taken: dict[str, Tensor]) -> Hook:
        """Edits come first, so that a reading at an edited site sees the edit."""

        def read(values: Tensor) -> None:
            taken[readout.name] = readout(values[:, -1])

        return read

    def _fork(self) -> None:
        """Read suffixes in the columns to come, which the next step overwrites."""
        asked: list[tuple[int, Fork]] = []
        for index, row in enumerate(self.rows):
            for fork in row.request.forks if row else ():
                if row is not None and row.index in fork.at:
                    asked.append((index, fork))
        for suffix in {fork.suffix for _, fork in asked}:
            mine = [(index, fork) for index, fork in asked if fork.suffix == suffix]
            ids = torch.tensor(suffix, device=self.device).expand(len(self.rows), -1)
            p = self._read(ids, None)[:, -1].float().softmax(-1)
            for index, fork in mine:
                row = self.rows[index]
                assert row is not None
                masses = tuple(float(p[index, list(option)].sum()) for option in fork.options)
                row.forks.setdefault(fork.name, []).append((row.index, masses))

    def _word(self, mine: slice, logits: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        """The next token of these rows, and readings of its probabilities."""
        rows = self.rows[mine]
        log_p = logits.float().log_softmax(-1)
        readings = {readout.name: readout(log_p) for readout in self.readouts if readout.site is None}
        live = [index for index, row in enumerate(rows) if row is not None]
        self.editor.note_logprobs([mine.start + index for index in live], lambda: log_p[live])
        chosen = self._forced(rows, self._choose(mine, logits, log_p))
        return chosen, {**readings, "logprob": log_p.gather(1, chosen[:, None])[:, 0]}

    def _choose(self, mine: slice, logits: Tensor, log_p: Tensor) -> Tensor:
        rows = self.rows[mine]
        requests = [row.request if row else None for row in rows]
        settings = [one.sampling if one else SAMPLED for one in requests]
        drawn = [row.uniforms[row.index] if row else 0.0 for row in rows]
        uniform = torch.tensor(drawn, dtype=torch.float64, device=self.device)
        if not any(one is not None and (one.logits or one.sampling.filters) for one in requests):
            return draw(log_p, settings, uniform)
        logits = logits.float().nan_to_num()
        if any(one is not None and one.logits for one in requests):
            coins = [row.coins[row.index] if row and len(row.coins) else 0.0 for row in rows]
            at = [row.index if row else 0 for row in rows]
            logits = changed(logits, [one.logits if one else () for one in requests], at, coins)
        if any(one.filters for one in settings):
            logits = filtered(logits, settings, self._seen(self.texts[mine], settings, logits))
        return draw(logits, settings, uniform)

    def _seen(self, texts: Tensor, settings: Sequence[Sampling], logits: Tensor) -> Tensor | None:
        if all(one.repetition_penalty == 1.0 for one in settings):
            return None
        seen = torch.zeros(logits.shape[0], logits.shape[1] + 1, dtype=torch.bool, device=self.device)
        seen.scatter_(1, torch.where(texts < 0, logits.shape[1], texts), True)  # beyond the text: beside it
        return seen[:, :-1]

    def _forced(self, rows: Sequence[_Row | None], chosen: Tensor) -> Tensor:
        if not any(isinstance(edit, Force) for row in rows if row for edit in row.request.logits):
            return chosen
        tokens = [
            forced(token, row.request.logits, row.index, row.replaced) if row else token
            for token, row in zip(chosen.tolist(), rows, strict=True)
        ]
        return torch.tensor(tokens, device=self.device)

    # Leaving

    def _advance(self, chosen: Tensor, broken: Sequence[bool]) -> list[tuple[Request, Generation]]:
        self.next = chosen
        if self.follows:
            beyond = (self.cache.column - self.columns.starts).clamp_max(self.width - 1)  # the column to come
            self.texts[self.all, beyond] = chosen
        done: list[tuple[Request, Generation]] = []
        for index, (token, row) in enumerate(zip(chosen.tolist(), self.rows, strict=True)):
            if row is None:
                continue
            stopped_by = "failure" if broken[index] else self._append(index, row, token)
            if stopped_by is not None:
                done.append((row.request, self._generation(index, row, stopped_by)))
                self.rows[index] = None
                self.editor.leave(index)
                self.stems.release(index)
        return done

    def _append(self, index: int, row: _Row, token: int) -> str | None:
        """One more token; why the text ends with it, if it does."""
        request = row.request
        row.tokens.append(token)
        position = len(request.prompt) + row.index - 1
        if token in self.ends:
            return "end token"
        if request.stop and holds_stop(self.model.tokenizer, request.prompt, row.tokens, request.stop):
            return "stop string"
        if row.index >= request.max_new:
            return "budget"
        if self.editor.reads_text(index):
            self.editor.append(index, position, self.texts[index])
        return None

    def _generation(self, index: int, row: _Row, stopped_by: str) -> Generation:
        request, failed = row.request, stopped_by == "failure"
        kept = self.history.of(index, row.index)
        read = len(request.prompt) + row.index - 1
        return Generation(
            tokens=tuple(row.tokens),
            logprobs=tuple(kept.pop("logprob", ())),  # type: ignore[arg-type]
            readings=dict(kept),
            receipts=() if failed else self.editor.receipts(index, read, request.trial),
            stopped_by=stopped_by,
            forks={name: tuple(found) for name, found in row.forks.items()},
            error=f"{self.model.name} produced NaN or infinity after {read} tokens of {request.trial}"
            if failed
            else None,
        )

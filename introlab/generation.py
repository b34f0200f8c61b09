"""Batched decoding with a KV cache, in which every row has its own edits, dose, random stream and temperature.

Shapes: b rows of a batch, p positions of this pass, w positions so far.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from introlab.editing import Editor
from introlab.errors import InputError, NotFinite
from introlab.models import Model
from introlab.protocols import Intervention, Readout
from introlab.receipts import Receipt
from introlab.sampling import draw, uniforms
from introlab.sites import Site


@dataclass(frozen=True)
class Request:
    """One text to be written: what is read, what is done to it meanwhile, and whose random numbers it uses."""

    prompt: tuple[int, ...]
    item: str
    """Names the random stream, with `replicate`. Conditions of one item share it, and so are paired."""
    replicate: int = 0
    interventions: tuple[Intervention, ...] = ()
    max_new: int = 32
    temperature: float = 1.0
    banned: tuple[int, ...] = ()
    """Tokens it may not write. Their probability is left out before drawing; recorded log-probabilities keep it."""
    note: Any = None
    """Whatever the caller needs to recognise it by; never read here."""


@dataclass(frozen=True)
class Generation:
    """A written text. `tokens` ends with the token that ended it, if one did."""

    tokens: tuple[int, ...]
    logprobs: tuple[float, ...]
    """Of each token under the (steered) model at temperature 1."""
    readings: dict[str, tuple[float, ...]]
    """One value per token and readout, taken at the position that predicted the token."""
    receipts: tuple[Receipt, ...]
    ended: bool
    """Whether it ended itself; False where `max_new` cut it off."""


def generate(
    model: Model,
    requests: Sequence[Request],
    *,
    seed: int,
    batch_size: int = 64,
    readouts: Sequence[Readout] = (),
    cached: bool = True,
    padding: Literal["left", "right"] | None = None,
    fixed_shape: bool = False,
) -> Iterator[tuple[Request, Generation]]:
    """Write every requested text, in batches of similar length; pairs come as their batches finish.

    Guarantees: a text depends only on (model, seed, its own request), whatever the batch size, order, padding
    side or use of the cache, up to floating point (measured in docs/decisions.md). With `fixed_shape` every batch
    has the same number of rows and the same width, so that the arithmetic of a row does not depend on its
    companions at all. Every intervention of every text has a receipt that was checked against its plan. Raises
    ContextOverflow, NotFinite, EditNotApplied.
    """
    if batch_size < 1:
        raise InputError("a batch needs at least one row", given=batch_size, allowed="1 or more")
    for request in requests:
        model.check_length(len(request.prompt), request.max_new)
        for intervention in request.interventions:
            model.check_site(intervention.site, write=True)
    if padding is None:
        # Left is faster, but in float64 a fully masked row (padding itself) is NaN: attention takes its softmax in
        # float32, where float64's lowest number is minus infinity.
        padding = "right" if model.dtype == torch.float64 else "left"
    order = sorted(range(len(requests)), key=lambda index: len(requests[index].prompt))
    width = len(requests[order[-1]].prompt) if requests and fixed_shape else 0
    for start in range(0, len(order), batch_size):
        batch = [requests[index] for index in order[start : start + batch_size]]
        filled = batch + batch[-1:] * (batch_size - len(batch)) if fixed_shape else batch
        written = _Writer(model, filled, seed, readouts, padding, width).write(cached)
        yield from zip(batch, written[: len(batch)], strict=True)


class _Writer:
    """One batch, being written: `ids`, `real` (a token, not padding) and absolute `positions`, each [b, w]."""

    def __init__(
        self,
        model: Model,
        requests: Sequence[Request],
        seed: int,
        readouts: Sequence[Readout],
        padding: str,
        least_width: int,
    ):
        self.model, self.requests, self.readouts = model, requests, readouts
        device = model.device
        lengths = torch.tensor([len(request.prompt) for request in requests])
        width = max(int(lengths.max()), least_width)
        columns = torch.arange(width).expand(len(requests), width)
        starts = (width - lengths)[:, None] if padding == "left" else torch.zeros(len(requests), 1, dtype=torch.long)
        self.real = ((columns >= starts) & (columns < starts + lengths[:, None])).to(device)
        self.positions = (columns - starts).to(device) * self.real
        self.ids = torch.zeros(len(requests), width, dtype=torch.long, device=device)
        self.ids[self.real] = torch.tensor([token for request in requests for token in request.prompt], device=device)
        self.lengths = lengths.to(device)
        self.steps = max(request.max_new for request in requests)
        self.limits = torch.tensor([request.max_new for request in requests], device=device)
        self.temperature = torch.tensor([request.temperature for request in requests], device=device)
        streams = [uniforms(seed, request.item, request.replicate, self.steps) for request in requests]
        self.uniforms = torch.tensor(np.stack(streams), device=device)
        self.bans = [(row, token) for row, request in enumerate(requests) for token in request.banned]
        self.editor = Editor([request.interventions for request in requests], self.lengths, width + self.steps)
        self.tokens: list[list[int]] = [[] for _ in requests]
        self.logprobs: list[list[float]] = [[] for _ in requests]
        self.readings: list[dict[str, list[float]]] = [{one.name: [] for one in readouts} for _ in requests]

    def write(self, cached: bool) -> list[Generation]:
        ends = torch.tensor(self.model.end_ids, device=self.model.device)
        live = torch.ones(len(self.requests), dtype=torch.bool, device=self.model.device)
        cache, unread = None, self.ids.shape[1]
        for step in range(self.steps):
            taken: dict[str, Tensor] = {}
            with self.model.hooked(self._hooks(unread, taken)):
                logits, cache = self.model.forward(
                    self.ids[:, -unread:],
                    mask=self.real.long(),
                    positions=self.positions[:, -unread:],
                    cache=cache,
                    keep_cache=cached,
                    logits_to_keep=1 if self._ends_last(unread) else 0,
                )
            logits = self._newest(logits, unread)
            self._check_finite(logits, live)
            chosen = draw(self._allowed(logits), self.temperature, self.uniforms[:, step])
            self._note(logits, chosen, taken, live)
            live = live & ~torch.isin(chosen, ends) & (step + 1 < self.limits)
            if not bool(live.any()):
                break
            self._append(chosen, live)
            unread = 1 if cached else self.ids.shape[1]
        return [self._generation(row) for row in range(len(self.requests))]

    def _hooks(self, unread: int, taken: dict[str, Tensor]) -> list[tuple[Site, Callable[[Tensor], Tensor | None]]]:
        """Edits first, then readings, so that a reading at an edited site sees the edit."""
        hooks = self.editor.hooks(self.positions[:, -unread:], self.real[:, -unread:], self.ids[:, -unread:])

        def reading(readout: Readout) -> Callable[[Tensor], None]:
            def read(values: Tensor) -> None:
                taken[readout.name] = readout(self._newest(values, unread))

            return read

        return hooks + [(readout.site, reading(readout)) for readout in self.readouts if readout.site is not None]

    def _ends_last(self, unread: int) -> bool:
        """Whether the newest real token of every row stands in the last column of this pass."""
        return unread == 1 or bool(self.real[:, -1].all())

    def _newest(self, values: Tensor, unread: int) -> Tensor:
        """`values[b, p, ...]` at each row's newest real token."""
        if values.shape[1] == 1 or self._ends_last(unread):
            return values[:, -1]
        columns = torch.arange(self.real.shape[1], device=values.device)
        newest = (columns * self.real).amax(-1) - (self.real.shape[1] - unread)
        return values[torch.arange(len(values), device=values.device), newest]

    def _check_finite(self, logits: Tensor, live: Tensor) -> None:
        broken = live & ~torch.isfinite(logits).all(-1)
        if bool(broken.any()):
            items = [self.requests[row].item for row in broken.nonzero().flatten().tolist()]
            raise NotFinite(
                f"{self.model.name} produced NaN or infinity",
                given=f"items {', '.join(items[:5])}",
                do="lower the strength, or load the model in float32",
            )

    def _allowed(self, logits: Tensor) -> Tensor:
        if not self.bans:
            return logits
        rows, tokens = torch.tensor(self.bans, device=logits.device).unbind(-1)
        return logits.index_put((rows, tokens), torch.tensor(-torch.inf, dtype=logits.dtype, device=logits.device))

    def _note(self, logits: Tensor, chosen: Tensor, taken: dict[str, Tensor], live: Tensor) -> None:
        log_p = logits.float().log_softmax(-1)
        picked = log_p.gather(1, chosen[:, None])[:, 0].tolist()
        for readout in self.readouts:
            if readout.site is None:
                taken[readout.name] = readout(log_p)
        values = {name: reading.tolist() for name, reading in taken.items()}
        tokens = chosen.tolist()
        for row in live.nonzero().flatten().tolist():
            self.tokens[row].append(tokens[row])
            self.logprobs[row].append(picked[row])
            for name, each in values.items():
                self.readings[row][name].append(each[row])

    def _append(self, chosen: Tensor, live: Tensor) -> None:
        newest = self.positions.amax(-1, keepdim=True) + 1
        self.ids = torch.cat([self.ids, chosen[:, None]], dim=1)
        self.real = torch.cat([self.real, live[:, None]], dim=1)
        self.positions = torch.cat([self.positions, newest * live[:, None]], dim=1)

    def _generation(self, row: int) -> Generation:
        request, tokens = self.requests[row], self.tokens[row]
        return Generation(
            tokens=tuple(tokens),
            logprobs=tuple(self.logprobs[row]),
            readings={name: tuple(values) for name, values in self.readings[row].items()},
            receipts=self.editor.receipts(row, (*request.prompt, *tokens[:-1]), f"{request.item}#{request.replicate}"),
            ended=bool(tokens) and tokens[-1] in self.model.end_ids,
        )

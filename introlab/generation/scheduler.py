"""Writing texts: in which order the work is done, on how many rows, and what happens when memory runs out."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from typing import Any

import torch
from torch import Tensor

from introlab.errors import InputError, NotFinite
from introlab.generation.batch_size import rows_that_fit
from introlab.generation.decode import DecodingBatch
from introlab.generation.prefill import untouched
from introlab.generation.requests import Generation, Request
from introlab.interventions.interfaces import Intervention, Readout, check_reading
from introlab.network.determinism import FIXED_ROWS
from introlab.network.model import Model


def generate(
    model: Model,
    requests: Sequence[Request],
    *,
    seed: int,
    batch_size: int | None = None,
    readouts: Sequence[Readout] = (),
) -> Iterator[tuple[Request, Generation]]:
    """Write every requested text; pairs come as texts end, in no promised order.

    Rows that end make room for new ones; prompts are read once for all rows that share them, up to where an edit
    touches. Without `batch_size` as many rows are used as memory allows; where memory runs out there are half as many
    from then on, and what was being written is begun again.

    Guarantees: a text depends only on (model, seed, its own request), whatever the batch size, order or companions, up
    to floating point (docs/determinism.md says how often that shows). A deterministic model's every pass
    has a shape that depends on the request alone. Every intervention of every text has a receipt that was checked
    against its plan. A text whose logits are not finite fails alone. Raises ContextOverflow, EditNotApplied,
    InputError.
    """
    if batch_size is not None and batch_size < 1:
        raise InputError("a batch needs at least one row", given=batch_size, allowed="1 or more")
    _check(model, requests)
    for readout in readouts:
        check_reading(model, readout)
    for long in (False, True):  # texts with one set of rotary frequencies together
        some = [request for request in requests if model.for_length(len(request.prompt)).reads_as_long == long]
        yield from _written(model.for_length(len(some[0].prompt)), some, seed, batch_size, readouts) if some else ()


def without_failures(written: Iterable[tuple[Request, Generation]]) -> Iterator[tuple[Request, Generation]]:
    """Texts as they come, but for those whose logits were not finite; raises NotFinite after all others, if any."""
    failed: list[str] = []
    for request, generation in written:
        if generation.error:
            failed.append(generation.error)
        else:
            yield request, generation
    if failed:
        raise NotFinite(
            f"{len(failed)} texts failed; all others were written",
            given="; ".join(failed[:3]),
            do="lower the strength, or load the model in float32",
        )


def _written(
    model: Model, requests: Sequence[Request], seed: int, batch_size: int | None, readouts: Sequence[Readout]
) -> Iterator[tuple[Request, Generation]]:
    if model.deterministic:
        for _, alike in groupby(sorted(requests, key=_shape), key=_shape):
            waiting = list(alike)
            while waiting:
                part, waiting = waiting[:FIXED_ROWS], waiting[FIXED_ROWS:]
                yield from DecodingBatch(
                    model, part, FIXED_ROWS, seed=seed, readouts=readouts, fixed=_shape(part[0])
                ).write()
        return
    waiting = _in_turn(requests)
    rows = batch_size or rows_that_fit(model, requests)
    while waiting:
        batch = DecodingBatch(model, waiting, rows, seed=seed, readouts=readouts)
        try:
            yield from batch.write()
            return
        except RuntimeError as error:  # on a GPU it has a class of its own, on a CPU only a message
            if "memory" not in str(error) or rows == 1:
                raise
            waiting, rows = batch.unfinished(), max(1, rows // 2)


def _check(model: Model, requests: Sequence[Request]) -> None:
    for request in requests:
        if not request.prompt:
            raise InputError("an empty prompt", given=request.trial, allowed="at least one token")
        if request.max_new < 1:
            raise InputError(
                "nothing to write", given=f"max_new {request.max_new}, {request.trial}", allowed="1 or more"
            )
        room = max([request.max_new, *(max(fork.at) + len(fork.suffix) for fork in request.forks)])
        model.check_length(len(request.prompt), room)
        text = torch.full((len(request.prompt) + request.max_new - 1,), -1)
        text[: len(request.prompt)] = torch.tensor(request.prompt)
        for one in request.interventions:
            _check_intervention(model, one, text, request)


def _check_intervention(model: Model, one: Intervention, text: Tensor, request: Request) -> None:
    one.check_made_for(model)
    covered = one.plan(text, len(request.prompt)) != 0
    one.check_reachable(covered, f"prompt {len(request.prompt)} and {request.max_new} to come, {request.trial}")
    if one.gate is None:
        return
    if bool(covered[: len(request.prompt) - 1].any()) and not one.gate.at_once(one.site):
        raise InputError(
            "a gate that reads a later place cannot gate prompt positions",
            given=f"{one.gate} for an edit at {one.site}, span {one.span}, {request.trial}",
            do="let the span be generated positions, or read an earlier site",
        )


def _in_turn(requests: Sequence[Request]) -> list[Request]:
    """In the order in which they enter: those together of whose prompts equally much, to within a factor of two, is
    read under edits; those first that may go on for longest, so that few are left alone at the end; those together
    that share a prompt."""
    longest: dict[tuple[int, ...], int] = defaultdict(int)
    for request in requests:
        longest[request.prompt] = max(longest[request.prompt], request.max_new)

    def turn(request: Request) -> tuple[Any, ...]:
        prompt, length = request.prompt, len(request.prompt)
        stem = untouched(request.interventions, torch.tensor(prompt), length)
        return (length - 1 - stem).bit_length(), -longest[prompt], length, prompt, -request.max_new

    return sorted(requests, key=turn)


def _shape(request: Request) -> tuple[int, int]:
    """Columns for prompt and for new tokens, to the next 32: what fixes the arithmetic of a text in fixed batches."""
    return -(-(len(request.prompt) - 1) // 32) * 32, -(-request.max_new // 32) * 32

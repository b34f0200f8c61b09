"""One pass over finished texts, batch by batch: what reading activations and probabilities have in common."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import torch
from torch import Tensor

from introlab.interventions.hooks import Editor, Pass
from introlab.interventions.interfaces import Intervention
from introlab.network.backends import Hook
from introlab.network.determinism import FIXED_ROWS
from introlab.network.model import Model
from introlab.network.padding import aligned, begun_together
from introlab.network.sites import Site

TOGETHER = 32
"""Texts that are read in one pass, if nothing else is asked for. More take no less time on a CPU, and what a pass
needs for them is more than the allocator keeps for the next: reading then took up to twice the time."""
_WIDTH = 16
"""A deterministic model's passes are a multiple of it wide."""


@dataclass(frozen=True)
class Text:
    """A finished text to be read: its tokens, where its prompt ends, and what is done to it meanwhile."""

    ids: tuple[int, ...]
    prompt_len: int
    example: str
    interventions: tuple[Intervention, ...] = ()

    @classmethod
    def written(cls, prompt: Sequence[int], tokens: Sequence[int], example: str) -> "Text":
        """A prompt and what was written after it."""
        return cls((*prompt, *tokens), len(prompt), example)


@dataclass(frozen=True)
class PaddedTexts:
    """Texts that are read together: text `i` begins in column `starts[i]`."""

    texts: Sequence[Text]
    indices: Sequence[int]
    """Which of all texts they are."""
    starts: Tensor


Look = Callable[[PaddedTexts], list[tuple[Site, Hook]]]
"""The hooks that read a batch. It may be asked again for a part of the batch before."""


def passes(
    model: Model,
    texts: Sequence[Text],
    *,
    batch_size: int,
    look: Look | None = None,
    stop_at_layer: int | None = None,
    logits: Callable[[PaddedTexts], int] | None = None,
) -> Iterator[tuple[PaddedTexts, Tensor]]:
    """Read every text once, under its interventions, in batches of similar length: each batch with the logits of as
    many last columns as `logits` asks for (0 is all; else none); then all texts end in the last. Ends before block
    `stop_at_layer`, where given. Receipts are checked. Where memory runs out a batch is read in halves, and `look` is
    asked for each again: what it noted of the whole counts no more. Raises ContextOverflow, EditNotApplied,
    ModelMismatch."""
    for text in texts:
        model.check_length(len(text.ids))
        for one in text.interventions:
            one.check_made_for(model)
    waiting = list(_batches(model, texts, batch_size))[::-1]
    while waiting:
        indices, rows, width = waiting.pop()
        try:
            batch, found = _passed(model, texts, indices, rows, width, look, stop_at_layer, logits)
        except RuntimeError as error:  # on a GPU it has a class of its own, on a CPU only a message
            if "memory" not in str(error) or len(indices) == 1 or model.deterministic:
                raise
            half = (len(indices) + 1) // 2
            waiting += [
                (part, len(part), max(len(texts[at].ids) for at in part)) for part in (indices[half:], indices[:half])
            ]
            continue
        yield batch, found


def _passed(
    model: Model,
    texts: Sequence[Text],
    indices: Sequence[int],
    rows: int,
    width: int,
    look: Look | None,
    stop_at_layer: int | None,
    logits: Callable[[PaddedTexts], int] | None,
) -> tuple[PaddedTexts, Tensor]:
    """One pass over the texts of these indices."""
    device, some = model.device, [texts[index] for index in indices]
    empty = [(0,)] * (rows - len(some))
    lay = aligned if logits else begun_together
    laid = lay([*(text.ids for text in some), *empty], width=width, device=device)
    batch, editor = PaddedTexts(some, indices, laid.starts), Editor(rows, width, device)
    for row, text in enumerate(some):
        if text.interventions:
            known = torch.full((width,), -1, device=device)
            known[: len(text.ids)] = torch.tensor(text.ids, device=device)
            editor.enter(row, text.interventions, known, text.prompt_len)
    hooks = editor.hooks(Pass(range(rows), laid.positions, laid.real))
    with model.hooked(hooks + (look(batch) if look else [])):
        found = model.for_length(max(len(text.ids) for text in some)).forward(
            laid.ids,
            starts=laid.starts,
            positions=laid.positions if logits else laid.positions[:1],
            logits_to_keep=logits(batch) if logits else None,
            stop_at_layer=stop_at_layer,
            unpadded=laid.unpadded,
        )
    for row, text in enumerate(some):
        editor.receipts(row, len(text.ids), text.example)
    return batch, torch.empty(0) if found is None else found


def _batches(model: Model, texts: Sequence[Text], batch_size: int) -> Iterator[tuple[Sequence[int], int, int]]:
    """Texts of similar length, with the rows and columns of their pass. Of a deterministic model these depend on the
    length of a text alone: to the next 16 columns, and always as many rows, if need be empty ones."""

    lengths = [len(text.ids) for text in texts]

    def alike(index: int) -> tuple[bool, int]:
        """Texts of one set of rotary frequencies, and of one width."""
        width = -(-lengths[index] // _WIDTH) * _WIDTH if model.deterministic else 0
        return model.for_length(lengths[index]).reads_as_long, width

    order = sorted(range(len(texts)), key=lengths.__getitem__)
    for (_, columns), group in groupby(order, key=alike):
        rest, rows = list(group), FIXED_ROWS if model.deterministic else batch_size
        for start in range(0, len(rest), rows):
            some = rest[start : start + rows]
            yield some, rows if model.deterministic else len(some), columns or lengths[some[-1]]

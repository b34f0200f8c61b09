"""Reading a data set of texts into a store: any sites, spans and poolings at once, in one pass, and never twice."""

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor
from tqdm.auto import tqdm

from introlab.activations.forward import TOGETHER, PaddedTexts, Text, passes
from introlab.activations.store import Store
from introlab.errors import InputError
from introlab.io.environment import versions
from introlab.io.terminal import shown
from introlab.network.backends import Hook
from introlab.network.model import Model
from introlab.network.sites import Site
from introlab.network.spans import Span

Pooling = Literal["tokens", "last", "mean", "max"]
SHARD_TEXTS = 512


@dataclass(frozen=True)
class Reading:
    """What is kept of a text: the positions of a span at a site, each by itself or pooled into one row."""

    site: Site
    span: Span
    pooling: Pooling = "last"
    """`tokens` keeps a row per position; `last` the last of them; `mean` and `max` are elementwise."""

    def __post_init__(self) -> None:
        if self.pooling not in ("tokens", "last", "mean", "max"):
            raise InputError("unknown pooling", given=self.pooling, allowed="tokens, last, mean, max")


@dataclass(frozen=True)
class Sample:
    """A text with what is known of it."""

    text: Text
    condition: str = ""
    label: str = ""
    turns: dict[str, Span] = field(default_factory=dict)
    """Where its turns stand (`ChatFormat.spans`); a row says in which turn its position is."""
    item: str = ""
    """What must not be split between fitting and testing, such as the question it answers; the text itself if not
    given."""


def collect(
    model: Model,
    samples: Sequence[Sample],
    readings: Sequence[Reading],
    folder: Path,
    *,
    batch_size: int = TOGETHER,
    quiet: bool = True,
) -> Store:
    """Read every sample into the store in `folder`, except what it holds already; what is done is kept if this is
    interrupted. Values keep the model's precision. Each pass ends after the deepest site.

    Raises InputError for a reading that a sample has no position for, ModelMismatch for a store of another model.
    """
    for reading in readings:
        model.check_site(reading.site)
    made_with = {"model": model.fingerprint, "name": model.name, "attention": model.path.config._attn_implementation}
    store = Store.create(folder, {**made_with, "versions": versions()})
    keys = [_key(sample, readings) for sample in samples]
    there = set(store.index()["key"])
    missing = [(key, sample) for key, sample in zip(keys, samples, strict=True) if key not in there]
    unique = list({key: (key, sample) for key, sample in missing}.values())
    unique.sort(key=lambda pair: len(pair[1].text.ids))
    progress = tqdm(total=len(unique), desc=f"reading into {shown(folder, line=True)}", unit="text", disable=quiet)
    for start in range(0, len(unique), SHARD_TEXTS):
        part = unique[start : start + SHARD_TEXTS]
        _collect_shard(model, dict(part), readings, store, batch_size)
        progress.update(len(part))
    progress.close()
    return store


def _key(sample: Sample, readings: Sequence[Reading]) -> str:
    """Of everything that decides what is written; the model and the versions are the store's own."""
    text = sample.text
    said: dict[str, Any] = {
        "ids": text.ids,
        "prompt": text.prompt_len,
        "example": text.example,
        "edits": [(one.edit.record(), str(one.site), str(one.span), str(one.gate)) for one in text.interventions],
        "schedules": [one.schedule.multiples if one.schedule else None for one in text.interventions],
        "labels": (
            sample.item,
            sample.condition,
            sample.label,
            {name: str(span) for name, span in sample.turns.items()},
        ),
        "readings": [(str(one.site), str(one.span), one.pooling) for one in readings],
    }
    return hashlib.sha256(json.dumps(said, default=str).encode()).hexdigest()[:24]


def _collect_shard(
    model: Model, samples: dict[str, Sample], readings: Sequence[Reading], store: Store, batch_size: int
) -> None:
    known = [(key, sample, _turns(sample)) for key, sample in samples.items()]
    held: dict[Site, list[Tensor]] = {reading.site: [] for reading in readings}
    rows: list[dict[str, Any]] = []
    counts = dict.fromkeys(held, 0)
    taken: list[tuple[int, Reading, Sequence[int], Tensor]] = []
    """Of the batch that is being read."""

    def look(batch: PaddedTexts) -> list[tuple[Site, Hook]]:
        taken.clear()
        wanted = [[_positions(text, reading) for text in batch.texts] for reading in readings]
        starts = batch.starts.tolist()

        def hook(index: int) -> Hook:
            reading = readings[index]

            def read(values: Tensor) -> None:
                for row, which in enumerate(batch.indices):
                    positions = wanted[index][row]
                    there = values[row, starts[row] + positions[0] : starts[row] + positions[-1] + 1]
                    inside = torch.tensor([position - positions[0] for position in positions], device=values.device)
                    pooled = _pooled(there[inside], reading.pooling).cpu()
                    taken.append((which, reading, positions if reading.pooling == "tokens" else positions[-1:], pooled))

            return read

        return [(reading.site, hook(index)) for index, reading in enumerate(readings)]

    deepest = max(reading.site.layer for reading in readings)
    for _ in passes(
        model, [sample.text for _, sample, _ in known], batch_size=batch_size, look=look, stop_at_layer=deepest + 1
    ):
        for which, reading, at, pooled in taken:
            held[reading.site].append(pooled)
            rows.extend(_lines(*known[which], reading, at, counts[reading.site]))
            counts[reading.site] += len(pooled)
    store.append(rows, {site: torch.cat(parts) for site, parts in held.items()})


def _turns(sample: Sample) -> dict[int, str]:
    """The name of the turn each position is in, where it is in one."""
    return {position: name for name, span in sample.turns.items() for position in _covered(sample.text, span)}


def _covered(text: Text, span: Span) -> list[int]:
    ids = torch.tensor(text.ids)
    return span.covers(torch.arange(len(ids)), ids, torch.tensor(text.prompt_len)).nonzero().flatten().tolist()


def _positions(text: Text, reading: Reading) -> list[int]:
    found = _covered(text, reading.span)
    if not found:
        raise InputError(
            "a reading without a position",
            given=f"span {reading.span} on {text.example} ({len(text.ids)} tokens)",
            do="choose a span that every text has, or leave the text out",
        )
    return found


def _pooled(values: Tensor, pooling: Pooling) -> Tensor:
    """[position, width] to [row, width], in the precision it came in; a mean is taken in float32."""
    if pooling == "tokens":
        return values
    if pooling == "last":
        return values[-1:]
    if pooling == "mean":
        return values.float().mean(0, keepdim=True).to(values.dtype)
    return values.amax(0, keepdim=True)


def _lines(
    key: str, sample: Sample, turns: dict[int, str], reading: Reading, positions: Sequence[int], first: int
) -> Iterator[dict[str, Any]]:
    text = sample.text
    for row, position in enumerate(positions, first):
        yield {
            "key": key,
            "sample": text.example,
            "item": sample.item or text.example,
            "site": str(reading.site),
            "span": str(reading.span),
            "pooling": reading.pooling,
            "turn": turns.get(position, ""),
            "phase": "prompt" if position < text.prompt_len - 1 else "generated",
            "token": text.ids[position],
            "position": position,
            "condition": sample.condition,
            "label": sample.label,
            "row": row,
        }

"""Activations remember where they came from: site, model, example ids.

`read` takes them from finished texts; `next_token_logprobs` and `text_logprobs` take the model's opinion of a
text. All three run under interventions if asked to, with the same receipts as generation.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from jaxtyping import Float
from torch import Tensor

from introlab.activations.forward import TOGETHER, Look, PaddedTexts, Text, passes
from introlab.errors import InputError, ModelMismatch, NotFinite
from introlab.network.backends import Hook
from introlab.network.buffers import zeros
from introlab.network.model import Model
from introlab.network.sites import Site
from introlab.network.tensors import ids_of, reading, save_sealed

_WORDS = 2**22
"""Log-probabilities held at once: 16 MB, sixteen steps of a vocabulary of 262 thousand."""

_LOGITS = 2**27
"""Logits of a pass, where all of a text's steps are asked for: half a gigabyte of float32."""


@dataclass(frozen=True)
class Activations:
    """`values[example, d_model]` in float32 on the CPU, read at one site of one model."""

    values: Float[Tensor, "example d_model"]
    site: Site
    model: str
    """Fingerprint of the model."""
    examples: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.values.ndim != 2 or len(self.values) != len(self.examples):
            raise InputError(
                "values and examples do not match",
                given=f"values {tuple(self.values.shape)}, {len(self.examples)} examples",
                allowed="values[example, d_model]",
            )
        if not bool(torch.isfinite(self.values).all()):
            bad = self.examples[int((~torch.isfinite(self.values)).any(-1).nonzero()[0])]
            raise NotFinite(
                "activations hold NaN or infinity", given=f"{self.site}, example {bad}", do="load the model in float32"
            )

    def check_model(self, model: Model) -> None:
        """Raises ModelMismatch unless they are of this model."""
        if self.model != model.fingerprint:
            raise ModelMismatch("activations of another model", given=self.model, allowed=model.fingerprint)

    def where(self, keep: Sequence[bool]) -> Self:
        """The examples marked True, in the same order."""
        chosen = [index for index, wanted in enumerate(keep) if wanted]
        return type(self)(self.values[chosen], self.site, self.model, tuple(self.examples[index] for index in chosen))

    @classmethod
    def concatenated(cls, parts: Sequence[Self]) -> Self:
        """All examples of the parts. Raises ModelMismatch where they differ in model or site."""
        if len({(part.model, part.site) for part in parts}) != 1:
            raise ModelMismatch(
                "activations of different models or sites cannot be mixed",
                given=sorted({f"{part.model} {part.site}" for part in parts}),
            )
        examples = tuple(example for part in parts for example in part.examples)
        return cls(torch.cat([part.values for part in parts]), parts[0].site, parts[0].model, examples)

    def save(self, path: Path) -> None:
        """One safetensors file, metadata and a digest inside. Raises RunFolderError where it cannot be written."""
        meta = {"site": str(self.site), "model": self.model, "examples": json.dumps(self.examples)}
        save_sealed({"values": self.values}, path, meta)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read back what `save` wrote. Raises InputError for any other file, and one that was changed."""
        with reading(path, "a file of activations", made_by="introlab read") as (file, meta):
            return cls(
                file.get_tensor("values"),
                Site.parse(meta["site"]),
                meta["model"],
                ids_of(meta["examples"]),
            )


def read(
    model: Model,
    texts: Sequence[Text],
    sites: Sequence[Site],
    positions: Sequence[Sequence[int]],
    *,
    batch_size: int = TOGETHER,
) -> dict[tuple[Site, int], Activations]:
    """The residual at the given absolute positions of each text, at every site, in one pass per batch.

    `positions[i]` are the positions wanted of text `i`, equally many for all; the result is keyed by site and by
    index into them. The pass ends after the deepest block needed. Raises InputError for a position outside its text,
    or where there are no texts.
    """
    found, look = _reader(model, texts, sites, positions)
    last = max(site.layer for site in sites)
    for _ in passes(model, texts, batch_size=batch_size, look=look, stop_at_layer=last + 1):
        pass
    return _by_place(model, texts, found)


def read_with_logprobs(
    model: Model,
    texts: Sequence[Text],
    sites: Sequence[Site],
    positions: Sequence[Sequence[int]],
    *,
    batch_size: int = TOGETHER,
) -> tuple[dict[tuple[Site, int], Activations], list[tuple[float, ...]]]:
    """What `read` and `text_logprobs` give, from the same passes."""
    found, look = _reader(model, texts, sites, positions)
    logprobs = text_logprobs(model, texts, batch_size=batch_size, look=look)
    return _by_place(model, texts, found), logprobs


def _reader(
    model: Model, texts: Sequence[Text], sites: Sequence[Site], positions: Sequence[Sequence[int]]
) -> tuple[dict[Site, Tensor], Look]:
    """What is read, [position, text, width], and what reads it into there in each pass."""
    _check_places(model, texts, sites, positions)
    count = len(positions[0])
    # Made at once: what was read of each batch, kept for itself, would lie scattered between the passes' own memory.
    found = {site: zeros((count, len(texts), model.width(site)), torch.float32, torch.device("cpu")) for site in sites}

    def look(batch: PaddedTexts) -> list[tuple[Site, Hook]]:
        wanted = torch.tensor([positions[index] for index in batch.indices], device=model.device)
        columns = batch.starts[: len(wanted), None] + wanted
        rows, examples = torch.arange(len(wanted), device=model.device)[:, None], torch.tensor(batch.indices)

        def reader(site: Site) -> Hook:
            def hook(values: Tensor) -> None:
                chosen = values.flatten(0, 1).index_select(0, (rows * values.shape[1] + columns).T.flatten())
                found[site].index_copy_(1, examples, chosen.float().cpu().view(count, len(examples), -1))

            return hook

        return [(site, reader(site)) for site in sites]

    return found, look


def _by_place(model: Model, texts: Sequence[Text], found: dict[Site, Tensor]) -> dict[tuple[Site, int], Activations]:
    examples = tuple(text.example for text in texts)
    return {
        (site, index): Activations(values, site, model.fingerprint, examples)
        for site, every in found.items()
        for index, values in enumerate(every)
    }


def iter_activations(
    model: Model, texts: Sequence[Text], site: Site, *, batch_size: int = TOGETHER
) -> Iterator[list[tuple[int, Float[Tensor, "position d_model"]]]]:
    """The residual at every position of each text, with the index of the text; batch by batch, and no more than a batch
    is held at a time. Float32, on the CPU."""
    model.check_site(site)
    found: list[tuple[int, Tensor]] = []

    def look(batch: PaddedTexts) -> list[tuple[Site, Hook]]:
        found.clear()

        def hook(values: Tensor) -> None:
            for row, (index, text) in enumerate(zip(batch.indices, batch.texts, strict=True)):
                start = int(batch.starts[row])
                found.append((index, values[row, start : start + len(text.ids)].float().cpu().clone()))

        return [(site, hook)]

    for _ in passes(model, texts, batch_size=batch_size, look=look, stop_at_layer=site.layer + 1):
        yield list(found)


def mean_over(
    model: Model, texts: Sequence[Text], site: Site, spans: Sequence[tuple[int, int]], *, batch_size: int = TOGETHER
) -> Activations:
    """The residual averaged over a half-open range of positions of each text."""
    found: dict[int, Tensor] = {}
    for batch in iter_activations(model, texts, site, batch_size=batch_size):
        found.update({index: values[slice(*spans[index])].mean(0) for index, values in batch})
    return Activations(
        torch.stack([found[index] for index in range(len(texts))]),
        site,
        model.fingerprint,
        tuple(text.example for text in texts),
    )


def next_token_logprobs(
    model: Model, texts: Sequence[Text], *, batch_size: int = TOGETHER
) -> Float[Tensor, "text vocab"]:
    """Log-probabilities of the token after each text, under its interventions."""
    rows: dict[int, Tensor] = {}
    for batch, logits in passes(model, texts, batch_size=batch_size, logits=lambda _: 1):
        picked = logits[: len(batch.texts), -1].float().log_softmax(-1).cpu()
        rows.update(zip(batch.indices, picked, strict=True))
    return torch.stack([rows[index] for index in range(len(texts))])


def text_logprobs(
    model: Model, texts: Sequence[Text], *, batch_size: int = TOGETHER, look: Look | None = None
) -> list[tuple[float, ...]]:
    """Log-probability of each token after the prompt, given all before it, under whatever the hooks of `look` put in
    the place of what they read."""

    def needed(batch: PaddedTexts) -> int:
        return 0 if model.deterministic else 1 + max(len(text.ids) - text.prompt_len for text in batch.texts)

    longest = max((len(text.ids) - text.prompt_len + 1 for text in texts), default=1)
    vocabulary = int(model.network.config.get_text_config().vocab_size)
    batch_size = max(1, min(batch_size, _LOGITS // (longest * vocabulary)))
    rows: dict[int, tuple[float, ...]] = {}
    for batch, logits in passes(model, texts, batch_size=batch_size, logits=needed, look=look):
        for row, (index, text) in enumerate(zip(batch.indices, batch.texts, strict=True)):
            targets = torch.tensor(text.ids[text.prompt_len :], dtype=torch.long, device=logits.device)
            rows[index] = tuple(_logprobs_of(logits[row, logits.shape[1] - 1 - len(targets) : -1], targets))
    return [rows[index] for index in range(len(texts))]


def _logprobs_of(logits: Float[Tensor, "step vocab"], targets: Tensor) -> list[float]:
    """Of one word a step, a few steps at a time: log-probabilities of all words, in float32, are held of no more."""
    few = max(1, _WORDS // logits.shape[-1])
    parts = [slice(first, first + few) for first in range(0, len(targets), few)]
    found = [logits[part].float().log_softmax(-1).gather(1, targets[part, None])[:, 0] for part in parts]
    return [value for each in found for value in each.tolist()]


def _check_places(
    model: Model, texts: Sequence[Text], sites: Sequence[Site], positions: Sequence[Sequence[int]]
) -> None:
    if not texts:
        raise InputError("no texts to read")
    for site in sites:
        model.check_site(site)
    for text, wanted in zip(texts, positions, strict=True):
        if any(not 0 <= position < len(text.ids) for position in wanted) or len(wanted) != len(positions[0]):
            raise InputError(
                "positions that cannot be read",
                given=f"{list(wanted)} of {text.example}",
                allowed=f"{len(positions[0])} positions from 0 to {len(text.ids) - 1}",
            )

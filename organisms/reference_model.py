"""An organism in plain transformers: what labels are taken from, and what is verified. None of the lab's experiments,
hooks or readings is used here, so that an organism is neither made nor verified by what it is meant to verify."""

import json
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from peft import PeftModel
from torch import Tensor
from transformers import AutoModelForCausalLM, AutoTokenizer

from introlab.stats.estimates import cluster_bootstrap
from introlab.stats.interval import Estimate
from organisms.tokenizer import END


@dataclass(frozen=True)
class Measured:
    """One line of a card."""

    what: str
    cell: str
    estimate: Estimate


@dataclass(frozen=True)
class Push:
    """`vector` [d_model] added to the output of block `layer` at positions `start` (included) to `stop` (excluded) of a
    text; None is to its end and at every word written after it."""

    layer: int
    vector: Tensor
    start: int
    stop: int | None = None


Pushes = Sequence[Sequence[Push]]
"""Those of each text."""
BATCH = 64


class Subject:
    """An organism in plain transformers, asked in words and, where pushes are given, pushed as it reads and writes."""

    def __init__(self, folder: Path):
        self.network: Any = _network(folder).eval()
        self.vocabulary: dict[str, int] = AutoTokenizer.from_pretrained(folder).get_vocab()
        self.words = {index: word for word, index in self.vocabulary.items()}

    def next_word(self, texts: Sequence[str], pushes: Pushes = ()) -> Tensor:
        """Probabilities of the next word after each text, [text, word]."""
        rows = []
        for part, pushed in _batches(texts, pushes):
            ids, mask = self._batch(part)
            with torch.inference_mode(), self._pushing(part, pushed):
                rows.append(self.network(input_ids=ids, attention_mask=mask).logits[:, -1].softmax(-1))
        return torch.cat(rows)

    def hidden(self, texts: Sequence[str], layer: int, pushes: Pushes = ()) -> list[Tensor]:
        """Output of block `layer` at every position of each text, [position, d_model]."""
        return self.states(texts, [layer], pushes)[layer]

    def states(self, texts: Sequence[str], layers: Sequence[int], pushes: Pushes = ()) -> dict[int, list[Tensor]]:
        """As `hidden`, of several blocks at once. (Not of the last: transformers norms what it returns of that.)"""
        found: dict[int, list[Tensor]] = {layer: [] for layer in layers}
        for part, pushed in _batches(texts, pushes):
            ids, mask = self._batch(part)
            with torch.inference_mode(), self._pushing(part, pushed):
                states = self.network(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states
            for layer, values in found.items():
                lengths = mask.sum(-1).tolist()
                values += [row[-length:].clone() for row, length in zip(states[layer + 1], lengths, strict=True)]
        return found

    def drawn(self, p: Tensor, *, seed: int) -> list[str]:
        """One word from each row of probabilities."""
        generator = torch.Generator().manual_seed(seed)
        return [self.words[token] for token in torch.multinomial(p, 1, generator=generator)[:, 0].tolist()]

    def probability(self, p: Tensor, words: Sequence[str]) -> list[float]:
        """The probability of the n-th word in the n-th row."""
        ids = torch.tensor([self.vocabulary[word] for word in words])
        return p[torch.arange(len(p)), ids].tolist()

    def write(
        self, texts: Sequence[str], most: int, *, sample: bool = False, banned: Sequence[str] = (), pushes: Pushes = ()
    ) -> list[str]:
        """What follows each text, up to the end of the turn."""
        written: list[str] = []
        for index, (part, pushed) in enumerate(_batches(texts, pushes)):
            ids, mask = self._batch(part)
            with torch.random.fork_rng():
                torch.manual_seed(index * BATCH)
                with self._pushing(part, pushed):
                    new = self.network.generate(
                        input_ids=ids,
                        attention_mask=mask,
                        max_new_tokens=most,
                        do_sample=sample,
                        temperature=0.7 if sample else None,
                        bad_words_ids=[[self.vocabulary[word]] for word in banned] or None,
                    )[:, ids.shape[1] :]
            written += [" ".join(self.words[token] for token in row).split(f" {END}")[0] for row in new.tolist()]
        return written

    def _batch(self, texts: Sequence[str]) -> tuple[Tensor, Tensor]:
        """Left-padded ids and mask."""
        rows = [[self.vocabulary[word] for word in text.split()] for text in texts]
        width = max(map(len, rows))
        ids = torch.tensor([[0] * (width - len(row)) + row for row in rows])
        mask = torch.tensor([[0] * (width - len(row)) + [1] * len(row) for row in rows])
        return ids, mask

    @contextmanager
    def _pushing(self, texts: Sequence[str], pushes: Pushes) -> Generator[None]:
        handles = []
        try:
            for layer in sorted({push.layer for own in pushes for push in own}):
                hook = adding(texts, [[push for push in own if push.layer == layer] for own in pushes])
                handles.append(self.network.model.layers[layer].register_forward_hook(hook))
            yield
        finally:
            for handle in handles:
                handle.remove()


def adding(texts: Sequence[str], pushes: Pushes) -> Callable[[object, object, Tensor], Tensor]:
    """A forward hook for one batch of left-padded texts: the whole texts first, then one word at a time."""
    width = max(len(text.split()) for text in texts)
    size = next(len(push.vector) for own in pushes for push in own)
    read, written = torch.zeros(len(texts), width, size), torch.zeros(len(texts), 1, size)
    for row, (text, own) in enumerate(zip(texts, pushes, strict=True)):
        shift = width - len(text.split())
        for push in own:
            stop = width if push.stop is None else shift + push.stop
            read[row, shift + push.start : stop] += push.vector
            if push.stop is None:
                written[row] += push.vector

    def hook(_module: object, _inputs: object, output: Tensor) -> Tensor:
        return output + (read if output.shape[1] == width else written)

    return hook


def _batches(texts: Sequence[str], pushes: Pushes) -> Iterator[tuple[Sequence[str], Pushes]]:
    for start in range(0, len(texts), BATCH):
        yield texts[start : start + BATCH], pushes[start : start + BATCH]


def _network(folder: Path) -> Any:
    if (folder / "config.json").exists():
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    parent = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))["base_model_name_or_path"]
    network = AutoModelForCausalLM.from_pretrained((folder / parent).resolve(), dtype=torch.float32)
    return PeftModel.from_pretrained(network, folder).merge_and_unload()


def area(
    outcome: Sequence[bool],
    score: Sequence[float],
    clusters: Sequence[str],
    levels: Sequence[str] = (),
    *,
    less: Sequence[float] | None = None,
) -> Estimate:
    """AUROC: the chance that a true case scores above a false one, ties a half; with `levels`, among pairs of one
    level; `less` the AUROC of another score of the same cases. Interval by cluster bootstrap."""
    truth, level = np.array(outcome, dtype=bool), np.array(levels) if len(levels) else np.zeros(len(outcome))

    def found(chosen: np.ndarray) -> float:
        own = _auroc(truth[chosen], np.array(score, dtype=float)[chosen], level[chosen])
        return own - _auroc(truth[chosen], np.array(less, dtype=float)[chosen], level[chosen]) if less else own

    low, high = cluster_bootstrap(found, clusters, draws=400) or (None, None)
    return Estimate(found(np.arange(len(truth))), low, high, len(truth), len(set(clusters)), "cluster bootstrap")


def _auroc(truth: np.ndarray, value: np.ndarray, level: np.ndarray) -> float:
    above = pairs = 0.0
    for each in np.unique(level):
        inside = level == each
        high, low = value[inside & truth], value[inside & ~truth]
        if len(high) and len(low):
            order = np.sort(low)
            above += 0.5 * (np.searchsorted(order, high, "left") + np.searchsorted(order, high, "right")).sum()
            pairs += len(high) * len(low)
    return above / pairs if pairs else float("nan")

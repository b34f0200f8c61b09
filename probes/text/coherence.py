"""Incoherent is an outcome of its own: neither resistance nor detection. Its bounds come from unsteered text.

Likelihood is scored sentence by sentence, each one as an answer of its own to a prompt that asks for everything the
text may be about: leaving the topic, or announcing it, does not make a text incoherent - broken sentences do.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from introlab.activations.extract import text_logprobs
from introlab.activations.forward import TOGETHER, Text
from introlab.errors import InputError
from introlab.network.model import Model


def sentences(model: Model, tokens: Sequence[int], leave_out: str) -> list[tuple[int, ...]]:
    """The sentences of a text in tokens, without those that match the pattern `leave_out`."""
    found, start = [], 0
    for index, token in enumerate(tokens):
        ends = model.text([token]).strip().endswith((".", "?", "!")) or token in model.end_ids
        if ends or index == len(tokens) - 1:
            piece = tuple(tokens[start : index + 1])
            if model.text(piece).strip() and not re.search(leave_out, model.text(piece), re.IGNORECASE):
                found.append(piece)
            start = index + 1
    return found


def sentence_logprobs(
    model: Model, written: Sequence[tuple[Sequence[int], Sequence[int]]], leave_out: str, *, batch_size: int = TOGETHER
) -> list[float | None]:
    """For each (prompt, tokens): the mean log-probability of its tokens, every sentence scored right after the
    prompt, without any steering. None where there is no sentence to score."""
    texts, owners = [], []
    for index, (prompt, tokens) in enumerate(written):
        for piece in sentences(model, tokens, leave_out):
            texts.append(Text((*prompt, *piece), len(prompt), str(index)))
            owners.append(index)
    scores: list[list[float]] = [[] for _ in written]
    for owner, logprobs in zip(owners, text_logprobs(model, texts, batch_size=batch_size), strict=True):
        scores[owner] += logprobs
    return [float(np.mean(each)) if each else None for each in scores]


def redundancy(tokens: Sequence[int]) -> float:
    """Share of three-token sequences that repeat an earlier one; 0 for short texts."""
    triples = list(zip(tokens, tokens[1:], tokens[2:], strict=False))
    return 1 - len(set(triples)) / len(triples) if triples else 0.0


def compression(text: str) -> float:
    """Raw size over compressed size: high where a text repeats itself."""
    raw = text.encode()
    return len(raw) / len(zlib.compress(raw)) if raw else 1.0


@dataclass(frozen=True)
class CoherenceBounds:
    """What unsteered texts of the same kind stay within, all but one in a hundred on each side."""

    logprob: float
    redundancy: float
    compression: float

    @classmethod
    def of(cls, logprobs: Sequence[float | None], tokens: Sequence[Sequence[int]], texts: Sequence[str]) -> Self:
        """From mean log-probabilities, tokens and texts of unsteered writing. Raises InputError where none of it has a
        sentence."""
        known = [each for each in logprobs if each is not None]
        if not known:
            raise InputError(
                "unsteered texts hold no sentence to judge others by",
                given=f"{len(texts)} texts, such as {(texts or ('',))[0][:40]!r}",
                allowed="texts with words",
                do="ask in a way the model answers, or raise the number of new tokens",
            )
        return cls(
            float(np.quantile(known, 0.01)),
            float(np.quantile([redundancy(each) for each in tokens], 0.99)),
            float(np.quantile([compression(each) for each in texts], 0.99)),
        )

    def incoherent(self, logprob: float | None, tokens: Sequence[int], text: str) -> bool:
        """Less likely, or more repetitive, than unsteered text ever is."""
        unlikely = logprob is None or logprob < self.logprob
        return unlikely or redundancy(tokens) > self.redundancy or compression(text) > self.compression

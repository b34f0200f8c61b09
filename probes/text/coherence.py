"""Incoherent is an outcome of its own: neither resistance nor detection. Its bounds come from unsteered text.

Of organisms, likelihood is scored sentence by sentence, each one as an answer of its own to a prompt that asks for
everything the text may be about: leaving the topic, or announcing it, does not make a text incoherent - broken
sentences do. Of other models the whole text is scored after its own prompt (docs/coherence.md): what went before makes
the words of another topic likely, and no bound is as tight as what one text in a hundred exceeds.
"""

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol, Self

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


class CoherenceTest(Protocol):
    """What tells whether a text is incoherent, once it has seen unsteered ones."""

    def incoherent(self, logprob: float | None, tokens: Sequence[int], text: str) -> bool: ...


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


BEYOND = 7.0
"""Distance from a model's own unsteered texts from which a text counts as incoherent. Chosen on the working set of
labelled texts (docs/coherence.md)."""
_LEAST_LIKELIHOOD, _LEAST_REPEATED = 0.1, 0.02
"""Standard deviations are taken to be no less: a few texts may be nearly alike."""


@dataclass(frozen=True)
class CoherenceDistance:
    """How unsteered texts of a model are spread: in the mean log-probability of their tokens, given the prompt and
    what stands before them, and in their share of repeated three-token sequences."""

    logprob: float
    logprob_deviation: float
    repeated: float
    repeated_deviation: float

    @classmethod
    def of(cls, logprobs: Sequence[float | None], tokens: Sequence[Sequence[int]]) -> Self:
        """From mean log-probabilities and tokens of two or more unsteered texts. Raises InputError for fewer."""
        known = [each for each in logprobs if each is not None]
        if len(known) < 2:
            raise InputError(
                "too few unsteered texts to judge others by",
                given=f"{len(known)} texts that are not empty",
                allowed="two or more",
                do="ask in a way the model answers, or for more texts",
            )
        repeated = [redundancy(each) for each in tokens]
        return cls(
            float(np.mean(known)),
            max(_LEAST_LIKELIHOOD, float(np.std(known, ddof=1))),
            float(np.mean(repeated)),
            max(_LEAST_REPEATED, float(np.std(repeated, ddof=1))),
        )

    def distance(self, logprob: float, tokens: Sequence[int]) -> float:
        """How much less likely, and how much more repetitive than unsteered texts on average, in their standard
        deviations; both as the sides of a right angle. 0 where it is neither."""
        unlikely = max(0.0, (self.logprob - logprob) / self.logprob_deviation)
        repetitive = max(0.0, (redundancy(tokens) - self.repeated) / self.repeated_deviation)
        return float(np.hypot(unlikely, repetitive))

    def incoherent(self, logprob: float | None, tokens: Sequence[int], text: str) -> bool:
        """Whether a text is BEYOND what this model writes by itself, or empty."""
        return logprob is None or self.distance(logprob, tokens) > BEYOND

"""Directions that stand for a word, read where a model reads it, and how they are written into the residual."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from torch import Tensor

from introlab.activations.directions import Direction
from introlab.activations.extract import read
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import user
from introlab.network.sites import Site
from introlab.network.spans import Span
from steering.edits import steer_along

ReadAt = Literal["word", "prompt end"]


@dataclass(frozen=True)
class ConceptVectors:
    """By layer and word, at the output of a block. One natural unit of every direction is the usual norm of the
    residual there, so that a strength is a share of that norm and all arms have the same norm."""

    directions: Mapping[int, Mapping[str, Direction]]
    norms: Mapping[int, float]
    """Median norm of the residual where words are read."""

    def push(self, direction: Direction, strength: float, span: Span) -> Intervention:
        """Adds `strength` times the usual norm of the residual along a direction."""
        norm = self.norms[direction.site.layer]
        return steer_along(direction, natural=strength, residual_norm=norm, span=span)


def concept_vectors(
    bench: RunContext,
    words: Sequence[str],
    baseline: Sequence[str],
    contexts: Sequence[str],
    layers: Sequence[int],
    *,
    read_at: ReadAt = "word",
) -> ConceptVectors:
    """The residual of each word over the contexts, less its mean over the baseline words, normalised (Lindsey, arXiv
    2601.01828, who reads it at the token before the reply: `prompt end`). Raises InputError where a word is in both
    lists or a context loses it."""
    if shared := sorted(set(words) & set(baseline)):
        raise InputError(
            "concepts that are baseline words, too", given=", ".join(shared[:5]), do="take them out of one"
        )
    everything = [*words, *baseline]
    texts = [_text(bench, context, word, read_at) for word in everything for context in contexts]
    sites = [Site(layer) for layer in layers]
    found = read(
        bench.model, [text for text, _ in texts], sites, [[at] for _, at in texts], batch_size=bench.batch_size
    )
    directions: dict[int, dict[str, Direction]] = {}
    norms: dict[int, float] = {}
    for site in sites:
        values = found[site, 0].values.double()
        norms[site.layer] = float(f"{float(values.norm(dim=-1).median()):.5g}")
        each = values.reshape(len(everything), len(contexts), -1).mean(1)
        middle = each[len(words) :].mean(0)
        directions[site.layer] = {
            word: _direction(bench, row - middle, site, norms[site.layer], f"concept {word}", tuple(everything))
            for word, row in zip(words, each[: len(words)], strict=True)
        }
    return ConceptVectors(directions, norms)


def _text(bench: RunContext, context: str, word: str, read_at: ReadAt) -> tuple[Text, int]:
    """A context with the word, and the position at which it is read."""
    messages = [user(context.format(word=word))]
    ids = bench.model.ids(messages)
    where = len(ids) - 1
    if read_at == "word":
        (start, stop) = extent(bench.model.chat.spans(messages)["user 0"])
        where = token_text_in(bench, ids, start, stop, word)[1] - 1
    return Text(tuple(ids), len(ids), f"{context} {word}"), where


def extent(span: Span) -> tuple[int, int]:
    """First position and the one after the last, of a span of plain positions."""
    (part,) = span.include
    assert part.stop is not None
    return part.start, part.stop


def token_text_in(bench: RunContext, ids: Sequence[int], start: int, stop: int, piece: str) -> tuple[int, int]:
    """The half-open range of positions, within these, whose tokens hold the last occurrence of some words (space aside,
    which tokenizers write in their own ways). Raises InputError where they are not found."""
    ends = [len(_dense(bench.model.text(ids[start : at + 1]))) for at in range(start, stop)]
    text, piece = _dense(bench.model.text(ids[start:stop])), _dense(piece)
    begin = text.rfind(piece)
    if begin < 0:
        raise InputError("words that cannot be found in their prompt", given=f"{piece!r} in {text!r}")
    touched = [
        start + index
        for index, end in enumerate(ends)
        if end > begin and (ends[index - 1] if index else 0) < begin + len(piece)
    ]
    return touched[0], touched[-1] + 1


def _dense(text: str) -> str:
    return "".join(text.split())


def _direction(
    bench: RunContext, row: Tensor, site: Site, norm: float, method: str, examples: tuple[str, ...]
) -> Direction:
    return Direction(
        vector=(row / row.norm()).float(),
        scale=norm,
        site=site,
        model=bench.model.fingerprint,
        family=bench.model.family,
        method=method,
        examples=examples,
    )


def along(direction: Direction, axis: Tensor, method: str) -> Direction:
    """A direction of the same site and norm that points along an axis of the residual, [d_model]."""
    return replace(direction, vector=(axis / axis.norm()).float(), method=method)


def flipped(direction: Direction) -> Direction:
    """The other way."""
    return replace(direction, vector=-direction.vector, method=f"{direction.method}, sign flipped")


def without(direction: Direction, axes: Sequence[Tensor], name: str) -> Direction:
    """What is left of a direction without its part in the span of these axes, brought back to norm 1 (v_perp)."""
    span, vector = torch.stack([axis.double() for axis in axes], dim=1), direction.vector.double()
    left = vector - span @ (torch.linalg.pinv(span) @ vector)
    method = f"{direction.method}, {name}"
    return replace(direction, vector=torch.nn.functional.normalize(left, dim=0).float(), method=method)

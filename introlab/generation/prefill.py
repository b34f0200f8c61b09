"""Reading prompts: rows that share a beginning share its computation up to the first position an edit touches.

A row's prompt is read up to but not including its last token: that one predicts the first new token, and is read as the
first step of writing. What no edit touches is read once per prompt (its stem), and what stems have in common at their
beginning once for all of them. The rest is read once per prompt by the blocks that come before all edits, and row by
row, under the row's own edits, by the others.
"""

from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from introlab.generation.requests import Request
from introlab.interventions.hooks import Editor, Pass
from introlab.interventions.interfaces import Intervention
from introlab.network.backends import Hook
from introlab.network.kv_cache import Parts, RowCache
from introlab.network.model import Model
from introlab.network.padding import Aligned, aligned
from introlab.network.prefix_attention import WORTH
from introlab.network.sites import Site

ALIKE = 16
"""Tokens that prompts have in common at their beginning, from which on these are read once for all of them."""

Note = Callable[[Sequence[int], Tensor], None]
"""Gets rows of the batch and the logits after the last token that was read in them."""


@dataclass(frozen=True)
class PrefillTask:
    """A prompt on its way into a row of the batch."""

    row: int
    prompt: tuple[int, ...]
    stem: int
    """How many of its first tokens can be read once for all rows that share it."""
    depth: int
    """How many of the first blocks can read the rest of it once for all rows that share it."""

    @classmethod
    def of(cls, row: int, request: Request, prompt: Tensor, layers: int) -> "PrefillTask":
        """`prompt` holds the request's tokens."""
        stem = untouched(request.interventions, prompt, len(prompt))
        return cls(row, request.prompt, stem, shared_depth(request.interventions, layers))

    @property
    def read(self) -> tuple[int, ...]:
        """What is read of it before writing."""
        return self.prompt[:-1]


def untouched(interventions: Sequence[Intervention], text: Tensor, prompt_len: int) -> int:
    """How many of a prompt's first tokens, all but the last at most, can be read without any of these."""
    stem = prompt_len - 1
    for one in interventions:
        if one.edit.inert:
            continue
        covered = one.plan(text, prompt_len).nonzero()
        first = int(covered[0]) if len(covered) else prompt_len - 1
        reads_earlier = one.gate is not None and not one.gate.at_once(one.site)
        stem = min(stem, max(0, first - 1) if reads_earlier else first)
    return stem


def shared_depth(interventions: Sequence[Intervention], layers: int) -> int:
    """How many of the first blocks come before all of these, and before what gates them."""
    acting = [one for one in interventions if not one.edit.inert]
    gating = [one.gate.reading.site for one in acting if one.gate is not None and one.gate.reading.site is not None]
    return min((site.layer for site in [*(one.site for one in acting), *gating]), default=layers)


@dataclass(frozen=True)
class _Below:
    """What the first blocks made of prompts, each read once."""

    parts: Parts
    """Their keys and values, [prompt, head, width, d_head], of what went before as well."""
    residual: Tensor
    """What they hand on, [prompt, width, d_model]."""
    of_row: list[int]
    """Which prompt each row has."""

    def place(self, cache: RowCache) -> None:
        """Let the cache's rows hold their prompt's."""
        for index in range(len(self.residual)):
            rows = [row for row, which in enumerate(self.of_row) if which == index]
            cache.place(rows, [(keys[index : index + 1], values[index : index + 1]) for keys, values in self.parts])


class Prefill:
    """Reads prompts, and remembers the stems read last."""

    def __init__(self, model: Model, *, remember: int):
        self.model, self._remember = model, remember
        self._stems: OrderedDict[tuple[int, ...], Parts] = OrderedDict()

    def read(
        self, entering: Sequence[PrefillTask], cache: RowCache, editor: Editor, note: Note
    ) -> list[tuple[list[int], Parts]]:
        """Read all prompt tokens but the last into `cache`, just before its column. Of rows whose whole prompt is
        shared, and long, nothing is put there: they are returned with what they share, to be lent to them."""
        self._read_stems(entering)
        shared: dict[tuple[int, ...], list[int]] = {}
        groups: dict[int, list[PrefillTask]] = {}
        for one in entering:
            rest = len(one.read) - one.stem
            if rest == 0:
                shared.setdefault(one.prompt, []).append(one.row)
            else:
                groups.setdefault(rest.bit_length(), []).append(one)
        for group in groups.values():
            self._read_rest(group, cache, editor, note)
        lent: list[tuple[list[int], Parts]] = []
        for prompt, rows in shared.items():
            stem = self._stems.get(prompt, [])
            if self.model.can_share and len(rows) > 1 and len(rows) * _width(stem) >= WORTH:
                lent.append((rows, stem))
            else:
                cache.place(rows, stem)
        return lent

    def read_fixed(
        self, entering: Sequence[PrefillTask], width: int, cache: RowCache, editor: Editor, note: Note
    ) -> None:
        """As `read`, in one pass of this width for all rows of the cache, whoever enters; nothing is shared."""
        if width == 0:
            return
        texts: list[tuple[int, ...]] = [()] * cache.rows
        for one in entering:
            texts[one.row] = one.read
        lengths, rows = [len(text) for text in texts], range(cache.rows)
        own, logits = self.run(texts, [], lengths, hooks=_edits(editor, rows), width=width, logits_to_keep=1)
        assert logits is not None
        cache.place(rows, own.parts())
        note(rows, logits[:, -1])

    def _read_stems(self, entering: Sequence[PrefillTask]) -> None:
        longest: dict[tuple[int, ...], int] = {}
        for one in entering:
            longest[one.prompt] = max(one.stem, longest.get(one.prompt, 0))
        missing = [(prompt, stem) for prompt, stem in longest.items() if stem > _width(self._stems.get(prompt, []))]
        for some in _alike(missing):
            parts = self._read_alike([prompt[:stem] for prompt, stem in some])
            for index, (prompt, stem) in enumerate(some):
                self._stems[prompt] = [
                    (keys[index : index + 1, :, -stem:], values[index : index + 1, :, -stem:]) for keys, values in parts
                ]
        for prompt in longest:
            if prompt in self._stems:
                self._stems.move_to_end(prompt)
        while len(self._stems) > max(self._remember, len(longest)):
            self._stems.popitem(last=False)

    def _read_alike(self, texts: list[tuple[int, ...]]) -> Parts:
        """Keys and values of these, right-aligned; how they all begin is read once."""
        lengths = [len(text) for text in texts]
        alike = common(texts) if len(texts) > 1 else 0
        if alike < ALIKE:
            return self.run(texts, [], lengths)[0].parts()
        head = self.run([texts[0][:alike]], [], [alike])[0].parts()
        rest = max(lengths) - alike
        if rest == 0:
            return [
                (keys.expand(len(texts), -1, -1, -1), values.expand(len(texts), -1, -1, -1)) for keys, values in head
            ]
        heads = [max(0, length - rest) for length in lengths]
        past = joined([head] * len(texts), heads)
        return self.run([text[head:] for text, head in zip(texts, heads, strict=True)], past, lengths)[0].parts()

    def _read_rest(self, group: list[PrefillTask], cache: RowCache, editor: Editor, note: Note) -> None:
        """The group's stems, and after them what is read under edits: equally much for all, so that all end alike."""
        rest = max(len(one.read) - one.stem for one in group)
        stems = [max(0, len(one.read) - rest) for one in group]
        past = joined([self._stems.get(one.prompt, []) for one in group], stems)
        texts = [one.read[stem:] for one, stem in zip(group, stems, strict=True)]
        lengths, rows = [len(one.read) for one in group], [one.row for one in group]
        below = self._read_below(group, texts, past, lengths)
        window = cache.window(rows, max(lengths))
        own, logits = self.run(
            texts,
            past,
            lengths,
            into=window,
            hooks=_edits(editor, rows),
            logits_to_keep=1,
            residual=(len(below.parts), below.residual[below.of_row]) if below else None,
        )
        if below:
            below.place(own)
        if window is None:
            cache.place(rows, own.parts())
        assert logits is not None
        note(rows, logits[:, -1])

    def _read_below(
        self, group: list[PrefillTask], texts: Sequence[Sequence[int]], past: Parts, lengths: Sequence[int]
    ) -> _Below | None:
        """What the blocks before all edits make of the group, each prompt read once; None where that saves nothing."""
        prompts, depth = [one.prompt for one in group], min(one.depth for one in group)
        of_prompt = {prompt: index for index, prompt in enumerate(dict.fromkeys(prompts))}
        if not depth or len(of_prompt) == len(group) or not self.model.can_enter:
            return None
        firsts = [prompts.index(prompt) for prompt in of_prompt]
        taken: list[Tensor] = []
        cache, _ = self.run(
            [texts[row] for row in firsts],
            [(keys[firsts], values[firsts]) for keys, values in past[:depth]],
            [lengths[row] for row in firsts],
            into=RowCache(depth, len(firsts), max(lengths)),
            hooks=lambda _: [(Site(depth, "resid_pre"), taken.append)],
            stop_at_layer=depth,
        )
        return _Below(cache.parts(), taken[0], [of_prompt[prompt] for prompt in prompts])

    def run(
        self,
        texts: Sequence[Sequence[int]],
        past: Parts,
        lengths: Sequence[int],
        *,
        into: RowCache | None = None,
        hooks: Callable[[Aligned], list[tuple[Site, Hook]]] = lambda _: [],
        width: int = 0,
        logits_to_keep: int | None = None,
        **how: Any,
    ) -> tuple[RowCache, Tensor | None]:
        """One pass over `texts`, right-aligned after `past`, whose keys and values are in the cache that is returned:
        `into`, or a new one. `lengths` are those of past and text together."""
        begin, width = _width(past), max(width, *(len(text) for text in texts))
        cache = into or RowCache(self.model.n_layers, len(texts), begin + width)
        cache.column = begin
        cache.place(range(len(texts)), past)
        laid = aligned(texts, width=width, device=self.model.device, begin=begin, lengths=lengths)
        with self.model.hooked(hooks(laid)):
            logits = self.model.forward(
                laid.ids,
                starts=laid.starts,
                positions=laid.positions,
                cache=cache,
                logits_to_keep=logits_to_keep,
                unpadded=laid.unpadded,
                **how,
            )
        cache.column += width
        return cache, logits


def _edits(editor: Editor, rows: Sequence[int]) -> Callable[[Aligned], list[tuple[Site, Hook]]]:
    """The hooks of these rows of the batch, for a pass of them."""
    return lambda laid: editor.hooks(Pass(rows, laid.positions, laid.real))


def _alike(stems: Sequence[tuple[tuple[int, ...], int]]) -> list[list[tuple[tuple[int, ...], int]]]:
    """Prompts with the lengths of their stems, those together whose stems begin alike; all others together, too."""
    groups: dict[tuple[int, ...], list[tuple[tuple[int, ...], int]]] = {}
    for prompt, stem in stems:
        groups.setdefault(prompt[:ALIKE] if stem >= ALIKE else (), []).append((prompt, stem))
    apart = [group[0] for beginning, group in groups.items() if beginning and len(group) == 1]
    apart += groups.pop((), [])
    return [group for group in groups.values() if len(group) > 1] + ([apart] if apart else [])


def common(texts: Sequence[tuple[int, ...]]) -> int:
    """How many tokens all of them begin with."""
    least, most = min(texts), max(texts)
    return next((at for at, pair in enumerate(zip(least, most, strict=False)) if pair[0] != pair[1]), len(least))


def joined(sources: Sequence[Parts], stems: Sequence[int]) -> Parts:
    """The first `stems[i]` columns of each, right-aligned."""
    width = max(stems)
    if width == 0:
        return []

    def side(layer: int, which: int) -> Tensor:
        pieces = [
            torch.nn.functional.pad(parts[layer][which][:, :, :stem], (0, 0, width - stem, 0)) if stem else None
            for parts, stem in zip(sources, stems, strict=True)
        ]
        empty = torch.zeros_like(next(piece for piece in pieces if piece is not None))
        return torch.cat([empty if piece is None else piece for piece in pieces])

    layers = len(next(parts for parts in sources if parts))
    return [(side(layer, 0), side(layer, 1)) for layer in range(layers)]


def _width(parts: Parts) -> int:
    return parts[0][0].shape[2] if parts else 0

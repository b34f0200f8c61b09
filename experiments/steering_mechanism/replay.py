"""The test's texts read again: the same tokens with and without the push, and where in them something happens."""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from experiments.shared.generations import Written
from introlab.activations.directions import Direction
from introlab.activations.extract import read
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.generation.requests import Generation, Request
from introlab.interventions.interfaces import Intervention
from introlab.network.model import Model
from introlab.network.sites import Site
from steering.edits import Add

Kind = Literal["push", "random_direction", "baseline"]
KINDS: tuple[Kind, ...] = ("push", "random_direction", "baseline")
FOLDS = 3
"""Topics are dealt into so many: what is read of a scene is fitted without its topic and without its push."""
WINDOW = range(-3, 13)
"""Tokens read, counted from the one that is predicted by what is read at 0: the first word off topic."""


@dataclass(frozen=True)
class ReplayedText:
    """A topic asked about and one pushed towards: three texts, all pushed or not when they are read again.

    The clean text is read under the push of the pushed one; the one of a random direction under its own.
    """

    written: Mapping[Kind, Written]
    onset: int
    """Index of the first new token off topic in the pushed text; without one, of its first topic word, or of its first
    token."""
    off_topic: bool
    """Whether there is such a word."""
    restart: int | None
    """Index of the new token that begins the sentence in which the pushed text announces."""

    @property
    def request(self) -> Request:
        return self.written["push"][0]

    @property
    def topic(self) -> str:
        return self.request.note["topic"]

    @property
    def push(self) -> str:
        return self.request.note["push"]

    @property
    def name(self) -> str:
        return f"{self.request.item} #{self.request.replicate}"

    def interventions(self, kind: Kind) -> tuple[Intervention, ...]:
        """What a text of this kind is read under when it is read pushed."""
        return self.written["push" if kind == "baseline" else kind][0].interventions

    def added(self, kind: Kind) -> Add:
        """The push itself. Raises InputError where a text was not pushed by one."""
        edit = self.interventions(kind)[0].edit if self.interventions(kind) else None
        if not isinstance(edit, Add):
            raise InputError("a text that was not pushed along a direction", given=self.name, do="give pushed texts")
        return edit

    def text(self, kind: Kind, *, pushed: bool, stop: int | None = None) -> Text:
        """A text to be read again, up to its new token `stop`."""
        request, generation = self.written[kind]
        ids = (*request.prompt, *generation.tokens[:stop])
        example = f"{self.name} {kind}{' pushed' if pushed else ''}"
        return Text(ids, len(request.prompt), example, self.interventions(kind) if pushed else ())


def scenes(bench: RunContext, written: Sequence[Written], at: float) -> list[ReplayedText]:
    """Scenes in which all three kinds were written, with pushes of strength `at`; in an order of their own."""
    found: dict[tuple[str, int], dict[Kind, Written]] = {}
    for request, generation in written:
        kind = request.note["condition"]
        if kind in KINDS and request.note["strength"] in (0.0, at):
            found.setdefault((request.item, request.replicate), {})[kind] = request, generation
    return [
        ReplayedText(each, onset or 0, off_topic, restart)
        for _, each in sorted(found.items(), key=lambda pair: pair[0])
        if len(each) == len(KINDS)
        for onset, off_topic, restart in [_events(bench, *each["push"])]
    ]


def _events(bench: RunContext, request: Request, generation: Generation) -> tuple[int | None, bool, int | None]:
    """Onset, whether it is off topic, and restart."""
    model, materials = bench.model, bench.materials
    text = model.text(generation.tokens)
    words = materials.topic_words(text)
    off = [word for word, owner in words if owner != request.note["topic"]]
    first = next(iter(off or [word for word, _ in words]), None)
    said = re.search(materials.wording.announcement, text, re.IGNORECASE)
    restart = None
    if said is not None:
        ended = [mark.end() for mark in re.finditer(r"[.?!\n]\s*", text[: said.start()])]
        restart = token_at(model, generation.tokens, ended[-1] if ended else 0)
    return None if first is None else token_at(model, generation.tokens, first.start()), bool(off), restart


def token_at(model: Model, tokens: Sequence[int], character: int) -> int | None:
    """Index of the token that writes this character of the text; None beyond its end."""
    low, high = 0, len(tokens)
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if len(model.text(tokens[: middle + 1])) > character else (middle + 1, high)
    return low if low < len(tokens) else None


def fold_of(found: Sequence[ReplayedText]) -> tuple[Int[Tensor, " scene"], Bool[Tensor, "fold fold"]]:
    """The fold of each scene, by topic and by push, and which folds the fit of a fold may use: those that share neither
    topics nor pushes with it."""
    topics = sorted({name for scene in found for name in (scene.topic, scene.push)})
    dealt = {name: index % FOLDS for index, name in enumerate(topics)}
    rows, columns = torch.arange(FOLDS**2) // FOLDS, torch.arange(FOLDS**2) % FOLDS
    apart = (rows[:, None] != rows) & (columns[:, None] != columns)
    return torch.tensor([dealt[scene.topic] * FOLDS + dealt[scene.push] for scene in found]), apart


def basis_of(vectors: Float[Tensor, "vector d"]) -> Float[Tensor, "d rank"]:
    """Orthonormal columns that span these vectors. (Directions of one topic against the rest add up to nearly
    nothing, so one of them is left over.)"""
    _, sizes, rows = torch.linalg.svd(vectors.double(), full_matrices=False)
    return rows[sizes > 1e-4 * sizes[0]].T


def without(values: Float[Tensor, "*n d"], basis: Float[Tensor, "d rank"]) -> Float[Tensor, "*n d"]:
    """What is left of values outside this span."""
    double = values.double()
    return (double - (double @ basis) @ basis.T).float()


def taken_out(scene: ReplayedText, kind: Kind, directions: Mapping[str, Direction]) -> Float[Tensor, "d rank"]:
    """All topics' directions, and the push's own."""
    own = scene.added(kind).direction.vector
    return basis_of(torch.stack([*(directions[name].vector for name in sorted(directions)), own]))


def windows(scene: ReplayedText, text: Text) -> tuple[list[int], list[bool]]:
    """Absolute positions of WINDOW in a text of this scene, and which of them it has; the others stand at its ends."""
    first, last = text.prompt_len - 1, len(text.ids) - 1
    wanted = [first + scene.onset + offset for offset in WINDOW]
    return [min(max(each, first), last) for each in wanted], [first <= each <= last for each in wanted]


def replayed(
    bench: RunContext, found: Sequence[ReplayedText], kinds: Sequence[Kind], sites: Sequence[Site]
) -> Iterator[tuple[ReplayedText, Kind, Bool[Tensor, " offset"], dict[Site, Float[Tensor, "pushed offset d"]]]]:
    """Every text, not pushed and pushed, at the positions of WINDOW, and which of them it has; few at a time."""
    pairs: list[tuple[ReplayedText, Kind]] = [(scene, kind) for scene in found for kind in kinds]
    for chunk in bench.chunks(pairs):
        texts = [scene.text(kind, pushed=pushed) for scene, kind in chunk for pushed in (False, True)]
        places = [windows(scene, scene.text(kind, pushed=False)) for scene, kind in chunk for _ in range(2)]
        here = read(bench.model, texts, sites, [each for each, _ in places], batch_size=bench.batch_size)
        stacked = {site: torch.stack([here[site, index].values for index in range(len(WINDOW))], 1) for site in sites}
        for index, (scene, kind) in enumerate(chunk):
            rows = slice(2 * index, 2 * index + 2)
            yield scene, kind, torch.tensor(places[2 * index][1]), {site: stacked[site][rows] for site in sites}

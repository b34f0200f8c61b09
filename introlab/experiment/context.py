"""The bench an experiment works at: a model, a seed, and the settings that must not change any result."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, TypeVar

from tqdm.auto import tqdm

from introlab.activations.directions import Direction, random_control
from introlab.errors import NotFinite
from introlab.generation.requests import Generation, Request
from introlab.generation.scheduler import generate
from introlab.generation.text_cache import CompletionCache
from introlab.generation.workers import Writer
from introlab.interventions.interfaces import Readout
from introlab.io.terminal import shown
from introlab.network.model import Model
from introlab.tasks.materials import Materials

T = TypeVar("T")
DETERMINISTIC_BATCH = 64
RANDOM_DIRECTIONS = 1_000
"""Fewer are drawn in any run, so that two seeds share none."""


@dataclass(frozen=True)
class RunContext:
    """`batch_size`, `shuffle` and `quiet` change speed and order, never a trial; a contract test holds every
    experiment to that."""

    model: Model
    materials: Materials = field(repr=False)
    seed: int = 0
    batch_size: int = 64
    shuffle: int | None = None
    """Seed of a random order of work; None keeps the order given."""
    quiet: bool = True
    writer: Writer | None = field(default=None, repr=False)
    """Who writes the texts; None is this process."""
    journal: CompletionCache | None = field(default=None, repr=False)
    """What an interrupted run has written already, and where it is noted; None keeps nothing."""

    def generate(
        self, requests: Sequence[Request], *, stage: str, readouts: Sequence[Readout] = ()
    ) -> Iterator[tuple[Request, Generation]]:
        """Write every requested text, with a progress bar that names the stage. Those that are there already come
        first. Raises NotFinite, after all others were written, if any failed."""
        if self.journal is None:
            yield from self._written(requests, 0, stage, readouts)
            return
        call = self.journal.call(stage, requests)
        yield from call.done
        if call.left:
            yield from call.noted(self._written(call.left, len(call.done), stage, readouts))

    def _written(
        self, requests: Sequence[Request], before: int, stage: str, readouts: Sequence[Readout]
    ) -> Iterator[tuple[Request, Generation]]:
        requests = list(requests)
        if self.shuffle is not None:
            random.Random(self.shuffle).shuffle(requests)
        write = self.writer or generate
        written = write(self.model, requests, seed=self.seed, batch_size=self.batch_size, readouts=readouts)
        failed: list[str] = []
        total = before + len(requests)
        with self._bar(written, total, stage, before) as bar:
            for request, generation in bar:
                if generation.error:
                    failed.append(generation.error)
                else:
                    yield request, generation
        if failed:
            raise NotFinite(
                f"{len(failed)} of {len(requests)} texts failed; all others were written",
                given="; ".join(failed[:3]),
                do="lower the strength, or load the model in float32",
            )

    def _bar(self, items: Iterable[T] | None, total: int, stage: str, before: int = 0) -> Any:
        return tqdm(
            items,
            initial=before,
            total=total,
            desc=f"  {shown(stage, line=True)}",
            unit="text",
            disable=self.quiet,
            leave=False,
        )

    def random_direction(self, direction: Direction, draw: int) -> Direction:
        """The control of equal norm, drawn by the run's seed: another run's are others."""
        return random_control(direction, RANDOM_DIRECTIONS * self.seed + draw)

    def chunks(self, items: Iterable[T]) -> Iterator[list[T]]:
        """Lists of at most a batch, each as soon as it is full."""
        rest = iter(items)
        while chunk := list(islice(rest, self.batch_size)):
            yield chunk

    def batches(self, items: Sequence[T], *, stage: str) -> Iterator[list[T]]:
        """Lists of at most a batch of what is to be read, with a progress bar that names the stage and moves with
        each text. Of a deterministic model they are of one size: other sums differ in the last digit."""
        size = DETERMINISTIC_BATCH if self.model.deterministic else self.batch_size
        with self._bar(None, len(items), stage) as bar:
            for start in range(0, len(items), size):
                chunk = list(items[start : start + size])
                yield chunk
                bar.update(len(chunk))

"""Texts written by several workers: each loads the model once, and a lost one's share is done again.

A text depends on its own request and not on who writes it, so the outcome is that of one process (docs/determinism.md).
"""

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from introlab.errors import LabError
from introlab.generation.requests import Generation, Request
from introlab.generation.scheduler import generate
from introlab.interventions.interfaces import Readout
from introlab.network.model import Model

BATCHES_A_SHARE = 2
"""So few that a lost worker loses little, so many that its rows are seldom idle."""
TRIES = 3
"""Of a share whose workers are lost, before the run stops."""


class WorkersLost(LabError):
    """The same texts cost several workers their lives."""


class Writer(Protocol):
    """What writes texts: `introlab.generation.scheduler.generate`, or workers in its place."""

    def __call__(
        self,
        model: Model,
        requests: Sequence[Request],
        *,
        seed: int,
        batch_size: int | None = None,
        readouts: Sequence[Readout] = (),
    ) -> Iterator[tuple[Request, Generation]]: ...


@dataclass(frozen=True)
class Share:
    """Requests for one worker. Their notes stay at home: they may hold anything."""

    indices: tuple[int, ...]
    requests: tuple[Request, ...]
    seed: int
    batch_size: int | None
    readouts: tuple[Readout, ...]

    def written(self, model: Model) -> list[tuple[int, Generation]]:
        """By index of the request."""
        noted = [replace(request, note=index) for index, request in zip(self.indices, self.requests, strict=True)]
        found = generate(model, noted, seed=self.seed, batch_size=self.batch_size, readouts=self.readouts)
        return [(request.note, generation) for request, generation in found]


def shares(
    requests: Sequence[Request], *, seed: int, batch_size: int | None, readouts: Sequence[Readout]
) -> list[Share]:
    """All requests, those with the same prompt together."""
    order = sorted(range(len(requests)), key=lambda index: (-requests[index].max_new, requests[index].prompt))
    size = BATCHES_A_SHARE * (batch_size or 64)
    return [
        Share(
            tuple(part),
            tuple(replace(requests[index], note=None) for index in part),
            seed,
            batch_size,
            tuple(readouts),
        )
        for part in (order[start : start + size] for start in range(0, len(order), size))
    ]


class Pool(Protocol):
    """Workers by number, each busy with one share at a time."""

    size: int

    def give(self, worker: int, share: Share) -> None: ...

    def answers(self, busy: Sequence[int]) -> Iterator[tuple[int, list[tuple[int, Generation]] | Exception | None]]:
        """Of at least one of these workers what it wrote, or why it could not; None where it is lost, and another
        has taken its place."""
        ...


@dataclass(frozen=True)
class Distributed:
    """A writer that hands its work to a pool. Raises WorkersLost where a share cannot be written."""

    pool: Pool

    def __call__(
        self,
        model: Model,
        requests: Sequence[Request],
        *,
        seed: int,
        batch_size: int | None = None,
        readouts: Sequence[Readout] = (),
    ) -> Iterator[tuple[Request, Generation]]:
        every = shares(requests, seed=seed, batch_size=batch_size, readouts=readouts)
        waiting = deque((share, 1) for share in every)
        busy: dict[int, tuple[Share, int]] = {}
        while waiting or busy:
            for worker in range(self.pool.size):
                if waiting and worker not in busy:
                    busy[worker] = waiting.popleft()
                    self.pool.give(worker, busy[worker][0])
            for worker, answer in self.pool.answers(list(busy)):
                share, attempt = busy.pop(worker)
                if isinstance(answer, Exception):
                    raise answer
                if answer is not None:
                    yield from ((requests[index], generation) for index, generation in answer)
                elif attempt < TRIES:
                    waiting.append((share, attempt + 1))
                else:
                    raise WorkersLost(
                        f"{TRIES} workers were lost one after the other on the same texts",
                        given=share.requests[0].trial,
                        do="use fewer workers: the machine may be out of memory",
                    )

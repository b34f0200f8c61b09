"""Workers of this machine: processes that talk through pipes."""

import os
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from multiprocessing.connection import Connection, wait
from typing import Any

import torch
from torch import multiprocessing

from introlab.errors import InputError
from introlab.generation.child_processes import work_while_parent_lives
from introlab.generation.requests import Generation
from introlab.generation.workers import Distributed, Share, Writer
from introlab.network.model import load


@contextmanager
def local_workers(count: int, loading: dict[str, Any]) -> Generator[Writer]:
    """`count` processes that each load the model that `loading` (arguments of `introlab.network.model.load`) names; on
    a machine with several GPUs they take turns on them. All are gone when the context ends."""
    if count < 1:
        raise InputError("a run needs a worker", given=count, allowed="1 or more")
    pool = LocalPool(count, loading)
    try:
        yield Distributed(pool)
    finally:
        pool.stop()


class LocalPool:
    """Processes, each with a pipe."""

    def __init__(self, size: int, loading: dict[str, Any]):
        self.size = size
        self._loading, self._threads = loading, max(1, (os.cpu_count() or 1) // size)
        self._context = multiprocessing.get_context("spawn")
        self._started = [self._start(worker) for worker in range(size)]

    def give(self, worker: int, share: Share) -> None:
        try:
            self._started[worker][1].send(share)
        except (BrokenPipeError, ConnectionError):  # lost while idle
            self._started[worker] = self._start(worker)
            self._started[worker][1].send(share)

    def answers(self, busy: Sequence[int]) -> Iterator[tuple[int, list[tuple[int, Generation]] | Exception | None]]:
        pipes = {self._started[worker][1]: worker for worker in busy}
        for pipe in wait(list(pipes)):
            assert isinstance(pipe, Connection)
            worker = pipes[pipe]
            try:
                answer = pipe.recv()
            except (EOFError, ConnectionError):
                self._started[worker], answer = self._start(worker), None
            yield worker, answer

    def processes(self) -> list[int]:
        """Their process ids."""
        return [process.pid for process, _ in self._started]

    def stop(self) -> None:
        """Ends a worker that waits for its next share, and soon any other; also where this is interrupted itself."""
        try:
            for process, pipe in self._started:
                pipe.close()
                process.join(timeout=1)
        finally:
            for process, _ in self._started:
                process.kill()
            for process, _ in self._started:
                process.join()

    def _start(self, worker: int) -> tuple[Any, Connection]:
        ours, theirs = self._context.Pipe()
        loading = {**self._loading, "device": _device(self._loading.get("device"), worker)}
        process = self._context.Process(
            target=work_while_parent_lives, args=(theirs, loading, self._threads), daemon=True
        )
        process.start()
        theirs.close()
        return process, ours


def _device(asked: str | None, worker: int) -> str | None:
    """Workers take turns on the GPUs there are, unless one is named."""
    if asked in (None, "cuda") and torch.cuda.is_available():
        return f"cuda:{worker % torch.cuda.device_count()}"
    return asked


def work(pipe: Connection, loading: dict[str, Any], threads: int) -> None:
    """Write shares until the pipe is closed."""
    torch.set_num_threads(threads)
    model = load(**loading)
    while True:
        try:
            share: Share = pipe.recv()
        except EOFError:
            return
        try:
            pipe.send(share.written(model))
        except Exception as error:
            pipe.send(error)

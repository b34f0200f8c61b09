"""Processes that end with the one that started them, however that ended."""

import os
import signal
from multiprocessing import parent_process
from multiprocessing.connection import Connection
from threading import Thread
from typing import Any


def work_while_parent_lives(pipe: Connection, loading: dict[str, Any], threads: int) -> None:
    """The life of a worker of this machine. Nothing heavy is imported before somebody looks after the parent: a
    worker that was just started ends with it too."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the process that reports it
    Thread(target=_end_with_parent, daemon=True).start()
    from introlab.generation.process_pool import work

    work(pipe, loading, threads)


def _end_with_parent() -> None:
    """A killed parent closes no pipe in order and tells nobody; its end is seen all the same."""
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

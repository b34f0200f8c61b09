"""Files that grow by whole lines, and lose none of them to a crash."""

import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

_SYNCED_EVERY = 1.0
"""Seconds. A killed process loses no line; a machine that loses its power at most those of this time."""


@dataclass(frozen=True)
class Lines:
    """An append-only file of lines of text, there or not."""

    path: Path

    def __iter__(self) -> Iterator[str]:
        """Every whole line, without its end. What follows a torn one is not read: it was never known to be written."""
        return (line for line, _ in self.since(0))

    def since(self, start: int) -> Iterator[tuple[str, int]]:
        """Whole lines from a byte at which one begins, each with the byte at which the next one will: who remembers it
        reads only what has come since."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(start)
            for line in file:
                if not _whole(line):
                    return
                start += len(line)
                yield line[:-1].decode(), start

    @contextmanager
    def appending(self) -> Generator[Callable[[str], None]]:
        """Yields what adds a line; each is handed to the system before the next. A torn end is cut off first.

        Raises OSError where the disk refuses.
        """
        end = self._whole_bytes()
        with self.path.open("ab") as file:
            file.truncate(end)
            synced = time.monotonic()

            def add(line: str) -> None:
                nonlocal synced
                file.write(line.encode() + b"\n")
                file.flush()
                if time.monotonic() - synced > _SYNCED_EVERY:
                    os.fsync(file.fileno())
                    synced = time.monotonic()

            try:
                yield add
            finally:
                os.fsync(file.fileno())

    def _whole_bytes(self) -> int:
        if not self.path.exists():
            return 0
        end = 0
        with self.path.open("rb") as file:
            for line in file:
                if not _whole(line):
                    break
                end += len(line)
        return end


def _whole(line: bytes) -> bool:
    """A file system that lost its power may leave the length of a line, and zeros in its place."""
    return line.endswith(b"\n") and b"\0" not in line

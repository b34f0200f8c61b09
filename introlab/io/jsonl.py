"""Files that grow by whole lines of JSON, lose none of them to a crash, and in which a changed byte is noticed.

Each line ends with a digest of itself (`introlab.io.json_digest`); lines of an older lab have none.
"""

import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from introlab.errors import AlteredFile
from introlab.io.atomic import sync
from introlab.io.json_digest import sealed, unsealed

_SYNCED_EVERY = 1.0
"""Seconds. A killed process loses no line; a machine that loses its power at most those of this time."""


@dataclass(frozen=True)
class Lines:
    """An append-only file of lines, each a JSON object or list, there or not."""

    path: Path
    must_be_sealed: bool = False
    """Whether a line without a digest is an altered one; else it is one of an older lab."""
    pass_over: bool = False
    """Whether altered lines are left out; else they are an error."""

    def __iter__(self) -> Iterator[str]:
        """Every whole line, without its digest and its end. Raises AlteredFile for one that was changed.

        A torn end is not read: it was never known to be written."""
        return (line for line, _ in self.since(0))

    def since(self, start: int) -> Iterator[tuple[str, int]]:
        """Whole lines from a byte at which one begins, each with the byte at which the next one will: who remembers it
        reads only what has come since."""
        if not self.path.exists():
            return
        with self.path.open("rb") as file:
            file.seek(start)
            for line in file:
                if not line.endswith(b"\n") or (b"\0" in line and not self._goes_on(start + len(line))):
                    return
                try:
                    yield self._read(line, start), start + len(line)
                except AlteredFile:
                    if not self.pass_over:
                        raise
                start += len(line)

    def at(self, start: int, file: BinaryIO | None = None) -> str:
        """The line that begins at a byte; `file` is this one, where it is open already."""
        if file is None:
            with self.path.open("rb") as opened:
                return self.at(start, opened)
        file.seek(start)
        return self._read(file.readline(), start)

    def count(self) -> int:
        """Lines that have an end, read or not."""
        if not self.path.exists():
            return 0
        with self.path.open("rb") as file:
            return sum(line.endswith(b"\n") for line in file)

    def sync(self) -> None:
        """Have what was added on the disk."""
        if self.path.exists():
            sync(self.path)

    @contextmanager
    def appending(self) -> Generator[Callable[[str], None]]:
        """Yields what adds a line; each is handed to the system before the next. A torn end is cut off first.

        Raises OSError where the disk refuses, AlteredFile where a line was changed.
        """
        end = self._whole_bytes()
        with self.path.open("ab") as file:
            file.truncate(end)
            synced = time.monotonic()

            def add(line: str) -> None:
                nonlocal synced
                file.write(sealed(line).encode() + b"\n")
                file.flush()
                if time.monotonic() - synced > _SYNCED_EVERY:
                    os.fsync(file.fileno())
                    synced = time.monotonic()

            try:
                yield add
            finally:
                os.fsync(file.fileno())

    def _read(self, line: bytes, start: int) -> str:
        try:
            text, found = unsealed(line.removesuffix(b"\n").decode())
        except (AlteredFile, UnicodeDecodeError):
            found, text = False, None
        if text is None or b"\0" in line or (self.must_be_sealed and not found):
            raise AlteredFile(
                "a line is not what was written",
                given=f"{self.path}, at byte {start}",
                do="take the file from a copy; or remove it: trials are made again from texts, texts are written again",
            )
        return text

    def _goes_on(self, start: int) -> bool:
        """Whether a whole line comes after. A file system that lost its power may leave the length of a line, and zeros
        in its place: at the end of the file only."""
        with self.path.open("rb") as file:
            file.seek(start)
            return any(line.endswith(b"\n") and b"\0" not in line for line in file)

    def _whole_bytes(self) -> int:
        """Where the torn end begins."""
        end = 0
        if self.path.exists():
            with self.path.open("rb") as file:
                for line in file:
                    if not line.endswith(b"\n") or (b"\0" in line and not self._goes_on(end + len(line))):
                        break
                    if not self.pass_over:
                        self._read(line, end)
                    end += len(line)
        return end

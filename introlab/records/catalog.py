"""The runs under a folder: which there are, how far they are, what is wrong with them, and what they take of the disk.

Whatever lies in a folder, it is listed with what is wrong with it; nothing is written.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import pyarrow as pa
import pyarrow.parquet as pq

from introlab.errors import UNREADABLE as OF_FILES
from introlab.errors import InputError, LabError
from introlab.io.jsonl import Lines
from introlab.records.findings import Row
from introlab.records.manifests import LISTED, check_manifest
from introlab.records.parquet import count_rows
from introlab.records.run import Run

State = Literal["running", "interrupted", "complete", "broken"]
STATES: tuple[State, ...] = get_args(State)
DEPTH = 4
"""Folders below the root that are looked through: runs/demo/TIME/EXPERIMENT has three."""
_MARKS = {"manifest.json", "trials.jsonl", "trials.parquet", "REMOVING"}
UNREADABLE = (LabError, pa.ArrowException, *OF_FILES)
"""What reading a run folder raises that is not as the lab wrote it."""


@dataclass(frozen=True)
class CatalogEntry:
    """One run folder."""

    name: str
    """Its path below the root, with slashes; "." is the root."""
    folder: Path
    state: State
    manifest: Mapping[str, Any]
    """Empty of a broken run."""
    trials: int | None
    primary: tuple[Row, ...]
    bytes: int
    problem: str | None
    """What cannot be read here, in words; such a run may be complete otherwise."""

    @property
    def experiment(self) -> str:
        return str(self.manifest.get("experiment", ""))

    @property
    def models(self) -> tuple[str, ...]:
        return tuple(map(str, self.manifest.get("specs", ())))

    @property
    def started(self) -> str:
        """ISO 8601; empty where unknown."""
        return str(self.manifest.get("started", ""))


class Catalogue:
    """The runs below a root. Remembers how far it has counted in files that grow."""

    def __init__(self, root: Path):
        self.root = root.resolve()
        self._counted: dict[Path, tuple[int, int]] = {}

    def entries(self) -> list[CatalogEntry]:
        """Every run, newest first; those of unknown age last."""
        found = [self._listed(folder) for folder in _run_folders(self.root)]
        return sorted(found, key=lambda entry: (entry.started, entry.name), reverse=True)

    def entry(self, name: str, *, alone: bool = False) -> CatalogEntry:
        """The run of this name. `alone`: the caller holds its lock, so that nobody else writes it. Raises InputError as
        `locate` does."""
        return self._entry(self.locate(name), alone)

    def locate(self, name: str) -> Path:
        """The folder of a run. Raises InputError for what is not a run below the root, or lies behind a link."""
        wanted = Path(name)
        inside = not wanted.is_absolute() and ".." not in wanted.parts and "\0" not in name
        folder = self.root / wanted
        if not inside or folder.resolve() != folder or not any((folder / mark).is_file() for mark in _MARKS):
            raise InputError("no such run", given=name, allowed=f"a run folder inside {self.root}")
        return folder

    def _listed(self, folder: Path) -> CatalogEntry:
        """Whatever is wrong with it, it does not hide the others."""
        try:
            return self._entry(folder)
        except UNREADABLE as error:
            name = folder.relative_to(self.root).as_posix()
            return CatalogEntry(name, folder, "broken", {}, None, (), disk_use(folder), _in_words(error))

    def _entry(self, folder: Path, alone: bool = False) -> CatalogEntry:
        name, size = folder.relative_to(self.root).as_posix(), disk_use(folder)
        try:
            run = Run.open(folder)
            manifest = run.manifest
            check_manifest(manifest, LISTED)
        except UNREADABLE as error:
            return CatalogEntry(name, folder, "broken", {}, None, (), size, _in_words(error))
        problems: list[str] = []
        trials, primary = None, ()
        try:
            trials = self._count(folder)
        except UNREADABLE as error:
            problems.append(f"the trials cannot be read: {_in_words(error)}")
        try:
            due = run.complete or (folder / "findings.json").exists()
            primary = run.findings.primary if due else ()
        except UNREADABLE as error:
            problems.append(f"findings.json cannot be read: {_in_words(error)}")
        written = not alone and run.running
        state: State = "running" if written else "complete" if run.complete else "interrupted"
        return CatalogEntry(name, folder, state, manifest, trials, primary, size, "; ".join(problems) or None)

    def _count(self, folder: Path) -> int:
        table = folder / "trials.parquet"
        if table.exists() and "id" not in pq.read_schema(table).names:
            raise ValueError("trials.parquet is not a table of trials")
        return count_rows(table) if table.exists() else self.count_lines(folder / "trials.jsonl")

    def count_lines(self, path: Path) -> int:
        """Whole lines of a file that grows; only what has come since the last count is read."""
        count, end = self._counted.get(path, (0, 0))
        if path.exists() and path.stat().st_size < end:
            count, end = 0, 0
        for _, reached in Lines(path).since(end):
            count, end = count + 1, reached
        self._counted[path] = count, end
        return count


def disk_use(folder: Path) -> int:
    """Bytes of the files in a folder; links count for themselves, not for what they point to."""
    total = 0
    for where, _, names in os.walk(folder):
        for name in names:
            with suppress(OSError):  # a run that is written renames its files
                total += (Path(where) / name).lstat().st_size
    return total


def _run_folders(root: Path) -> Iterator[Path]:
    for where, folders, files in os.walk(root):  # does not follow links
        here = Path(where)
        if _MARKS & set(files):
            yield here
            folders.clear()
        elif len(here.relative_to(root).parts) >= DEPTH:
            folders.clear()


def _in_words(error: Exception) -> str:
    """On one line."""
    return ", ".join(line.strip() for line in str(error).splitlines()) or type(error).__name__

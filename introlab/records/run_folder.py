"""The folder of a run as such: its lock, its state, its manifest, and how anything is written into it."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from introlab.errors import RunFolderError
from introlab.io.atomic import write_whole
from introlab.io.json_digest import read_json, sealed
from introlab.records.manifests import read_manifest
from introlab.records.run_states import LOCK, MANIFEST, State, state_of

SCHEMA = 3
"""1 had finished trials in trials.jsonl; 2 had no digests; both still open."""
_LOOKED_AT = 0.5
"""Seconds that a writer waits for the lock: who looks whether it is held has it for a moment."""


@dataclass(frozen=True)
class RunFolder:
    """A folder in which a run is or will be."""

    folder: Path

    @contextmanager
    def locked(self) -> Generator[None]:
        """Alone with the folder. Raises RunFolderError while another process writes in it."""
        with self._writing("lock the run"):
            self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / LOCK, timeout=_LOOKED_AT)
        try:
            lock.acquire()
        except Timeout as error:
            raise RunFolderError(
                "another process is writing this run", given=self.folder, do="wait for it, or choose another --out"
            ) from error
        except OSError as error:
            raise RunFolderError(
                "the run folder cannot be written: could not lock it",
                given=f"{self.folder} ({error.strerror or error})",
            ) from error
        try:
            yield
        finally:
            lock.release()

    @property
    def running(self) -> bool:
        """Whether a process writes here now."""
        if not (self.folder / LOCK).is_file():
            return False
        try:
            with FileLock(self.folder / LOCK, timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # a folder that only can be read
            return False

    @property
    def state(self) -> State:
        """What the folder is now. Raises RunFolderError for files that no step leaves behind."""
        return state_of(self.folder)

    @property
    def manifest(self) -> dict[str, Any]:
        """Raises AlteredFile where it was changed, InputError where it is not one."""
        return read_manifest(self.folder, must=self.sealed)

    @property
    def schema(self) -> int:
        return int(read_json(self.folder / MANIFEST)["schema"])

    @property
    def sealed(self) -> bool:
        """Whether everything in it carries a digest; not of an older lab."""
        return 3 <= self.schema <= SCHEMA

    def _write_manifest(self, manifest: dict[str, Any]) -> None:
        self._write(MANIFEST, sealed(json.dumps(manifest, indent=2)))

    def _write(self, name: str, text: str) -> None:
        """Whole or not at all: written beside, then renamed."""
        write_whole(self.folder / name, lambda path: path.write_text(text, encoding="utf-8"))

    @contextmanager
    def _writing(self, purpose: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise RunFolderError(
                f"the run folder cannot be written: could not {purpose}",
                given=f"{self.folder} ({error.strerror or error})",
                do="free disk space or choose another --out; what was written before is whole",
            ) from error

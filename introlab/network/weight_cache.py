"""Folders of the cache of models: whole or not there, whoever else writes, and whatever the disk does."""

import errno
import json
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from filelock import FileLock

from introlab.errors import CacheError
from introlab.network.registry import RECORD

_FULL = {errno.ENOSPC, errno.EDQUOT}


def make_cached(
    folder: Path, needed: int, write: Callable[[Path], dict[str, Any]], *, there: Callable[[], bool]
) -> Path:
    """Let `write` make the folder's files in a temporary one, beside it, and put it where it belongs; what it returns
    is the record of where the weights came from. `there` tells whether another process has done it meanwhile.

    `needed` bytes must be free. Raises CacheError where the disk is full or cannot be written; whatever `write` raises
    passes through, and nothing of it stays.
    """
    with _writing(folder), _locked(folder):
        if there():
            return folder
        for stale in folder.parent.glob(f".{folder.name}-*"):  # of a process that was killed: the lock is ours
            shutil.rmtree(stale, ignore_errors=True)
        check_space(folder.parent, needed)
        made = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
        try:
            record = write(made)
            files = sorted(path for path in made.rglob("*") if path.is_file())
            sizes = {path.relative_to(made).as_posix(): path.stat().st_size for path in files}
            (made / RECORD).write_text(json.dumps({**record, "files": sizes}, indent=2) + "\n", encoding="utf-8")
            _put(made, folder)
        finally:
            shutil.rmtree(made, ignore_errors=True)
    return folder


def check_space(folder: Path, needed: int) -> None:
    """Raises CacheError where fewer bytes are free."""
    free = shutil.disk_usage(folder).free
    if free < needed:
        raise CacheError(
            "not enough disk space for the model",
            given=f"{free / 1e6:.0f} MB free in {folder}",
            allowed=f"{needed / 1e6:.0f} MB",
            do="free some, or set INTROLAB_CACHE to a folder on another disk",
        )


def _put(made: Path, folder: Path) -> None:
    """Rename into place; what was there before is out of the way first, and gone afterwards."""
    made.chmod(0o755)  # temporary folders are closed to others
    if not folder.exists():
        made.rename(folder)
        return
    old = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent)) / "old"
    folder.rename(old)
    made.rename(folder)
    shutil.rmtree(old.parent, ignore_errors=True)


@contextmanager
def _locked(folder: Path) -> Generator[None]:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(folder.parent / f".{folder.name}.lock"):
        yield


@contextmanager
def _writing(folder: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in _FULL
        raise CacheError(
            "the disk is full" if full else "the cache of models cannot be written",
            given=f"{folder.parent}: {error.strerror or error}",
            do=f"{'free some space' if full else 'make it writable'}, or set INTROLAB_CACHE to another folder",
        ) from error

"""Removing runs: only what the lab wrote, only where nothing else lies, never one that is being written."""

import re
from contextlib import nullcontext
from pathlib import Path

from introlab.errors import RunFolderError
from introlab.records.catalog import CatalogEntry, Catalogue
from introlab.records.run import Run
from introlab.records.run_config import CONFIG
from introlab.records.run_states import COMPLETE, FINDINGS, LINES, LOCK, MANIFEST, REMOVING, REPORT, TABLE, TEXTS

_FILES = {CONFIG, MANIFEST, LINES, TEXTS, TABLE, FINDINGS, REPORT, COMPLETE, REMOVING}
_FOLDERS = {"figures": re.compile(r".+\.json"), "judged": re.compile(r"\.lock|verdicts\.jsonl|[^.]+-[\w.]+\.jsonl?")}
"""What the lab writes into each folder of a run."""
_LAST = (MANIFEST, REMOVING, LOCK)
"""Until all else is gone, what is left is known for a run, then for one that is half removed."""


def obstacle(entry: CatalogEntry) -> str | None:
    """Why a run must not be removed; None where it may be."""
    if entry.state == "broken" and not (entry.folder / REMOVING).is_file():
        return entry.problem
    if entry.state == "running":
        return "a process is writing it"
    if Run(entry.folder / "judged").running:
        return "a process is judging it"
    if entry.name == ".":
        return "it is the folder itself"
    foreign = [path for path in sorted(entry.folder.rglob("*")) if not _is_ours(path, entry.folder)]
    return f"it holds what the lab did not write: {foreign[0].relative_to(entry.folder)}" if foreign else None


def _is_ours(path: Path, folder: Path) -> bool:
    """A plain file of a run, whole or half-written, or one of its folders; never a link."""
    if path.is_symlink():
        return False
    inside, name = path.relative_to(folder).parts, path.name.removesuffix(".part")
    if path.is_dir():
        return len(inside) == 1 and inside[0] in _FOLDERS
    if len(inside) == 1:
        return name in _FILES | {LOCK}
    known = _FOLDERS.get(inside[0])
    return len(inside) == 2 and known is not None and known.fullmatch(name) is not None


def remove(catalogue: Catalogue, name: str) -> int:
    """Remove a run, file by file, while nobody else can write it; returns the bytes that were freed. One that is half
    removed is removed to the end. Raises InputError where there is no such run, RunFolderError where it must not or
    cannot be removed."""
    with Run(catalogue.locate(name)).locked():
        entry = catalogue.entry(name, alone=True)
        if reason := obstacle(entry):
            raise RunFolderError("the run stays", given=f"{name}: {reason}")
        judged, last = entry.folder / "judged", [entry.folder / each for each in _LAST]
        try:
            with Run(judged).locked() if judged.is_dir() else nullcontext():
                _mark(entry.folder)
                every = list(entry.folder.rglob("*"))
                for path in [*(one for one in every if one.is_file() and one not in last), *last]:
                    path.unlink(missing_ok=True)
                for path in [*(one for one in every if one.is_dir()), entry.folder]:
                    path.rmdir()
        except OSError as error:
            raise RunFolderError("the run cannot be removed", given=f"{name} ({error.strerror})") from error
    return entry.bytes


def _mark(folder: Path) -> None:
    """What is half removed is neither complete nor interrupted. A full disk takes no new file, but a new name."""
    if (folder / COMPLETE).is_file():
        (folder / COMPLETE).rename(folder / REMOVING)
    else:
        (folder / REMOVING).touch()

"""Removing runs: only what the lab wrote, only where nothing else lies, never one that is being written."""

from pathlib import Path

from introlab.catalogue import Catalogue, Entry
from introlab.errors import RunFolderError
from introlab.runs import Run

_FILES = {"manifest.json", "trials.jsonl", "texts.jsonl", "trials.parquet", "findings.json", "report.html", "COMPLETE"}
_LOCK, _LAST = ".lock", "manifest.json"
"""Until all else is gone, what is left is known for a run."""


def obstacle(entry: Entry) -> str | None:
    """Why a run must not be removed; None where it may be."""
    if entry.state == "broken":
        return entry.problem
    if entry.state == "running":
        return "a process is writing it"
    if entry.name == ".":
        return "it is the folder itself"
    foreign = [path for path in sorted(entry.folder.rglob("*")) if not _is_ours(path, entry.folder)]
    return f"it holds what the lab did not write: {foreign[0].relative_to(entry.folder)}" if foreign else None


def _is_ours(path: Path, folder: Path) -> bool:
    """A plain file of a run, whole or half-written, or its folder of figures; never a link."""
    if path.is_symlink():
        return False
    inside, name = path.relative_to(folder).parts, path.name.removesuffix(".part")
    if path.is_dir():
        return inside == ("figures",)
    if len(inside) == 1:
        return name in _FILES | {_LOCK}
    return len(inside) == 2 and inside[0] == "figures" and name.endswith(".json")


def remove(catalogue: Catalogue, name: str) -> int:
    """Remove a run, file by file, while nobody else can write it; returns the bytes that were freed. Raises InputError
    where there is no such run, RunFolderError where it must not or cannot be removed."""
    with Run(catalogue.locate(name)).locked():
        entry = catalogue.entry(name, alone=True)
        if reason := obstacle(entry):
            raise RunFolderError("the run stays", given=f"{name}: {reason}")
        try:
            (entry.folder / "COMPLETE").unlink(missing_ok=True)  # what is half removed is not complete
            files = [path for path in entry.folder.rglob("*") if path.is_file() and path.name not in (_LOCK, _LAST)]
            for path in [*files, entry.folder / _LAST, entry.folder / _LOCK]:
                path.unlink()
            if (entry.folder / "figures").is_dir():
                (entry.folder / "figures").rmdir()
            entry.folder.rmdir()
        except OSError as error:
            raise RunFolderError("the run cannot be removed", given=f"{name} ({error.strerror})") from error
    return entry.bytes

"""What a run's manifest must say, and reading the JSON files of a run folder that may hold anything."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import UnionType
from typing import Any

import pyarrow as pa

from introlab.errors import UNREADABLE, AlteredFile, InputError
from introlab.io import json_digest
from introlab.records.findings import Findings

LARGEST = 256_000_000
"""Bytes of a file that is read whole."""
NEEDED: Mapping[str, type] = {"models": dict}
"""What a run cannot be opened without."""
REPEATED: Mapping[str, type] = {**NEEDED, "experiment": str, "parameters": dict}
"""What its experiment is made from again."""
LISTED: Mapping[str, type] = {**REPEATED, "specs": list, "passed": list, "started": str}
"""What a list of runs shows, too."""


def read_json(path: Path, *, must: bool = False) -> Any:
    """What a file says; `must` it carry a digest. Raises AlteredFile where it was changed, InputError, with the reason,
    where it is no file, too large, or no JSON."""
    try:
        if not path.is_file():
            raise FileNotFoundError("no such file")
        if path.stat().st_size > LARGEST:
            raise ValueError(f"more than {LARGEST / 1e6:.0f} MB")
        return json_digest.read_json(path, must=must)
    except AlteredFile:
        raise
    except UNREADABLE as error:
        raise InputError(
            f"{path.name} cannot be read",
            given=f"{path} ({type(error).__name__}: {str(error)[:200]})",
            allowed="the file as the lab wrote it",
            do="restore it from a copy, or leave this run out",
        ) from error


def read_manifest(folder: Path, *, must: bool = False) -> dict[str, Any]:
    """Of a run folder. Raises InputError where there is none that says what it must."""
    manifest = read_json(folder / "manifest.json", must=must)
    if not isinstance(manifest, dict):
        raise InputError(
            "not a manifest the lab wrote", given=f"{folder}: {type(manifest).__name__} instead of a table"
        )
    return manifest


def check_manifest(manifest: Mapping[str, Any], stated: Mapping[str, type] = NEEDED) -> None:
    """Raises InputError, naming what is missing or of another kind."""
    odd = [name for name, kind in stated.items() if not isinstance(manifest.get(name), kind)]
    odd += [name for name in manifest.get("passed", ()) if not odd and name not in manifest["parameters"]]
    if odd:
        raise InputError(
            "not a manifest the lab wrote",
            given=f"{', '.join(map(str, odd))} missing, or of another kind",
            do="restore manifest.json from a copy",
        )


@contextmanager
def trials_of(folder: Path) -> Generator[None]:
    """While trials are read: whatever their file holds that the lab did not write there is an InputError."""
    try:
        yield
    except AlteredFile:
        raise
    except (pa.ArrowException, *UNREADABLE) as error:
        raise InputError(
            "the trials cannot be read",
            given=f"{folder} ({type(error).__name__}: {str(error)[:200]})",
            allowed="trials.jsonl or trials.parquet as the lab wrote them",
            do="restore the file from a copy, or run the experiment again into another folder",
        ) from error


def _check_findings(found: Findings) -> None:
    """Raises TypeError for what no table could show; `Findings` itself believes what a file says."""
    told: list[tuple[Any, type | UnionType]] = [(found.answer, str), (found.verdicts, dict)]
    for row in found.rows:
        told += [(row.measure, str), (row.where, dict), (row.estimate.n, int), (row.estimate.method, str)]
        told += [(row.estimate.kind, str)]
        told += [(each, int | float | None) for each in (row.estimate.value, row.estimate.low, row.estimate.high)]
        told += [(each, str | int | float | None) for each in row.where.values()]
    for value, kind in told:
        if not isinstance(value, kind):
            raise TypeError(f"{str(value)[:80]!r} in the place of {kind}")


def read_findings(folder: Path, *, must: bool = False) -> Findings:
    """Of a run folder. Raises InputError where findings.json is not what an analysis wrote."""
    raw = read_json(folder / "findings.json", must=must)
    try:
        found = Findings.from_json(raw)
        _check_findings(found)
        return found
    except UNREADABLE as error:
        raise InputError(
            "findings.json is not what the lab wrote",
            given=f"{folder} ({type(error).__name__}: {error})",
            do="write it anew from the trials: introlab report RUN",
        ) from error

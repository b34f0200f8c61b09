"""Trials for other tools: one flat table, a column for every reading and outcome."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from introlab.errors import InputError, RunFolderError
from introlab.io.atomic import write_whole
from introlab.records.run import Run
from introlab.records.trial import Trial

FORMATS = (".csv", ".parquet")


def flat(trials: Iterable[Trial]) -> pd.DataFrame:
    """A line a trial: its fields, then `reading.NAME` and `outcome.NAME`. What could not be had is empty, never 0;
    lists and receipts are JSON text."""
    table = pd.DataFrame([dict(_columns(trial)) for trial in trials])
    # Without this a column of True, False and nothing would become text in one file and numbers in another.
    return table.convert_dtypes()


def export(run: Run, path: Path) -> int:
    """Write the trials of a run to a `.csv` or `.parquet` file outside of it; returns how many. Raises InputError for
    another format, for a file that is there, and for a run without trials."""
    check_target(run, path, FORMATS)
    table = flat(run.trials())
    write = table.to_parquet if path.suffix == ".parquet" else table.to_csv
    write_export(path, lambda beside: write(beside, index=False))
    return len(table)


def write_export(path: Path, write: Callable[[Path], object]) -> None:
    """As `write_whole`. Raises RunFolderError where the disk refuses; nothing is left there then."""
    try:
        write_whole(path, write)
    except OSError as error:
        raise RunFolderError(
            "the trials cannot be written", given=f"{path} ({error.strerror or error})", do="free some disk space"
        ) from error


def check_target(run: Run, path: Path, endings: Sequence[str]) -> None:
    """Raises InputError for a file of another ending, for one that is there, and for a run without trials."""
    if path.suffix not in endings:
        raise InputError("a format the lab does not write", given=path, allowed=", ".join(endings))
    if path.exists():
        raise InputError("a file is there already", given=path, do="choose another name")
    if not run.has_trials:
        raise InputError("a run without trials", given=run.folder)


def _columns(trial: Trial) -> Iterator[tuple[str, Any]]:
    yield "id", trial.id
    for name, value in vars(trial).items():
        if name not in ("readings", "outcomes"):
            yield name, _cell([vars(each) for each in value] if name == "receipts" else value)
    for kind, values in (("reading", trial.readings), ("outcome", trial.outcomes)):
        for name, value in values.items():
            yield f"{kind}.{name}", _cell(value)


def _cell(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, list | tuple | dict) else value

"""Trials of a finished run as one Parquet file, in canonical order (by id).

Columns are the fields of a trial. `readings`, `outcomes` and `receipts` differ between experiments and are JSON text:
what was written is what is read back, to the last digit, and a missing value stays missing.
"""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from introlab.errors import RunFolderError
from introlab.io.atomic import write_whole
from introlab.io.digests import file_digest
from introlab.io.jsonl import Lines
from introlab.records.trial import Trial

COLUMNS = pa.schema(
    {
        "id": pa.string(),
        "experiment": pa.string(),
        "model": pa.string(),
        "item": pa.string(),
        "cluster": pa.string(),
        "split": pa.string(),
        "condition": pa.string(),
        "strength": pa.float64(),
        "draw": pa.int64(),
        "replicate": pa.int64(),
        "prompt": pa.string(),
        "text": pa.string(),
        "tokens": pa.list_(pa.int32()),
        "readings": pa.string(),
        "outcomes": pa.string(),
        "receipts": pa.string(),
    }
)
AS_JSON = ("readings", "outcomes", "receipts")
_GROUP = 8192
"""Trials in memory at a time."""


def write_table(lines: Lines, table: Path, note: Callable[[int, str], None]) -> None:
    """The trials of a file of lines, sorted by id. Only their ids and a group of them are in memory.

    What was written is read back; `note` is given its rows and its digest before it takes its place. Raises AlteredFile
    for a line that was changed, RunFolderError where what is read back is not every trial once.
    """
    places = sorted(_places(lines))

    def write(path: Path) -> None:
        with lines.path.open("rb") as file, pq.ParquetWriter(path, COLUMNS, compression="zstd") as writer:
            for start in range(0, len(places), _GROUP):
                rows = [_row(lines.at(place, file)) for _, place in places[start : start + _GROUP]]
                writer.write_table(pa.Table.from_pylist(rows, schema=COLUMNS))
        if list(_read_back(path)) != [id for id, _ in places]:
            raise RunFolderError(
                "the table of trials does not hold what was written to it",
                given=f"{len(places)} trials of {lines.path}",
                do="the lines stay: check the disk, and go on",
            )
        note(len(places), file_digest(path))

    write_whole(table, write)


def _read_back(table: Path) -> Iterator[str]:
    """The id of every row, with all else that is in it decoded."""
    with pq.ParquetFile(table) as file:
        for batch in file.iter_batches(batch_size=_GROUP):
            yield from batch.column("id").to_pylist()


def read_table(table: Path) -> Iterator[Trial]:
    """Raises InputError for a row whose id is not its own."""
    with pq.ParquetFile(table) as file:
        for batch in file.iter_batches(batch_size=_GROUP):
            for row in batch.to_pylist():
                yield Trial.from_raw({**row, **{name: json.loads(row[name]) for name in AS_JSON}})


def count_rows(table: Path) -> int:
    return pq.read_metadata(table).num_rows


def _places(lines: Lines) -> Iterator[tuple[str, int]]:
    """Id and byte at which the line of each trial begins."""
    at = 0
    for line, end in lines.since(0):
        yield Trial.id_of(line), at
        at = end


def _row(line: str) -> dict[str, Any]:
    raw = json.loads(line)
    return {**raw, **{name: json.dumps(raw[name], separators=(",", ":")) for name in AS_JSON}}

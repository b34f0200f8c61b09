"""Trials of a finished run as one Parquet file, in canonical order (by id).

Columns are the fields of a trial. `readings`, `outcomes` and `receipts` differ between experiments and are JSON text:
what was written is what is read back, to the last digit, and a missing value stays missing.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from introlab.io.atomic import write_whole
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


def write_table(lines: Path, table: Path) -> None:
    """The trials of a file of lines, sorted by id. Only their ids and a group of them are in memory."""
    places = sorted(_places(lines))

    def write(path: Path) -> None:
        with lines.open("rb") as file, pq.ParquetWriter(path, COLUMNS, compression="zstd") as writer:
            for start in range(0, len(places), _GROUP):
                rows = [_row(_line(file, place)) for _, place in places[start : start + _GROUP]]
                writer.write_table(pa.Table.from_pylist(rows, schema=COLUMNS))

    write_whole(table, write)


def read_table(table: Path) -> Iterator[Trial]:
    """Raises InputError for a row whose id is not its own."""
    with pq.ParquetFile(table) as file:
        for batch in file.iter_batches(batch_size=_GROUP):
            for row in batch.to_pylist():
                yield Trial.from_raw({**row, **{name: json.loads(row[name]) for name in AS_JSON}})


def count_rows(table: Path) -> int:
    return pq.read_metadata(table).num_rows


def _places(lines: Path) -> Iterator[tuple[str, int]]:
    """Id and byte at which the line of each trial begins."""
    at = 0
    with lines.open("rb") as file:
        for line in file:
            yield Trial.id_of(line.decode()), at
            at += len(line)


def _line(file: Any, place: int) -> str:
    file.seek(place)
    return file.readline().decode()


def _row(line: str) -> dict[str, Any]:
    raw = json.loads(line)
    return {**raw, **{name: json.dumps(raw[name], separators=(",", ":")) for name in AS_JSON}}

"""Activations on disk: safetensors shards that are mapped, not loaded, beside a Parquet index of what each row is.

    FOLDER/store.json                schema, model, versions
    FOLDER/shard-00000.safetensors   one tensor [row, width] per site
    FOLDER/shard-00000.parquet       its index, a line per row and site; written last: without it a shard does not count

A row is identified by what it was read from and how (`key`): what is on disk and still valid is never read again.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from introlab.activations.extract import Activations
from introlab.errors import InputError, ModelMismatch, RunFolderError
from introlab.io.atomic import write_whole
from introlab.network.save_tensors import save_tensors
from introlab.network.sites import Site

SCHEMA = 2
COLUMNS = {
    "key": pa.string(),
    "sample": pa.string(),
    "item": pa.string(),
    "site": pa.string(),
    "span": pa.string(),
    "pooling": pa.string(),
    "turn": pa.string(),
    "phase": pa.string(),
    "token": pa.int64(),
    "position": pa.int64(),
    "condition": pa.string(),
    "label": pa.string(),
    "row": pa.int64(),
}


@dataclass(frozen=True)
class Store:
    """A folder of activations of one model."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, facts: dict[str, Any]) -> "Store":
        """A new store, or the one that is there. Raises ModelMismatch where that is of another model, other versions or
        another way of loading."""
        store, stated = cls(folder), {"schema": SCHEMA, **facts}
        if (folder / "store.json").exists():
            if store.facts != stated:
                different = sorted(name for name in stated if store.facts.get(name) != stated[name])
                raise ModelMismatch(
                    "the store holds activations of something else",
                    given=", ".join(f"{name} {stated[name]}" for name in different),
                    allowed=", ".join(f"{name} {store.facts.get(name)}" for name in different),
                    do="choose another folder",
                )
            return store
        try:
            folder.mkdir(parents=True, exist_ok=True)
            write_whole(
                folder / "store.json", lambda path: path.write_text(json.dumps(stated, indent=1), encoding="utf-8")
            )
        except OSError as error:
            raise RunFolderError("the store cannot be written", given=f"{folder} ({error})") from error
        return store

    @classmethod
    def open(cls, folder: Path) -> "Store":
        """An existing store. Raises InputError where there is none."""
        if not (folder / "store.json").is_file():
            raise InputError(
                "not a store of activations", given=folder, do="make one with introlab.activations.collect"
            )
        return cls(folder)

    @property
    def facts(self) -> dict[str, Any]:
        return json.loads((self.folder / "store.json").read_text(encoding="utf-8"))

    def index(self) -> pd.DataFrame:
        """Every row there is, with its `shard`. Shards whose bytes are not those that were written are left out."""
        parts = []
        for path in sorted(self.folder.glob("shard-*.parquet")):
            table = pq.read_table(path)
            checksum = (table.schema.metadata or {}).get(b"sha256", b"").decode()
            shard = path.with_suffix(".safetensors")
            if shard.is_file() and _checksum(shard) == checksum:
                parts.append(table.to_pandas().assign(shard=path.stem))
        columns = [*COLUMNS, "shard"]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)

    def append(self, rows: Sequence[dict[str, Any]], values: dict[Site, Tensor]) -> None:
        """One more shard; `rows[i]["row"]` is the row of the values of its site. It is there whole or not at all."""
        last = max((int(path.stem.removeprefix("shard-")) for path in self.folder.glob("shard-*.parquet")), default=-1)
        name = f"shard-{last + 1:05d}"
        tensors = {str(site): tensor.contiguous() for site, tensor in values.items()}
        shard = self.folder / f"{name}.safetensors"
        try:
            save_tensors(shard, tensors)
            schema = pa.schema(COLUMNS, metadata={"sha256": _checksum(shard)})
            table = pa.Table.from_pylist(list(rows), schema=schema)
            write_whole(self.folder / f"{name}.parquet", lambda path: pq.write_table(table, path))
        except (OSError, SafetensorError) as error:
            raise RunFolderError(
                "the store cannot be written", given=f"{shard} ({error})", do="what was written before is kept"
            ) from error

    def activations(self, chosen: pd.DataFrame) -> Activations:
        """The values of these lines of the index (all of one site), in their order. Only their rows are read from disk.

        Raises InputError for lines of several sites or none.
        """
        sites = chosen["site"].unique()
        if len(sites) != 1:
            raise InputError("activations of one site at a time", given=", ".join(sites) or "no rows")
        site, values = Site.parse(sites[0]), None
        for shard, lines in chosen.reset_index(drop=True).groupby("shard"):
            with safe_open(self.folder / f"{shard}.safetensors", framework="pt") as file:
                found = _rows(file.get_slice(str(site)), lines["row"].tolist()).float()
            if values is None:
                values = torch.empty(len(chosen), found.shape[1])
            values[torch.tensor(lines.index.to_numpy())] = found
        assert values is not None
        return Activations(values, site, self.facts["model"], tuple(chosen["sample"]))


def _rows(held: Any, rows: Sequence[int]) -> Tensor:
    """These rows of a mapped tensor; neighbours are read together."""
    parts, start = [], 0
    for stop in range(1, len(rows) + 1):
        if stop == len(rows) or rows[stop] != rows[stop - 1] + 1:
            parts.append(held[rows[start] : rows[stop - 1] + 1])
            start = stop
    return torch.cat(parts)


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

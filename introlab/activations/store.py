"""Activations on disk: safetensors shards that are mapped, not loaded, beside a Parquet index of what each row is.

    FOLDER/store.json                schema, model, versions, and the digest of these
    FOLDER/shard-00000.safetensors   one tensor [row, width] per site
    FOLDER/shard-00000.parquet       its index, a line per row and site
    FOLDER/shard-00000.sha256        the digests of both; written last: without it a shard does not count

A row is identified by what it was read from and how (`key`): what is on disk and still valid is never read again.
Files are checked against their digests before they are used, once per process as long as they are not written to.
"""

import hashlib
import json
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from introlab.activations.extract import Activations
from introlab.errors import UNREADABLE, InputError, LabError, ModelMismatch, RunFolderError
from introlab.io.atomic import saving, write_whole
from introlab.io.digests import altered, file_digest, list_digests, listed_digests
from introlab.network.sites import Site

SCHEMA = 3
"""2 had no digests of the indices and of store.json; it is still read, with a warning."""
_DIGEST = "sha256"
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
            write_whole(folder / "store.json", lambda path: path.write_text(_text(stated), encoding="utf-8"))
        except OSError as error:
            if (folder / "store.json").is_file():  # another writer made it meanwhile
                return cls.create(folder, facts)
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
        """What store.json says. Raises InputError where that cannot be read, or was changed."""
        path = self.folder / "store.json"
        try:
            text = path.read_text(encoding="utf-8")
            facts: dict[str, Any] = json.loads(text)
            digest, schema = facts.pop(_DIGEST, None), int(facts["schema"])
        except UNREADABLE as error:
            raise InputError("not a store of activations", given=f"{path} ({type(error).__name__}: {error})") from error
        if schema > SCHEMA:
            raise InputError("a store of a newer lab", given=f"schema {schema}", allowed=f"up to {SCHEMA}")
        if (digest is not None or schema >= 3) and text != _text(facts):
            raise altered(path)
        return facts

    def index(self) -> pd.DataFrame:
        """Every row there is, once, with its `shard`. Shards whose bytes are not those that were written are left out,
        with a warning that names them."""
        check = _checked if self.facts["schema"] >= 3 else _checked_2
        parts: list[pd.DataFrame] = []
        known: set[str] = set()
        for path in sorted(self.folder.glob("shard-*.parquet")):
            try:
                if (table := check(path)) is not None:
                    rows = table.to_pandas().assign(shard=path.stem)
                    parts.append(rows[~rows["key"].isin(known)])  # two writers at once may have read the same
                    known |= set(rows["key"])
            except (LabError, *UNREADABLE) as error:
                _warn(f"{path.stem} of {self.folder} is damaged and left out: {str(error).replace(chr(10), ' ')}")
        columns = [*COLUMNS, "shard"]
        return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame(columns=columns)

    def append(self, rows: Sequence[dict[str, Any]], values: dict[Site, Tensor]) -> None:
        """One more shard; `rows[i]["row"]` is the row of the values of its site. It is there whole or not at all."""
        tensors = {str(site): tensor.contiguous() for site, tensor in values.items()}
        shard = self.folder
        try:
            shard = self._reserved()
            index = shard.with_suffix(".parquet")
            table = pa.Table.from_pylist(list(rows), schema=pa.schema(COLUMNS))
            with saving(self.folder) as room:
                save_file(tensors, room / shard.name)
                pq.write_table(table, room / index.name)
            list_digests(shard.with_suffix(".sha256"), [shard.name, index.name])
        except OSError as error:
            raise RunFolderError(
                "the store cannot be written", given=f"{shard} ({error})", do="what was written before is kept"
            ) from error

    def _reserved(self) -> Path:
        """A shard that nobody else writes, numbered after the highest there is: counting them would take the name of a
        kept one where another was deleted."""
        while True:
            names = (re.match(r"shard-(\d+)\.", path.name) for path in self.folder.iterdir())
            taken = [int(name[1]) for name in names if name]
            shard = self.folder / f"shard-{max(taken, default=-1) + 1:05d}.safetensors"
            try:
                shard.touch(exist_ok=False)
            except FileExistsError:  # another writer was quicker
                continue
            return shard

    def activations(self, chosen: pd.DataFrame) -> Activations:
        """The values of these lines of the index (all of one site), in their order. Only their rows are read from disk.

        Raises InputError for lines of several sites or none, and for a shard that was changed.
        """
        sites = chosen["site"].unique()
        if len(sites) != 1:
            raise InputError("activations of one site at a time", given=", ".join(sites) or "no rows")
        site, values = Site.parse(sites[0]), None
        for shard, lines in chosen.reset_index(drop=True).groupby("shard"):
            path = self.folder / f"{shard}.safetensors"
            _check_once(path, _digests(path)[path.name])
            with safe_open(path, framework="pt") as file:
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


_CHECKED: set[tuple[Path, str, int, int]] = set()
"""Files found to be as they were written, with the time and size they had then."""


def _check_once(path: Path, digest: str) -> None:
    """Raises InputError unless the file has this digest. What was checked in this process is not read again."""
    found = path.stat()
    stamp = (path.resolve(), digest, found.st_mtime_ns, found.st_size)
    if stamp not in _CHECKED:
        if file_digest(path) != digest:
            raise altered(path)
        _CHECKED.add(stamp)


def _digests(path: Path) -> dict[str, str]:
    """Of the files of the shard that `path` is of."""
    if (sums := path.with_suffix(".sha256")).exists():
        return listed_digests(sums)
    table = path.with_suffix(".parquet")
    checksum = (pq.read_schema(table).metadata or {}).get(b"sha256", b"").decode()
    return {path.with_suffix(".safetensors").name: checksum, table.name: file_digest(table)}


def _checked(path: Path) -> pa.Table | None:
    """The index of a shard that counts; None of one that was not finished."""
    if not path.with_suffix(".sha256").exists():
        return None
    digests, shard = _digests(path), path.with_suffix(".safetensors")
    if set(digests) != {path.name, shard.name}:
        raise altered(path.with_suffix(".sha256"))
    for one in (shard, path):
        _check_once(one, digests[one.name])
    return pq.read_table(path)


def _checked_2(path: Path) -> pa.Table | None:
    """Of schema 2, whose indices have no digest."""
    shard = path.with_suffix(".safetensors")
    if not shard.is_file():
        return None
    _check_once(shard, _digests(path)[shard.name])
    _warn(f"{path} has no digest (an older version wrote it): whether it was changed cannot be seen")
    return pq.read_table(path)


def _text(facts: dict[str, Any]) -> str:
    """Of store.json: the facts and their digest."""
    digest = hashlib.sha256(json.dumps(facts, indent=1).encode()).hexdigest()
    return json.dumps({**facts, _DIGEST: digest}, indent=1)


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=3)

"""Trials of a run page by page: what they are sorted by is in memory, their texts are read when they are looked at."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from introlab.errors import InputError
from introlab.io.jsonl import Lines
from introlab.records.parquet import AS_JSON, COLUMNS
from introlab.records.trial import Trial

SORTED_BY = ("model", "split", "condition", "strength", "outcomes")
_IN_MEMORY = pa.schema([COLUMNS.field(name) for name in ("id", *SORTED_BY)])
_LISTED = ["id", "item", "model", "split", "condition", "strength", "draw", "replicate", "text", "outcomes"]
MOST_VALUES = 12
"""An outcome with more different values than this is not one that trials are sorted by."""
LONGEST = 200
"""Characters of such a value."""
Row = dict[str, Any]


@dataclass(frozen=True)
class TrialFilter:
    """Which trials; None chooses all. `outcome` is a name and a value, which may be None: unknown."""

    model: str | None = None
    split: str | None = None
    condition: str | None = None
    strength: float | None = None
    outcome: tuple[str, Any] | None = None


@dataclass(frozen=True)
class TrialPages:
    """Trials in the order in which they are stored: by id in a finished run, as they were done in another."""

    columns: pa.Table
    _listed: Callable[[np.ndarray], list[Row]]
    _trial: Callable[[int], Trial]

    def __len__(self) -> int:
        return self.columns.num_rows

    @cached_property
    def values(self) -> dict[str, list[Any]]:
        """What each column that trials are sorted by holds; of outcomes, pairs of name and value."""
        found = {name: sorted(self.columns[name].unique().to_pylist()) for name in SORTED_BY[:-1]}
        values: dict[str, dict[str, Any]] = {}
        for outcomes in self._outcomes:
            for name, value in outcomes.items():
                if value is None or isinstance(value, bool) or (isinstance(value, str) and len(value) <= LONGEST):
                    values.setdefault(name, {})[repr(value)] = value
        pairs = [
            (name, each) for name, several in values.items() if len(several) <= MOST_VALUES for each in several.values()
        ]
        return {**found, "outcomes": pairs}

    @cached_property
    def _outcomes(self) -> list[dict[str, Any]]:
        """The different ones, in the order of `_different`."""
        return [json.loads(text) for text in self._different.dictionary.to_pylist()]

    @cached_property
    def _different(self) -> pa.DictionaryArray:
        return self.columns["outcomes"].combine_chunks().dictionary_encode()

    def matching(self, choice: TrialFilter) -> np.ndarray:
        """Numbers of the trials that were chosen, in order."""
        chosen = np.ones(len(self), dtype=bool)
        for name in SORTED_BY[:-1]:
            wanted = getattr(choice, name)
            if wanted is not None:
                chosen &= self.columns[name].to_numpy() == wanted
        if choice.outcome is not None:
            name, wanted = choice.outcome
            fits = [name in each and repr(each[name]) == repr(wanted) for each in self._outcomes]  # 1 is not True
            chosen &= np.asarray(fits, dtype=bool)[self._different.indices.to_numpy()]
        return np.flatnonzero(chosen)

    @cached_property
    def orders(self) -> list[str]:
        """What trials can be put in order by: columns, then outcomes."""
        names = dict.fromkeys(name for outcomes in self._outcomes for name in outcomes)
        return [*SORTED_BY[:-1], *(name for name in names if name not in SORTED_BY)]

    def ordered(self, rows: np.ndarray, by: str, *, falling: bool = False) -> np.ndarray:
        """The same trials by one of `orders`; equal ones stay in order, and those without a value are last."""
        ranks = self._ranks(by)[rows]
        known = rows[ranks >= 0]
        order = np.argsort((-1 if falling else 1) * ranks[ranks >= 0], kind="stable")
        return np.concatenate([known[order], rows[ranks < 0]])

    def _ranks(self, by: str) -> np.ndarray:
        """Of each trial; -1 without a value. Numbers come before words."""
        if by in SORTED_BY[:-1]:
            return np.unique(self.columns[by].to_numpy(), return_inverse=True)[1]
        values = [each.get(by) for each in self._outcomes]
        keys = [(0, value, "") if isinstance(value, bool | int | float) else (1, 0, str(value)) for value in values]
        places = {key: rank for rank, key in enumerate(sorted(set(keys)))}
        ranks = [-1 if value is None else places[key] for value, key in zip(values, keys, strict=True)]
        return np.asarray(ranks, dtype=int)[self._different.indices.to_numpy()]

    def page(self, rows: np.ndarray) -> list[Row]:
        """What a list shows of some trials. Read from the disk now."""
        return self._listed(rows)

    def trial(self, id: str) -> Trial:
        """All of one trial. Raises InputError where there is none of this id, or it is damaged."""
        found = self.columns["id"].index(id).as_py()
        if found < 0:
            raise InputError("no such trial", given=id)
        return self._trial(found)


def settled(table: Path) -> TrialPages:
    """Of a finished run. Raises OSError or ValueError (pyarrow's errors are of these) for a broken table."""
    columns = pq.read_table(table, columns=list(_IN_MEMORY.names))

    def listed(rows: np.ndarray) -> list[Row]:
        return [{**row, "outcomes": json.loads(row["outcomes"])} for row in _rows(table, rows, _LISTED)]

    def trial(row: int) -> Trial:
        raw = _rows(table, np.asarray([row]), list(COLUMNS.names))[0]
        return Trial.from_raw({**raw, **{name: json.loads(raw[name]) for name in AS_JSON}})

    return TrialPages(columns, listed, trial)


def _rows(table: Path, rows: np.ndarray, columns: Sequence[str]) -> list[Row]:
    """Rows by number, in the given order; only their row groups are read."""
    found: dict[int, Row] = {}
    with pq.ParquetFile(table) as file:
        sizes = [file.metadata.row_group(index).num_rows for index in range(file.num_row_groups)]
        starts = np.concatenate([[0], np.cumsum(sizes)])
        groups = np.searchsorted(starts, rows, side="right") - 1
        for group in np.unique(groups):
            here = rows[groups == group]
            read = file.read_row_group(int(group), columns=list(columns)).take(pa.array(here - starts[group]))
            found.update(zip(here.tolist(), read.to_pylist(), strict=True))
    return [found[row] for row in rows.tolist()]


class FollowedRun:
    """Of a run that is still going: each look reads only the lines that have come since the last one."""

    def __init__(self, path: Path):
        self._path = path
        self._forget()

    def _forget(self) -> None:
        self._columns, self._starts, self._end = _IN_MEMORY.empty_table(), [], 0

    def look(self) -> TrialPages:
        """The trials that are there now. Raises ValueError for a line that is not JSON, KeyError for one that is no
        trial."""
        if self._path.exists() and self._path.stat().st_size < self._end:
            self._forget()  # another run has taken its place
        new: list[Row] = []
        ends = [self._end]
        for line, end in Lines(self._path).since(self._end):
            raw = json.loads(line)
            new.append({**{name: raw[name] for name in _IN_MEMORY.names}, "outcomes": json.dumps(raw["outcomes"])})
            ends.append(end)
        if new:
            self._columns = pa.concat_tables([self._columns, pa.Table.from_pylist(new, schema=_IN_MEMORY)])
            self._starts, self._end = [*self._starts, *ends[:-1]], ends[-1]
        lines, starts = Lines(self._path), self._starts

        def listed(rows: np.ndarray) -> list[Row]:
            return [json.loads(lines.at(starts[row])) for row in rows.tolist()]

        return TrialPages(self._columns, listed, lambda row: Trial.from_line(lines.at(starts[row])))

"""What the pages look at: the runs below one folder, and their trials, as they are on the disk now."""

from collections import OrderedDict
from pathlib import Path
from threading import Lock
from typing import TypeVar

from introlab.records.catalog import Catalogue
from introlab.records.run import Run
from introlab.records.trial_query import FollowedRun, TrialPages, settled

KEPT = 8
"""Runs whose trials are kept in memory, those looked at last."""
_Stamp = tuple[Path, int, int]
Key = TypeVar("Key")
Value = TypeVar("Value")


class RunCache:
    """Shared by all requests. What has been read of a run is kept; of a file that grows, only what is new is read."""

    def __init__(self, root: Path):
        self.catalogue = Catalogue(root)
        self._lock = Lock()
        self._settled: OrderedDict[_Stamp, TrialPages] = OrderedDict()
        self._growing: OrderedDict[Path, FollowedRun] = OrderedDict()

    def trials(self, name: str) -> TrialPages:
        """Of a run by name. Raises InputError as `Catalogue.locate` does; OSError, ValueError or KeyError for a
        damaged file."""
        folder = self.catalogue.locate(name)
        table = folder / "trials.parquet"
        with self._lock:
            if not table.exists():
                growing = self._growing.setdefault(folder, FollowedRun(folder / "trials.jsonl"))
                return _used(self._growing, folder, growing).look()
            stamp = (table, table.stat().st_mtime_ns, table.stat().st_size)
            pages = self._settled.get(stamp)
            if pages is None:
                Run(folder).check_table()  # once, as long as its size and time stay
                pages = settled(table)
            return _used(self._settled, stamp, pages)


def _used(kept: OrderedDict[Key, Value], key: Key, value: Value) -> Value:
    """Last used, last to go."""
    kept[key] = value
    kept.move_to_end(key)
    while len(kept) > KEPT:
        kept.popitem(last=False)
    return value

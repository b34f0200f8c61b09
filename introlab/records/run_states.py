"""In which state a run folder is: read from which files are there, each combination of which has one meaning.

The table of states and of the steps that are allowed in each is in the head of `introlab.records.run`.
"""

from enum import StrEnum
from pathlib import Path

from introlab.errors import RunFolderError

MANIFEST, LINES, TEXTS, TABLE = "manifest.json", "trials.jsonl", "texts.jsonl", "trials.parquet"
FINDINGS, REPORT, COMPLETE, REMOVING, LOCK = "findings.json", "report.html", "COMPLETE", "REMOVING", ".lock"


class State(StrEnum):
    """What a run folder is between two steps, and after a crash in any of them."""

    ABSENT = "absent"
    GROWING = "growing"
    SETTLED = "settled"
    COMPLETE = "complete"
    REMOVING = "removing"


def state_of(folder: Path) -> State:
    """The state of a folder. Raises RunFolderError for files that no step leaves behind."""

    def there(*names: str) -> list[str]:
        return [name for name in names if (folder / name).exists()]

    if there(REMOVING):
        return State.REMOVING
    if not there(MANIFEST):
        if left := there(TABLE, LINES, COMPLETE):
            raise _contradiction(folder, f"{', '.join(left)} without {MANIFEST}")
        return State.ABSENT
    if there(COMPLETE):
        if not there(TABLE, LINES):  # lines are what schema 1 kept finished trials in
            raise _contradiction(folder, f"{COMPLETE} without {TABLE}")
        return State.COMPLETE
    return State.SETTLED if there(TABLE) else State.GROWING


def _contradiction(folder: Path, given: str) -> RunFolderError:
    return RunFolderError(
        "a run folder of which something was removed",
        given=f"{folder}: {given}",
        do="take what is missing from a copy, or choose another --out; nothing here was changed",
    )

"""`introlab export`: the trials of a run for other tools."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from introlab.io.terminal import say
from introlab.records.export import export
from introlab.records.run import Run
from introlab.reporting.inspect_log import export_inspect


@dataclass(frozen=True)
class Export:
    """The trials of a run as one flat table (.csv, .parquet), or as a log that inspect_ai reads (.json).

    A table has a column for every reading and outcome."""

    run: Annotated[Path, tyro.conf.Positional]
    """A run folder."""
    out: Path
    """The file to write; its ending says the format."""
    to: Literal["table", "inspect"] = "table"
    """A table, or a log of Inspect: `inspect view` (extra `inspect`) shows it."""

    def __call__(self) -> int:
        count = (export_inspect if self.to == "inspect" else export)(Run.open(self.run), self.out)
        say(f"{count} trials in {self.out}")
        return 0

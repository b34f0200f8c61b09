"""`introlab export`: the trials of a run for other tools."""

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from introlab.exports import export
from introlab.runs import Run


@dataclass(frozen=True)
class Export:
    """The trials of a run as one flat table, .csv or .parquet: a column for every reading and outcome."""

    run: Annotated[Path, tyro.conf.Positional]
    """A run folder."""
    out: Path
    """The file to write; its ending says the format."""

    def __call__(self) -> int:
        count = export(Run.open(self.run), self.out)
        sys.stdout.write(f"{count} trials in {self.out}\n")
        return 0

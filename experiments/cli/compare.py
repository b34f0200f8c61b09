"""introlab compare: runs side by side, with how much they differ and whether that is more than chance."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from introlab.errors import RunFolderError
from introlab.io.terminal import say
from introlab.records.run import Run
from introlab.reporting.comparison import compare
from introlab.reporting.comparison_html import render_comparison, text_comparison


@dataclass(frozen=True)
class Compare:
    """Finished runs side by side: each later one against the first. Needs no model."""

    runs: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Run folders."""
    out: Path | None = None
    """Write it as one HTML file, with figures and paired trials, too."""

    def __call__(self) -> int:
        runs = {str(folder): Run.open(folder) for folder in self.runs}
        found = compare(runs)
        say(text_comparison(found))
        if self.out is not None:
            try:
                self.out.write_text(render_comparison(found, runs), encoding="utf-8")
            except OSError as error:
                raise RunFolderError(
                    "the comparison cannot be written",
                    given=f"{self.out} ({error.strerror})",
                    do="choose another --out",
                ) from error
            say(f"\nside by side: {self.out}")
        return 0

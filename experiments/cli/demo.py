"""introlab demo: every experiment on the shipped organisms, and one report of it all."""

import time
from dataclasses import dataclass
from pathlib import Path

from experiments import discover
from experiments.cli.output import hush
from experiments.cli.run import now, show
from introlab.experiment.settings import Settings
from introlab.io.atomic import write_whole
from introlab.io.terminal import say, tell
from introlab.reporting.html import Chapter, render


@dataclass(frozen=True)
class Demo:
    """Every experiment on the shipped organisms, and one report of it all."""

    out: Path | None = None
    """Where to; default: runs/demo/TIME."""
    small: bool = False
    """Debug sizes, to see that everything works."""
    device: str | None = None
    dtype: str = "float32"
    quiet: bool = False

    def __call__(self) -> int:
        from introlab.experiment.runner import execute  # loads torch

        started, folder = time.perf_counter(), self.out or Path("runs") / "demo" / now()
        chapters = []
        for name, kind in sorted(discover().items()):
            experiment = kind.debug_size() if self.small else kind()
            made = execute(
                experiment,
                folder / name,
                settings=Settings(device=self.device, dtype=self.dtype, quiet=self.quiet),
                say=hush if self.quiet else tell,
            )
            show(made, kind, as_json=False)
            chapters.append(
                Chapter(kind, made.manifest, made.findings, experiment.draw(made.findings), list(made.trials()))
            )
        html = render(chapters)
        write_whole(folder / "report.html", lambda beside: beside.write_text(html, encoding="utf-8"))
        say(f"\nall of it in {time.perf_counter() - started:.0f} s; the report to look at: {folder / 'report.html'}")
        return 0

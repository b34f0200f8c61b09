"""introlab demo: every experiment in five minutes, on organisms and on a real chat model, and one report of it all."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from experiments import discover, find
from experiments.cli.output import hush
from experiments.cli.run import now, show
from introlab.errors import CacheError, InputError
from introlab.experiment.base import Experiment
from introlab.experiment.settings import Settings
from introlab.io.atomic import write_whole
from introlab.io.terminal import say, tell
from introlab.reporting.html import Chapter, render

REAL = "smollm2"
"""The real chat model."""


@dataclass(frozen=True)
class DemoPart:
    """One experiment on some models at a reduced size."""

    experiment: str
    models: tuple[str, ...]
    sizes: Mapping[str, Any] = field(default_factory=dict[str, Any])

    @property
    def folder(self) -> str:
        """Where its run lies in the demo's folder."""
        return f"{self.experiment}_{REAL}" if REAL in self.models else self.experiment

    @property
    def asked(self) -> Experiment:
        """The experiment at its debug size, but for these sizes."""
        return replace(find(self.experiment).debug_size(), **self.sizes)


_STEERED = {
    "topics": 3,
    "fit_texts": 2,
    "inside": False,
    "calibration_steps": 0,
    "random_directions": 5,
    "replicates": 1,
}
QUICK = (
    DemoPart("confidence", ("organism:calibrated",), {"fit": 120, "tune": 100, "test": 150}),
    DemoPart(
        "confidence",
        (REAL,),
        {"fit": 40, "tune": 30, "test": 50, "samples": 1, "tried": 10, "signals_everywhere": False, "room": 24},
    ),
    DemoPart("steering_resistance", (REAL,), {**_STEERED, "fit_texts": 1}),
    DemoPart(
        "steering_resistance", ("organism:resistant", "organism:immune"), {**_STEERED, "topics": 5, "max_new": 48}
    ),
    DemoPart("reflection_steering", ("organism:reflective",), {"fit": 120, "tune": 60, "test": 120, "pushed": 48}),
    DemoPart("reflection_localization", ("organism:reflective",)),
    DemoPart("injected_concepts", ("organism:introspective", "organism:yes_sayer")),
    DemoPart("self_prediction", ("organism:m1",)),
    DemoPart("endogenous_resistance", ("organism:resistant",)),
)
"""The first finding first; the real model second, so that who stops it early has seen both."""


@dataclass(frozen=True)
class Demo:
    """Every experiment in five minutes, on organisms and on a real chat model, and one report of it all."""

    out: Path | None = None
    """Where to; default: runs/demo/TIME."""
    full: bool = False
    """Every experiment at its default size on all of its organisms, as in the tables of the documentation."""
    small: bool = False
    """Debug sizes on organisms, to see that everything works."""
    device: str | None = None
    dtype: str = "float32"
    quiet: bool = False

    def __call__(self) -> int:
        from introlab.experiment.runner import execute  # loads torch

        parts = list(self._parts())
        started, folder = time.perf_counter(), self.out or Path("runs") / "demo" / now()
        settings = Settings(device=self.device, dtype=self.dtype, quiet=self.quiet, budget="unlimited")
        chapters: list[Chapter] = []
        for part, experiment in parts:
            made = execute(
                experiment,
                folder / part.folder,
                models=part.models,
                settings=settings,
                say=hush if self.quiet else tell,
            )
            kind, findings = type(experiment), made.findings
            show(made, kind, as_json=False)
            say(f"found after {time.perf_counter() - started:.0f} s")
            chapters.append(Chapter(kind, made.manifest, findings, experiment.draw(findings), list(made.trials())))
        html = render(chapters)
        write_whole(folder / "report.html", lambda beside: beside.write_text(html, encoding="utf-8"))
        say(f"\nall of it in {time.perf_counter() - started:.0f} s; the report to look at: {folder / 'report.html'}")
        return 0

    def _parts(self) -> Iterator[tuple[DemoPart, Experiment]]:
        """What is run, in order. The real model is fetched before the clock runs, or said to be missing."""
        if self.full or self.small:
            for name, kind in sorted(discover().items()):
                yield DemoPart(name, kind.models), kind() if self.full else kind.debug_size()
            return
        there = _fetched()
        for part in QUICK:
            if there or REAL not in part.models:
                yield part, part.asked


def _fetched() -> bool:
    """Whether the real model is here, fetched now where it can be; says what is left out where it cannot."""
    from introlab.network.fetch import ensure  # loads torch

    try:
        ensure(REAL, tell)
    except (InputError, CacheError) as error:
        tell(f"without {REAL}, on organisms alone: {error}")
        return False
    return True

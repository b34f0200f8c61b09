"""A finished run in a notebook: findings, figures, trials as a table, and the report. Loads no model's libraries."""

import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

from introlab.errors import InputError
from introlab.records.findings import Findings
from introlab.records.run import Run
from introlab.records.run_states import REPORT, State

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class RunResults:
    """What a run left on disk, read when it is asked for."""

    folder: Path

    @classmethod
    def open(cls, folder: Path | str) -> Self:
        """The results of an earlier run. Raises InputError where there is no finished one."""
        run = Run.open(Path(folder))
        if run.state is not State.COMPLETE:
            raise InputError(
                "a run that is not finished",
                given=f"{folder} ({run.state.name.lower()})",
                allowed="a run folder with COMPLETE in it",
                do="ask for the same run with out= this folder: it goes on from there",
            )
        return cls(Path(folder))

    @cached_property
    def folder_record(self) -> Run:
        """The run folder as the lab keeps it: manifest, state, trials one by one."""
        return Run.open(self.folder)

    @cached_property
    def findings(self) -> Findings:
        """Estimates, checks of the controls and the answer."""
        return self.folder_record.findings

    @cached_property
    def figures(self) -> "dict[str, Figure]":
        """The figures by name, as plotly objects."""
        from introlab.reporting.notebook_figure import NotebookFigure

        return {name: NotebookFigure(drawn) for name, drawn in self.folder_record.figures.items()}

    @cached_property
    def trials(self) -> "pd.DataFrame":
        """A line a trial: its fields, then `reading.NAME` and `outcome.NAME`. What could not be had is empty."""
        from introlab.records.export import flat

        return flat(self.folder_record.trials())

    @property
    def report(self) -> Path:
        """The page that holds all of it."""
        return self.folder / REPORT

    def _repr_html_(self) -> str:
        from introlab.io.markup import card, grid

        manifest, findings = self.folder_record.manifest, self.findings
        told = {True: "holds", False: "FAILS", None: "cannot tell"}
        checks = sorted(findings.checks, key=lambda check: (check.passed is True, check.passed is None))
        facts = {
            "question": manifest["question"],
            "models": ", ".join(manifest["specs"]),
            "answer": findings.answer,
            **{str(model): verdict for model, verdict in findings.verdicts.items()},
            "figures": ", ".join(self.figures),
            "report": self.report,
        }
        rows = [(check.control.replace("_", " "), told[check.passed], check.detail) for check in checks]
        name = re.sub("_", " ", str(manifest["experiment"]))
        return card(f"Run of {name}", facts, below=grid(("control", "", "detail"), rows))

"""introlab report: findings, figures and report of a run, written anew from its trials."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from experiments import find
from experiments.cli.run import show
from introlab.errors import InputError
from introlab.experiment.conclude import conclude
from introlab.records.manifests import REPEATED, check_manifest
from introlab.records.run import Run


@dataclass(frozen=True)
class Report:
    """Write a run's findings, figures and report anew from its trials. Needs no model.

    Of an interrupted run these are of the trials that are there, and it stays interrupted."""

    run: Annotated[Path, tyro.conf.Positional]
    """A run folder."""
    json: bool = False

    def __call__(self) -> int:
        opened = Run.open(self.run)
        check_manifest(opened.manifest, REPEATED)
        kind = find(opened.manifest["experiment"])
        if not opened.has_trials:
            raise InputError("a run without trials", given=self.run, do="run it again")
        with opened.locked():
            conclude(Run.open(self.run), kind.from_parameters(opened.manifest["parameters"]))
        show(opened, kind, as_json=self.json)
        return 0

"""introlab runs: the runs there are, what they take of the disk, and removing those that are not wanted any more."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from introlab.errors import InputError, LabError
from introlab.io.terminal import say, shown
from introlab.records.catalog import CatalogEntry, Catalogue, State
from introlab.records.prune import obstacle, remove
from introlab.reporting.tables import Table, as_text


@dataclass(frozen=True)
class Runs:
    """The runs in a folder, newest first: state, trials, disk use. --prune removes those that are listed."""

    folder: Annotated[Path, tyro.conf.Positional] = Path("runs")
    experiment: str | None = None
    """Only of this experiment."""
    state: State | None = None
    """Only in this state."""
    prune: bool = False
    """Say what of the listed would be removed; only with --experiment or --state."""
    yes: bool = False
    """Remove it."""

    def __call__(self) -> int:
        if not self.folder.is_dir():
            raise InputError("no such folder", given=self.folder, do="name the folder of your runs")
        if self.prune and self.experiment is None and self.state is None:
            raise InputError("prune what?", allowed="--experiment and --state say which runs", do="name one of them")
        catalogue = Catalogue(self.folder)
        wanted = self.experiment and self.experiment.replace("-", "_")
        entries = [
            each
            for each in catalogue.entries()
            if wanted in (None, each.experiment) and self.state in (None, each.state)
        ]
        say(as_text(_table(entries)) if entries else "no runs")
        say(f"\n{len(entries)} runs, {sum(each.bytes for each in entries) / 1e6:.1f} MB")
        return self._prune(catalogue, entries) if self.prune else 0

    def _prune(self, catalogue: Catalogue, entries: Sequence[CatalogEntry]) -> int:
        for entry in entries:
            reason = obstacle(entry)
            name = shown(entry.name, line=True)
            say(f"{'stays' if reason else 'goes':7}{name}{f' ({reason})' if reason else ''}")
        going = [entry for entry in entries if obstacle(entry) is None]
        if not self.yes:
            say(f"\nnothing was removed; --yes removes {len(going)} runs")
            return 0
        freed, left = 0, list[str]()
        for entry in going:
            try:
                freed += remove(catalogue, entry.name)
            except LabError as error:
                left.append(str(error))
        say(f"\n{len(going) - len(left)} runs removed, {freed / 1e6:.1f} MB freed")
        if left:
            raise LabError("some runs could not be removed", given="; ".join(left))
        return 0


def _table(entries: Sequence[CatalogEntry]) -> Table:
    head = ("run", "experiment", "state", "trials", "MB", "started", "models or problem")
    body = tuple(
        (
            shown(each.name, line=True),
            shown(each.experiment, line=True),
            each.state,
            "" if each.trials is None else str(each.trials),
            f"{each.bytes / 1e6:.1f}",
            shown(each.started[:16].replace("T", " "), line=True),
            shown(each.problem or ", ".join(each.models), line=True),
        )
        for each in entries
    )
    return Table(head, body, ("secondary",) * len(body))

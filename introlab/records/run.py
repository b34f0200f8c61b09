"""A run is a folder that a stranger can read: manifest first, trials as they are done, COMPLETE last.

config.json      what repeats it: experiment, parameters, models, settings; `introlab run --config` reads it
manifest.json    experiment, parameters, models, versions, code revision, seeds: written before any trial
trials.jsonl     while it runs: one trial a line, appended as done
texts.jsonl      while it runs: what was written so far, by what asked for it; an interrupted run goes on from it
trials.parquet   once all are done, in place of both: in canonical order (by id)
findings.json    estimates, checks, answer
figures/*.json   plotly figures
report.html      all of it, self-contained
COMPLETE         empty; there only if everything above is
REMOVING         empty; there only while the run is removed
.lock            held while a process writes here

| state    | files                        | means                            | allowed steps                        |
|----------|------------------------------|----------------------------------|--------------------------------------|
| absent   | no manifest, no trials       | no run                           | begin: growing                       |
| growing  | manifest, no table           | trials are missing               | record; settle: settled; remove      |
| settled  | manifest, table, no COMPLETE | every trial is in the table;     | drop the copies; conclude: complete; |
|          |                              | lines that are left are copies   | remove                               |
| complete | manifest, table, COMPLETE    | nothing is missing               | judge; conclude anew, by way of      |
|          |                              |                                  | settled; remove                      |
| removing | REMOVING                     | its removal was begun            | remove to the end: absent            |

A step is one rename or one unlink: a crash leaves the state before it or the state after it. A state is read under the
lock, not remembered from before it. The table gets its name once it was read back and counted and its digest is in the
manifest; it is never written again, and lines and texts are removed only while it is there and holds as many trials.
Other combinations of files are left by no step and are refused (COMPLETE without trials, trials without a manifest).
"""

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from introlab.errors import UNREADABLE, AlteredFile, InputError, ModelMismatch, RunFolderError
from introlab.io.digests import file_digest
from introlab.io.json_digest import sealed
from introlab.io.jsonl import Lines
from introlab.records.findings import Findings
from introlab.records.manifests import check_manifest, read_findings, trials_of
from introlab.records.parquet import count_rows, read_table, write_table
from introlab.records.run_config import CONFIG, RunConfig
from introlab.records.run_folder import SCHEMA, RunFolder
from introlab.records.run_states import (
    COMPLETE,
    FINDINGS,
    LINES,
    REMOVING,
    REPORT,
    TABLE,
    TEXTS,
    State,
)
from introlab.records.trial import Trial

DONE = "done"
"""In what a manifest says of a model: all of its trials are there, `TRIALS` in number."""
TRIALS = "trials"
_NOTE = "table"
"""Of a manifest: rows and digest of the table of trials."""
_OF_A_SESSION = ("models", "batch_size", "started", "date")
"""Entries of a manifest in which an interrupted run and its continuation may differ."""


@dataclass(frozen=True)
class Run(RunFolder):
    """A run folder, finished or not."""

    @classmethod
    def create(cls, folder: Path, manifest: dict[str, Any]) -> "Run":
        """A new folder with its manifest. Raises RunFolderError where it exists already or cannot be written."""
        run = cls(folder)
        if run.state is not State.ABSENT:
            raise RunFolderError("there is a run here already", given=folder, do="choose another --out, or remove it")
        with run._writing("start the run"):
            (folder / "figures").mkdir(parents=True, exist_ok=True)
            run._write_manifest({"schema": SCHEMA, **manifest})
        return run

    def write_config(self, config: RunConfig) -> None:
        """What repeats the run; before the manifest, with which the run begins."""
        with self._writing("write how to repeat the run"):
            self.folder.mkdir(parents=True, exist_ok=True)
            self._write(CONFIG, config.to_json())

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """An existing run. Raises InputError where there is none, its schema is newer than this lab, its manifest was
        changed, or it is half removed."""
        run = cls(folder)
        if (folder / REMOVING).exists():
            raise InputError("a run that is half removed", given=folder, do=_REMOVE)
        try:
            schema = run.schema
            if schema <= SCHEMA:
                check_manifest(run.manifest)
        except AlteredFile:
            raise
        except (InputError, *UNREADABLE) as error:
            raise InputError(
                "not a run folder",
                given=f"{folder} ({' '.join(str(error).split())})",
                allowed="a folder with a manifest.json that the lab wrote",
            ) from error
        if schema > SCHEMA:
            raise InputError(
                "a run of a newer lab", given=f"schema {schema}", allowed=f"up to {SCHEMA}", do="update the lab"
            )
        _ = run.manifest  # raises where it was changed
        return run

    @classmethod
    def resume(cls, folder: Path, manifest: dict[str, Any]) -> "Run":
        """The run that was begun in a folder. Raises RunFolderError where another one was, naming what differs."""
        run = cls.open(folder)
        begun = run.manifest
        stated = json.loads(json.dumps(manifest))  # as a file says it
        differ = [name for name in stated if name not in _OF_A_SESSION and begun.get(name) != stated[name]]
        if differ:
            raise RunFolderError(
                "there is another run here already",
                given="; ".join(f"{name} {_shown(stated[name], begun.get(name))}" for name in differ),
                allowed="; ".join(f"{name} {_shown(begun.get(name), stated[name])}" for name in differ),
                do="choose another --out, or go on with what this run was begun with",
            )
        return run

    def add_model(self, spec: str, facts: dict[str, object]) -> None:
        """Note in the manifest what a spec turned out to be. Raises ModelMismatch where it was another model before."""
        manifest = self.manifest
        known = manifest["models"].get(spec)
        if known is not None and (differ := [name for name in facts if known.get(name, facts[name]) != facts[name]]):
            raise ModelMismatch(
                f"{spec} is not what it was when this run was begun",
                given=", ".join(f"{name} {facts[name]}" for name in differ),
                allowed=", ".join(f"{name} {known[name]}" for name in differ),
                do="choose another --out",
            )
        with self._writing("note the model"):
            self._lines.sync()  # what is said to be done is on the disk
            manifest["models"][spec] = facts
            self._write_manifest(manifest)

    def done(self, trials: int) -> frozenset[str]:
        """The models of which every trial is there, by the manifest. `trials` is how many there are of all: where these
        are fewer than it says, some were lost, and no model counts as done."""
        done = {spec: facts for spec, facts in self.manifest["models"].items() if facts.get(DONE)}
        return frozenset(done if sum(facts.get(TRIALS, 0) for facts in done.values()) <= trials else ())

    @property
    def has_trials(self) -> bool:
        return (self.folder / LINES).exists() or self._table.exists()

    def count(self) -> int:
        """How many trials there are, without reading them."""
        return count_rows(self._table) if self._table.exists() else Lines(self.folder / LINES).count()

    @property
    def complete(self) -> bool:
        return (self.folder / COMPLETE).exists()

    def _repr_html_(self) -> str:
        from introlab.io.markup import card

        manifest = self.manifest
        return card(
            "Run",
            {
                "experiment": manifest["experiment"],
                "question": manifest["question"],
                "models": ", ".join(manifest["specs"]),
                "state": self.state.name.lower(),
                "folder": self.folder,
            },
        )

    @property
    def journal(self) -> Path:
        """Where the texts of an unfinished run are kept."""
        return self.folder / TEXTS

    def record(self, trials: Iterable[Trial], *, known: frozenset[str] | None = None) -> int:
        """Append trials as they come, each handed to the system before the next is made; returns how many were new.

        `known` are the ids of all that is there, where a run is taken up again: these may come once more, and are not
        written twice. Raises RunFolderError if the disk refuses or any other trial comes twice; what was written stays.
        """
        if self._table.exists():
            raise RunFolderError("this run has all of its trials", given=self.folder, do="choose another --out")
        seen = set(self.trial_ids()) if known is None else set[str]()
        before = len(seen)
        with self._writing("record trials"), self._lines.appending() as add:
            for trial in trials:
                if trial.id in seen:
                    raise RunFolderError(
                        "the same trial twice",
                        given=f"{trial.id}: {trial.item}, {trial.condition}",
                        do="report this: the experiment repeats an identity",
                    )
                if known is None or trial.id not in known:
                    seen.add(trial.id)
                    add(trial.to_line())
        return len(seen) - before

    def trials(self) -> Iterator[Trial]:
        """Every trial: of an unfinished run in the order in which they were done, and but for a torn last line (power
        loss). Raises AlteredFile where any was changed on the disk, InputError where they are not trials."""
        with trials_of(self.folder):
            if self._table.exists():
                self.check_table()
                yield from read_table(self._table)
            else:
                yield from map(Trial.from_line, self._lines)

    def trial_ids(self) -> Iterator[str]:
        """Of the trials of an unfinished run."""
        return map(Trial.id_of, self._lines)

    def settle(self) -> None:
        """All trials are done: they are put in canonical order (by id) into one table, in place of what grew. Two runs
        of one experiment can then be compared row by row. A settled run is left as it is, but for copies of its trials.

        Raises RunFolderError where there is nothing to settle, or a table with fewer trials than lines; AlteredFile
        where a line or the table was changed. What there is stays then.
        """
        with self._writing("settle the trials"):
            if not self._table.exists():
                if not (self.folder / LINES).exists():
                    raise RunFolderError("no trials to settle", given=self.folder, do="run it again")
                write_table(self._lines, self._table, self.note_table)
            rows, lines = self.check_table(), Lines(self.folder / LINES).count()
            if rows < lines:
                raise RunFolderError(
                    "the table holds fewer trials than the lines",
                    given=f"{rows} in {TABLE}, {lines} in {LINES}",
                    do=f"remove {TABLE} and go on: it is made anew from the lines",
                )
            for path in (self.folder / LINES, self.journal):
                path.unlink(missing_ok=True)

    def note_table(self, rows: int, digest: str) -> None:
        """Say in the manifest what the table of trials will be, before it is there."""
        self._write_manifest({**self.manifest, _NOTE: {"rows": rows, "sha256": digest}})

    def check_table(self) -> int:
        """How many trials are in the table. Raises AlteredFile where its bytes are not those that were written; that of
        an older lab is only counted."""
        note = self.manifest.get(_NOTE)
        if note is None and not self.sealed:
            return count_rows(self._table)
        if note is None or file_digest(self._table) != note["sha256"]:
            raise AlteredFile(
                "the table of trials is not what was written",
                given=self._table,
                do="take it from a copy; do not use it",
            )
        return int(note["rows"])

    @property
    def _lines(self) -> Lines:
        return Lines(self.folder / LINES, must_be_sealed=self.sealed)

    @property
    def _table(self) -> Path:
        return self.folder / TABLE

    @property
    def findings(self) -> Findings:
        """What the last analysis wrote. Raises AlteredFile where that was changed, InputError where it is not what the
        lab writes."""
        return read_findings(self.folder, must=self.sealed)

    @property
    def figures(self) -> dict[str, dict[str, Any]]:
        """What the last analysis drew, as plotly's JSON, by file name."""
        paths = sorted((self.folder / "figures").glob("*.json"))
        return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}

    def conclude(self, findings: Findings, figures: dict[str, Any], html: str) -> None:
        """Everything right of the trials. Where all of these are there the run is complete, or is again; until all is
        written it is not, so that never one analysis stands beside the figures of another. An unfinished run stays
        unfinished."""
        with self._writing("write findings and report"):
            (self.folder / COMPLETE).unlink(missing_ok=True)
        self.write_findings(findings, figures)
        self.write_report(html)
        if self._table.exists():
            self.finish()

    def write_findings(self, findings: Findings, figures: dict[str, Any]) -> None:
        """Estimates and plotly figures, as JSON. Those of an earlier analysis go."""
        # A figure's name may hold a model's path; a file's name must not.
        named = {f"{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_')}.json": each for name, each in figures.items()}
        with self._writing("write the findings"):
            (self.folder / "figures").mkdir(exist_ok=True)
            self._write(FINDINGS, sealed(json.dumps(findings.as_json(), indent=1, allow_nan=False)))
            for name, figure in named.items():
                self._write(f"figures/{name}", figure.to_json())
            for path in (self.folder / "figures").glob("*.json"):
                if path.name not in named:
                    path.unlink()

    def write_report(self, html: str) -> Path:
        with self._writing("write the report"):
            self._write(REPORT, html)
        return self.folder / REPORT

    def finish(self) -> None:
        """Mark it complete. Raises RunFolderError where its trials are not settled."""
        if self.state is State.GROWING:
            raise RunFolderError("a run that is not settled is not complete", given=self.folder, do="let it finish")
        with self._writing("finish the run"):
            self._write(COMPLETE, "")


_REMOVE = "remove it to the end: introlab runs FOLDER --state broken --prune --yes"


def _shown(value: Any, beside: Any) -> str:
    """A value, or of two tables only the entries in which they differ."""
    if isinstance(value, dict) and isinstance(beside, dict):
        return str({name: each for name, each in value.items() if beside.get(name) != each})
    return str(value)

"""A run is a folder that a stranger can read: manifest first, trials as they are done, COMPLETE last.

manifest.json    experiment, parameters, models, versions, code revision, seeds: written before any trial
trials.jsonl     while it runs: one trial a line, appended as done
texts.jsonl      while it runs: what was written so far, by what asked for it; an interrupted run goes on from it
trials.parquet   once all are done, in place of both: in canonical order (by id)
findings.json    estimates, checks, answer
figures/*.json   plotly figures
report.html      all of it, self-contained
COMPLETE         empty; there only if everything above is
.lock            held while a process writes here
"""

import json
import re
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from introlab.errors import InputError, ModelMismatch, RunFolderError
from introlab.io.atomic import write_whole
from introlab.io.jsonl import Lines
from introlab.records.findings import Findings
from introlab.records.parquet import read_table, write_table
from introlab.records.trial import Trial

SCHEMA = 2
"""1 had finished trials in trials.jsonl; it still opens."""
DONE = "done"
"""In what a manifest says of a model: all of its trials are there."""
_LOOKED_AT = 0.5
"""Seconds that a writer waits for the lock: who looks whether it is held has it for a moment."""
_OF_A_SESSION = ("models", "batch_size", "started")
"""Entries of a manifest in which an interrupted run and its continuation may differ."""


@dataclass(frozen=True)
class Run:
    """A run folder, finished or not."""

    folder: Path

    @classmethod
    def create(cls, folder: Path, manifest: dict[str, Any]) -> "Run":
        """A new folder with its manifest. Raises RunFolderError where it exists already or cannot be written."""
        if (folder / "manifest.json").exists():
            raise RunFolderError("there is a run here already", given=folder, do="choose another --out, or remove it")
        run = cls(folder)
        with run._writing("start the run"):
            (folder / "figures").mkdir(parents=True, exist_ok=True)
            run._write("manifest.json", json.dumps({"schema": SCHEMA, **manifest}, indent=2))
        return run

    @classmethod
    def open(cls, folder: Path) -> "Run":
        """An existing run. Raises InputError where there is none or its schema is newer than this lab."""
        run = cls(folder)
        try:
            schema = int(run.manifest["schema"])
        except (OSError, KeyError, TypeError, ValueError) as error:
            raise InputError(
                "not a run folder", given=folder, allowed="a folder with a manifest.json that the lab wrote"
            ) from error
        if schema > SCHEMA:
            raise InputError(
                "a run of a newer lab", given=f"schema {schema}", allowed=f"up to {SCHEMA}", do="update the lab"
            )
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

    @contextmanager
    def locked(self) -> Generator[None]:
        """Alone with the folder. Raises RunFolderError while another process writes in it."""
        with self._writing("lock the run"):
            self.folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self.folder / ".lock", timeout=_LOOKED_AT)
        try:
            lock.acquire()
        except Timeout as error:
            raise RunFolderError(
                "another process is writing this run", given=self.folder, do="wait for it, or choose another --out"
            ) from error
        try:
            yield
        finally:
            lock.release()

    @property
    def running(self) -> bool:
        """Whether a process writes here now."""
        if not (self.folder / ".lock").is_file():
            return False
        try:
            with FileLock(self.folder / ".lock", timeout=0):
                return False
        except Timeout:
            return True
        except OSError:  # a folder that only can be read
            return False

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))

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
            manifest["models"][spec] = facts
            self._write("manifest.json", json.dumps(manifest, indent=2))

    def has_all_of(self, spec: str) -> bool:
        """Whether every trial of this model is there."""
        return bool(self.manifest["models"].get(spec, {}).get(DONE))

    @property
    def has_trials(self) -> bool:
        return self._lines.path.exists() or self._table.exists()

    @property
    def complete(self) -> bool:
        return (self.folder / "COMPLETE").exists()

    @property
    def journal(self) -> Path:
        """Where the texts of an unfinished run are kept."""
        return self.folder / "texts.jsonl"

    def record(self, trials: Iterable[Trial], *, known: frozenset[str] | None = None) -> int:
        """Append trials as they come, each handed to the system before the next is made; returns how many were new.

        `known` are the ids of all that is there, where a run is taken up again: these may come once more, and are not
        written twice. Raises RunFolderError if the disk refuses or any other trial comes twice; what was written stays.
        """
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
        loss)."""
        if self._table.exists():
            yield from read_table(self._table)
        else:
            yield from map(Trial.from_line, self._lines)

    def trial_ids(self) -> Iterator[str]:
        """Of the trials of an unfinished run."""
        return map(Trial.id_of, self._lines)

    def settle(self) -> None:
        """All trials are done: they are put in canonical order (by id) into one table, in place of what grew. Two runs
        of one experiment can then be compared row by row."""
        with self._writing("settle the trials"):
            if self._lines.path.exists():
                write_table(self._lines.path, self._table)
            for path in (self._lines.path, self.journal):
                path.unlink(missing_ok=True)

    @property
    def _lines(self) -> Lines:
        return Lines(self.folder / "trials.jsonl")

    @property
    def _table(self) -> Path:
        return self.folder / "trials.parquet"

    @property
    def findings(self) -> Findings:
        """What the last analysis wrote."""
        return Findings.from_json(json.loads((self.folder / "findings.json").read_text(encoding="utf-8")))

    @property
    def figures(self) -> dict[str, dict[str, Any]]:
        """What the last analysis drew, as plotly's JSON, by file name."""
        paths = sorted((self.folder / "figures").glob("*.json"))
        return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in paths}

    def write_findings(self, findings: Findings, figures: dict[str, Any]) -> None:
        """Estimates and plotly figures, as JSON."""
        with self._writing("write the findings"):
            self._write("findings.json", json.dumps(findings.as_json(), indent=1, allow_nan=False))
            for name, figure in figures.items():
                # A figure's name may hold a model's path; a file's name must not.
                self._write(f"figures/{re.sub(r'[^A-Za-z0-9]+', '_', name).strip('_')}.json", figure.to_json())

    def write_report(self, html: str) -> Path:
        with self._writing("write the report"):
            self._write("report.html", html)
        return self.folder / "report.html"

    def finish(self) -> None:
        with self._writing("finish the run"):
            self._write("COMPLETE", "")

    def _write(self, name: str, text: str) -> None:
        """Whole or not at all: written beside, then renamed."""
        write_whole(self.folder / name, lambda path: path.write_text(text, encoding="utf-8"))

    @contextmanager
    def _writing(self, purpose: str) -> Generator[None]:
        try:
            yield
        except OSError as error:
            raise RunFolderError(
                f"the run folder cannot be written: could not {purpose}",
                given=f"{self.folder} ({error.strerror})",
                do="free disk space or choose another --out; what was written before is whole",
            ) from error


def _shown(value: Any, beside: Any) -> str:
    """A value, or of two tables only the entries in which they differ."""
    if isinstance(value, dict) and isinstance(beside, dict):
        return str({name: each for name, each in value.items() if beside.get(name) != each})
    return str(value)

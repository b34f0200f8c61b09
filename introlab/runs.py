"""A run is a folder that a stranger can read: manifest first, trials as they are done, COMPLETE last.

manifest.json    experiment, parameters, models, versions, code revision, seeds: written before any trial
trials.jsonl     one trial a line, appended as done; in canonical order (by id) once complete
findings.json    estimates, checks, answer
figures/*.json   plotly figures
report.html      all of it, self-contained
COMPLETE         empty; there only if everything above is
"""

import json
import re
import subprocess
import sys
from collections.abc import Generator, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from introlab.errors import InputError, RunFolderError
from introlab.files import write_whole
from introlab.findings import Findings
from introlab.trials import Trial

SCHEMA = 1
_RECORDED_VERSIONS = ("torch", "transformers", "transformer-lens", "numpy", "scikit-learn", "introspection-lab")


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
            schema = run.manifest["schema"]
        except (OSError, KeyError, json.JSONDecodeError) as error:
            raise InputError(
                "not a run folder", given=folder, allowed="a folder with a manifest.json that the lab wrote"
            ) from error
        if schema > SCHEMA:
            raise InputError(
                "a run of a newer lab", given=f"schema {schema}", allowed=f"up to {SCHEMA}", do="update the lab"
            )
        return run

    @property
    def manifest(self) -> dict[str, Any]:
        return json.loads((self.folder / "manifest.json").read_text(encoding="utf-8"))

    def add_model(self, spec: str, facts: dict[str, object]) -> None:
        """Note in the manifest what a spec turned out to be."""
        with self._writing("note the model"):
            manifest = self.manifest
            manifest["models"][spec] = facts
            self._write("manifest.json", json.dumps(manifest, indent=2))

    @property
    def has_trials(self) -> bool:
        return (self.folder / "trials.jsonl").exists()

    @property
    def complete(self) -> bool:
        return (self.folder / "COMPLETE").exists()

    def record(self, trials: Iterable[Trial]) -> int:
        """Append trials as they come, each handed to the system before the next is made; returns how many.

        Raises RunFolderError if the disk refuses or a trial comes twice; what was written stays.
        """
        seen = {trial.id for trial in self.trials()} if self.has_trials else set[str]()
        count = 0
        with self._writing("record trials"), (self.folder / "trials.jsonl").open("a", encoding="utf-8") as file:
            for trial in trials:
                if trial.id in seen:
                    raise RunFolderError(
                        "the same trial twice",
                        given=f"{trial.id}: {trial.item}, {trial.condition}",
                        do="report this: the experiment repeats an identity",
                    )
                seen.add(trial.id)
                file.write(trial.to_line() + "\n")
                file.flush()
                count += 1
        return count

    def trials(self) -> Iterator[Trial]:
        """Every whole line; a torn last line (power loss) is left out."""
        with (self.folder / "trials.jsonl").open(encoding="utf-8") as file:
            for line in file:
                if line.endswith("\n"):
                    yield Trial.from_line(line)

    def settle(self) -> None:
        """Put the trials in canonical order (by id): two runs of one experiment can then be compared line by line."""
        with self._writing("settle the trials"):
            self._write(
                "trials.jsonl",
                "".join(f"{trial.to_line()}\n" for trial in sorted(self.trials(), key=lambda one: one.id)),
            )

    @property
    def findings(self) -> Findings:
        """What the last analysis wrote."""
        return Findings.from_json(json.loads((self.folder / "findings.json").read_text(encoding="utf-8")))

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


def versions() -> dict[str, str | None]:
    """Of the packages whose versions a result may depend on."""
    found: dict[str, str | None] = {}
    for name in _RECORDED_VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def environment() -> dict[str, Any]:
    """What a repetition would have to match: versions, code revision, machine-independent facts only."""
    return {
        "python": sys.version.split()[0],
        "versions": versions(),
        "code": _revision(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _revision() -> dict[str, Any]:
    """The commit of the lab's own checkout and whether it was changed since; None outside a checkout."""
    root = Path(__file__).parent.parent

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=root, capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    status = git("status", "--porcelain")
    return {"commit": git("rev-parse", "HEAD"), "changed": None if status is None else bool(status)}

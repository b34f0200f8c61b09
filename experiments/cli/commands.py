"""The commands of `introlab`. Each is a dataclass: fields are its flags, calling it runs it."""

import json
import sys
import time
from dataclasses import dataclass, make_dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from experiments import discover, find
from experiments.cli.compare import Compare
from experiments.cli.dashboard import Dashboard
from experiments.cli.doctor import Doctor
from experiments.cli.export import Export
from experiments.cli.judge import JudgeRun
from experiments.cli.own_texts import Fit, Read, Steer
from experiments.cli.replications import Fidelity
from experiments.cli.runs import Runs
from experiments.cli.saes import saes
from introlab.errors import InputError
from introlab.experiment.base import Experiment
from introlab.experiment.runner import Settings, conclude, execute
from introlab.network.model import organism_folder, organism_names
from introlab.records.run import Run
from introlab.reporting.html import Chapter, render
from introlab.reporting.tables import text_table


def say(text: str = "") -> None:
    """To the user; stdout is for results."""
    sys.stdout.write(text + "\n")


def tell(text: str) -> None:
    """How it is going, on stderr, so that stdout stays clean for --json."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


@dataclass(frozen=True)
class RunOptions:
    """How to run an experiment, beside its own fields."""

    model: tuple[str, ...] = ()
    """organism:NAME, a local folder or a hub id; several are run one after the other. Default: its organisms."""
    out: Path | None = None
    """The run folder: new, or that of the same run, interrupted, which then goes on. Default: runs/NAME/TIME."""
    materials: Path | None = None
    """A folder with questions.jsonl, topics.json and wording.json to ask with."""
    batch_size: int = 64
    deterministic: bool = False
    """Nothing depends on batch size or order, to the last bit. Slower."""
    workers: int = 1
    """Processes that write texts; each loads the model."""
    engine: Literal["local", "ray"] = "local"
    """Workers of this machine, or of a Ray cluster (extra `ray`)."""
    address: str | None = None
    """Of the Ray cluster; without it, one is started here."""
    dtype: str = "float32"
    device: str | None = None
    trust_remote_code: bool = False
    """Let a hub model run its own code. Off unless you say so."""
    small: bool = False
    """Start from the debug size: seconds, not minutes."""
    quiet: bool = False
    json: bool = False
    """Print the findings as JSON."""

    def settings(self) -> Settings:
        return Settings(
            batch_size=self.batch_size,
            deterministic=self.deterministic,
            dtype=self.dtype,
            device=self.device,
            materials=self.materials,
            trust_remote_code=self.trust_remote_code,
            quiet=self.quiet,
            workers=self.workers,
            engine=self.engine,
            address=self.address,
        )


def run(arguments: list[str]) -> int:
    """Run one experiment."""
    if not arguments or arguments[0].startswith("-"):
        raise InputError("which experiment?", allowed=", ".join(sorted(discover())), do="introlab run NAME")
    name, rest = arguments[0], arguments[1:]
    kind = find(name)
    start = kind.debug_size() if "--small" in rest else kind()
    flat = tyro.conf.OmitArgPrefixes
    command = make_dataclass(
        "command", [("options", flat[RunOptions], RunOptions()), ("experiment", flat[kind], start)], frozen=True
    )  # type: ignore[valid-type]
    chosen: Any = tyro.cli(command, args=rest, prog=f"introlab run {name}", description=kind.question())
    options: RunOptions = chosen.options
    folder = options.out or Path("runs") / kind.name() / _now()
    made = execute(
        chosen.experiment,
        folder,
        models=options.model,
        settings=options.settings(),
        say=_hush if options.quiet else tell,
    )
    _show(made, kind, as_json=options.json)
    return 0


def _show(made: Run, kind: type[Experiment], *, as_json: bool) -> None:
    findings = made.findings
    if as_json:
        say(json.dumps({"folder": str(made.folder), **findings.as_json()}))
        return
    say(f"\n{kind.question()}\n")
    say(text_table(findings))
    say(f"\n{findings.answer}\n")
    say(f"report: {made.folder / 'report.html'}")


@dataclass(frozen=True)
class Demo:
    """Every experiment on the shipped organisms, and one report of it all."""

    out: Path | None = None
    """Where to; default: runs/demo/TIME."""
    small: bool = False
    """Debug sizes, to see that everything works."""
    quiet: bool = False

    def __call__(self) -> int:
        started, folder = time.perf_counter(), self.out or Path("runs") / "demo" / _now()
        chapters = []
        for name, kind in sorted(discover().items()):
            experiment = kind.debug_size() if self.small else kind()
            made = execute(
                experiment, folder / name, settings=Settings(quiet=self.quiet), say=_hush if self.quiet else tell
            )
            _show(made, kind, as_json=False)
            chapters.append(
                Chapter(kind, made.manifest, made.findings, experiment.draw(made.findings), list(made.trials()))
            )
        (folder / "report.html").write_text(render(chapters), encoding="utf-8")
        say(f"\nall of it in {time.perf_counter() - started:.0f} s; the report to look at: {folder / 'report.html'}")
        return 0


@dataclass(frozen=True)
class List:
    """The experiments and what each one asks."""

    json: bool = False

    def __call__(self) -> int:
        known = {name: kind.question() for name, kind in sorted(discover().items())}
        say(
            json.dumps(known)
            if self.json
            else "\n".join(f"{name.replace('_', '-'):26}{question}" for name, question in known.items())
        )
        return 0


@dataclass(frozen=True)
class Models:
    """The organisms that come with the lab, and what else a model can be named by."""

    json: bool = False

    def __call__(self) -> int:
        cards = [
            json.loads((organism_folder() / name / "organism.json").read_text(encoding="utf-8"))
            for name in organism_names()
        ]
        if self.json:
            say(json.dumps(cards))
            return 0
        for card in cards:
            say(f"organism:{card['name']:20}{card['planted']}")
        say("\nalso: a local Hugging Face folder (./my-model) or a hub id (Qwen/Qwen3-0.6B)")
        return 0


@dataclass(frozen=True)
class Report:
    """Write a run's findings, figures and report anew from its trials. Needs no model."""

    run: Annotated[Path, tyro.conf.Positional]
    """A run folder."""
    json: bool = False

    def __call__(self) -> int:
        opened = Run.open(self.run)
        kind = find(opened.manifest["experiment"])
        if not opened.has_trials:
            raise InputError("a run without trials", given=self.run, do="run it again")
        conclude(opened, kind.from_parameters(opened.manifest["parameters"]))
        _show(opened, kind, as_json=self.json)
        return 0


def organisms(arguments: list[str]) -> int:
    """Train organisms, write their cards, write the materials."""
    from organisms.__main__ import organisms_command

    return organisms_command(arguments)


COMMANDS: dict[str, Any] = {
    "demo": Demo,
    "list": List,
    "run": run,
    "report": Report,
    "export": Export,
    "judge": JudgeRun,
    "runs": Runs,
    "compare": Compare,
    "dashboard": Dashboard,
    "models": Models,
    "read": Read,
    "fit": Fit,
    "steer": Steer,
    "saes": saes,
    "fidelity": Fidelity,
    "doctor": Doctor,
    "organisms": organisms,
}


def dispatch(arguments: list[str]) -> int:
    """Find the command and run it. Raises InputError for an unknown one."""
    if not arguments or arguments[0] in ("-h", "--help"):
        say("usage: introlab COMMAND ...\n")
        for name, command in COMMANDS.items():
            say(f"  {name:12}{(command.__doc__ or '').strip().splitlines()[0]}")
        say("\nintrolab COMMAND --help says more; introlab run NAME --help lists an experiment's own fields.")
        return 0
    name, rest = arguments[0], arguments[1:]
    if name not in COMMANDS:
        raise InputError("unknown command", given=name, allowed=", ".join(COMMANDS))
    command = COMMANDS[name]
    return tyro.cli(command, args=rest, prog=f"introlab {name}")() if isinstance(command, type) else command(rest)


def _now() -> str:
    return datetime.now().strftime("%Y%m%d-%H%M%S")


def _hush(_: str) -> None:
    return None

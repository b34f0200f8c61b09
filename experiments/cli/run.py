"""introlab run: one experiment on any models, into a run folder."""

import json
from dataclasses import dataclass, fields, make_dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import tyro

from experiments import discover, find
from experiments.cli.output import hush
from introlab.errors import InputError
from introlab.experiment.base import Experiment
from introlab.experiment.settings import Settings
from introlab.io.terminal import say, tell
from introlab.records.run import Run


@dataclass(frozen=True)
class RunOptions:
    """How to run an experiment, beside its own fields."""

    model: tuple[str, ...] = ()
    """organism:NAME, smollm2, a .gguf file, a local folder or a hub id; several are run one after the other. Default:
    its organisms."""
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
    raw: bool = False
    """Give models the bare words, without their chat template. For base models."""
    trust_remote_code: bool = False
    """Let a hub model run its own code. Off unless you say so."""
    allow_missing: tuple[str, ...] = ()
    """Tensors, by name (with * and ?), that a model's files may lack; they are drawn at random."""
    anyway: bool = False
    """Run even where a check of the model (introlab check) says that nothing could be decided."""
    small: bool = False
    """Start from the debug size: seconds, not minutes. On a large model within a budget of 2m."""
    budget: str | None = None
    """Of time: 90s, 10m, 2h, or unlimited. Sizes that are not given as flags are cut to it before the run begins, in
    the order and down to the floors that the experiment declares. Default: 10m on a model of 20 million parameters or
    more, else unlimited."""
    quiet: bool = False
    json: bool = False
    """Print the findings as JSON."""

    def settings(self, keep: frozenset[str]) -> Settings:
        return Settings(
            budget=self.budget,
            small=self.small,
            keep=keep,
            batch_size=self.batch_size,
            deterministic=self.deterministic,
            dtype=self.dtype,
            device=self.device,
            raw=self.raw,
            materials=self.materials,
            trust_remote_code=self.trust_remote_code,
            quiet=self.quiet,
            workers=self.workers,
            engine=self.engine,
            address=self.address,
            allow_missing=self.allow_missing,
            anyway=self.anyway,
        )


def run(arguments: list[str]) -> int:
    """Run one experiment."""
    if not arguments or arguments[0].startswith("-"):
        raise InputError("which experiment?", allowed=", ".join(sorted(discover())), do="introlab run NAME")
    name, rest = arguments[0], arguments[1:]
    kind = find(name)
    from introlab.experiment.runner import execute  # loads torch

    start = kind.debug_size() if "--small" in rest else kind()
    flat = tyro.conf.OmitArgPrefixes
    command = make_dataclass(
        "command", [("options", flat[RunOptions], RunOptions()), ("experiment", flat[kind], start)], frozen=True
    )  # type: ignore[valid-type]
    chosen: Any = tyro.cli(command, args=rest, prog=f"introlab run {name}", description=kind.question())
    options: RunOptions = chosen.options
    folder = options.out or Path("runs") / kind.name() / now()
    made = execute(
        chosen.experiment,
        folder,
        models=options.model,
        settings=options.settings(_given(kind, rest)),
        say=hush if options.quiet else tell,
    )
    show(made, kind, as_json=options.json)
    return 0


def _given(kind: type[Experiment], arguments: list[str]) -> frozenset[str]:
    """The experiment's own fields that were given as flags: no budget cuts them."""
    flags = {one.split("=")[0].removeprefix("--").removeprefix("no-").replace("-", "_") for one in arguments}
    return frozenset(flags & {each.name for each in fields(kind)})


def show(made: Run, kind: type[Experiment], *, as_json: bool) -> None:
    from introlab.reporting.tables import text_table

    findings = made.findings
    if as_json:
        say(json.dumps({"folder": str(made.folder), **findings.as_json()}))
        return
    say(f"\n{kind.question()}\n")
    say(text_table(findings))
    say(f"\n{findings.answer}\n")
    say(f"report: {made.folder / 'report.html'}")


def now() -> str:
    return datetime.now().strftime("%Y%m%d-%H%M%S")

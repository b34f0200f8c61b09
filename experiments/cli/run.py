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
from introlab.records.run_config import RunConfig


@dataclass(frozen=True)
class RunOptions:
    """How to run an experiment, beside its own fields."""

    model: tuple[str, ...] = ()
    """organism:NAME, smollm2, a .gguf file, a local folder or a hub id; several are run one after the other. Default:
    its organisms."""
    config: Path | None = None
    """Repeat a run: its folder, its config.json, or a changed copy of that. Other flags go over what it says."""
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

    def settings(self, **more: Any) -> Settings:
        """For the runner; `more` is what no flag gives."""
        return Settings(
            budget=self.budget,
            small=self.small,
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
            **more,
        )


def run(arguments: list[str]) -> int:
    """Run one experiment."""
    if arguments and arguments[0] in ("-h", "--help"):
        say(_overview())
        return 0
    config = _config(arguments)
    named = bool(arguments) and not arguments[0].startswith("-")
    if not named and config is None:
        raise InputError(
            "which experiment?", allowed=", ".join(sorted(discover())), do="introlab run NAME, or --config FILE"
        )
    kind = find(arguments[0] if named or config is None else config.experiment)
    if config is not None and find(config.experiment) is not kind:
        raise InputError(
            "a configuration of another experiment",
            given=f"{arguments[0]}, and {config.experiment} in the configuration",
            allowed=config.experiment,
            do="leave the name out: introlab run --config FILE",
        )
    rest = arguments[1:] if named else arguments
    start = kind.debug_size() if "--small" in rest else kind()
    options, more, keep = RunOptions(), {}, _given(kind, rest)
    if config is not None:
        start = kind.from_parameters({**start.parameters(), **config.parameters})
        options, more = _as_configured(config)
        keep |= frozenset(config.parameters)
    command = command_of(kind, options, start)
    chosen: Any = tyro.cli(command, args=rest, prog=f"introlab run {kind.name()}", description=kind.question())
    return _run(chosen.experiment, chosen.options, {**more, "keep": keep})


def command_of(kind: type[Experiment], options: RunOptions, start: Experiment) -> Any:
    """The flags of an experiment: how to run it, and its own fields."""
    flat = tyro.conf.OmitArgPrefixes
    return make_dataclass(
        f"Run_{kind.name()}", [("options", flat[RunOptions], options), ("experiment", flat[kind], start)], frozen=True
    )  # type: ignore[valid-type]


def _run(experiment: Experiment, options: RunOptions, more: dict[str, Any]) -> int:
    from introlab.experiment.runner import execute  # loads torch

    folder = options.out or Path("runs") / experiment.name() / now()
    told = hush if options.quiet else tell
    made = execute(experiment, folder, models=options.model, settings=options.settings(**more), say=told)
    show(made, type(experiment), as_json=options.json)
    return 0


def _given(kind: type[Experiment], arguments: list[str]) -> frozenset[str]:
    """The experiment's own fields that were given as flags: no budget cuts them."""
    flags = {one.split("=")[0].removeprefix("--").removeprefix("no-").replace("-", "_") for one in arguments}
    return frozenset(flags & {each.name for each in fields(kind)})


def _config(arguments: list[str]) -> RunConfig | None:
    """What `--config FILE` or `--config=FILE` names. Raises InputError where it names nothing."""
    for index, argument in enumerate(arguments):
        flag, equals, value = argument.partition("=")
        if flag != "--config":
            continue
        if not equals and index + 1 == len(arguments):
            raise InputError("which configuration?", allowed="a file, or a run folder", do="introlab run --config FILE")
        return RunConfig.read(Path(value if equals else arguments[index + 1]))
    return None


def _as_configured(config: RunConfig) -> tuple[RunOptions, dict[str, Any]]:
    """Defaults of the flags, and what no flag gives: the date that chat templates write."""
    settings = dict(config.settings)
    more = {"day": settings.pop("date")} if "date" in settings else {}
    if "materials" in settings:
        settings["materials"] = Path(settings["materials"])
    return RunOptions(model=config.models, **settings), more


def _overview() -> str:
    questions = "\n".join(
        f"  {name.replace('_', '-'):26}{kind.question()}" for name, kind in sorted(discover().items())
    )
    return (
        f"usage: introlab run EXPERIMENT ...\n       introlab run --config FILE ...\n\n{questions}\n\n"
        "introlab run EXPERIMENT --help lists its flags. --config repeats a run: every run writes a config.json."
    )


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

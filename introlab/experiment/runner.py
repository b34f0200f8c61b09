"""From an experiment and model specs to a finished run folder: preflight, trials, findings, figures, report.

Interrupted, it goes on where it stopped when the same run is asked for in the same folder.
"""

import shutil
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from introlab.errors import InputError, Interrupted, RunFolderError
from introlab.experiment.base import Experiment
from introlab.experiment.conclude import conclude
from introlab.experiment.context import Bench
from introlab.experiment.settings import Settings
from introlab.generation.batch_size import bytes_of_weights, bytes_per_row
from introlab.generation.text_cache import Journal
from introlab.io.environment import environment
from introlab.network.model import load
from introlab.network.registry import record_of
from introlab.network.specs import canonical
from introlab.records.run import DONE, TRIALS, Run
from introlab.records.run_config import RunConfig
from introlab.records.run_states import State
from introlab.records.size import Size
from introlab.records.trial import Trial
from introlab.tasks.materials import materials_for

BYTES_PER_TOKEN = 120
"""Of a trial's line and its text's, measured on the shipped experiments: words, token ids, readings and receipts."""
PROMPT = 128
"""Tokens of a prompt, for what a batch takes of the memory."""


def execute(
    experiment: Experiment,
    folder: Path,
    *,
    models: Sequence[str] = (),
    settings: Settings | None = None,
    say: Callable[[str], None] | None = None,
) -> Run:
    """Run an experiment on the given models or its own organisms, into a new folder or one in which the same run was
    interrupted: then it goes on from there. A complete run is given back as it is.

    Raises InputError before anything is written where the input cannot be used; RunFolderError where another run is in
    the folder or another process writes there; Interrupted on Ctrl-C, with every finished text and trial on disk.
    """
    say = say or _quietly
    chosen = settings or Settings()
    specs = [canonical(spec) for spec in models or type(experiment).models]
    if len(set(specs)) != len(specs):
        raise InputError("a model named twice", given=", ".join(specs), do="name each model once")
    manifest = _manifest(experiment, specs, chosen)
    begun = _found(folder, manifest)
    if begun is State.COMPLETE:
        say(f"complete already: {folder}")
        return Run(folder)
    if begun is not State.ABSENT:
        chosen = replace(chosen, day=str(Run(folder).manifest.get("date", chosen.day)))
    first, size = None, None
    if begun in (State.ABSENT, State.GROWING):
        first = _bench(specs[0], experiment, chosen)
        size = _preflight(experiment, first, len(specs), folder, say)
    run = Run(folder)
    with run.locked():
        try:
            # What was seen before the lock may be over: another process may have begun, finished or removed it.
            state = _found(folder, manifest)
            if state is State.ABSENT:
                first = first or _bench(specs[0], experiment, chosen)
                size = size or _preflight(experiment, first, len(specs), folder, say)
                run.write_config(RunConfig.of(manifest))
                state = Run.create(folder, {**manifest, "expected": asdict(size)}).state
            if state is State.GROWING:
                _record(run, experiment, first or _bench(specs[0], experiment, chosen), specs, chosen, say)
            if state is State.COMPLETE:
                say(f"complete already: {folder}")
            else:
                run.settle()
                conclude(run, experiment)
        except KeyboardInterrupt as interrupt:
            raise _stopped(run) from interrupt
    return run


def _found(folder: Path, manifest: dict[str, Any]) -> State:
    """The state of a folder in which this run may go on. Raises RunFolderError where it may not."""
    if (state := Run(folder).state) is State.ABSENT:
        return state
    return Run.resume(folder, manifest).state


def _stopped(run: Run) -> Interrupted:
    state = run.state
    count = run.count()
    return Interrupted(
        "stopped",
        given=f"{count} finished trials stay in {run.folder}"
        if state in (State.ABSENT, State.GROWING)
        else f"all {count} trials are in {run.folder}",
        do=f"go on with the same command and --out {run.folder}",
    )


def _record(
    run: Run,
    experiment: Experiment,
    first: Bench,
    specs: Sequence[str],
    settings: Settings,
    say: Callable[[str], None],
) -> None:
    """The trials of every model that is not done."""
    known = frozenset(run.trial_ids())
    if known:
        say(f"going on: {len(known)} trials are there")
    done = run.done(len(known))
    left = [spec for spec in specs if spec not in done]
    with closing(_written(run, experiment, first, left, settings, say)) as trials:
        run.record(trials, known=known)


def _written(
    run: Run,
    experiment: Experiment,
    first: Bench,
    specs: Sequence[str],
    settings: Settings,
    say: Callable[[str], None],
) -> Generator[Trial]:
    """Of these models, one after the other; each is noted as done when the trial after its last one is asked for."""
    for spec in specs:
        bench = first if spec == first.model.name else _bench(spec, experiment, settings)
        facts = model_facts(bench)
        run.add_model(spec, facts)
        say(f"{experiment.name()} on {spec}")
        count = 0
        with settings.writers(spec) as writer:
            journal = Journal(run.journal, spec, must_be_sealed=run.sealed)
            for trial in experiment.trials(replace(bench, writer=writer, journal=journal)):
                yield trial
                count += 1
        run.add_model(spec, {**facts, DONE: True, TRIALS: count})


def model_facts(bench: Bench) -> dict[str, object]:
    """What identifies a model, and what it is asked with, in a manifest."""
    model = bench.model
    record = record_of(model.folder)
    return {
        **({"weights": record["source"]} if record else {}),
        "fingerprint": model.fingerprint,
        "family": model.family,
        "dtype": str(model.dtype).removeprefix("torch."),
        "device": str(model.device),
        "layers": model.n_layers,
        "width": model.d_model,
        "chat": list(model.chat.notes),
        **({"date": model.chat.today.isoformat()} if model.chat.dated else {}),
        "materials": bench.materials.fingerprint,
    }


def _bench(spec: str, experiment: Experiment, settings: Settings) -> Bench:
    model = load(**settings.loading(spec))
    return Bench(
        model,
        materials_for(model, settings.materials),
        seed=int(experiment.parameters().get("seed", 0)),
        batch_size=settings.batch_size,
        shuffle=settings.shuffle,
        quiet=settings.quiet,
    )


def _preflight(experiment: Experiment, bench: Bench, models: int, folder: Path, say: Callable[[str], None]) -> Size:
    """How much, how long, how much memory and disk - before any of it is spent."""
    one = experiment.size(bench)
    size = Size(one.texts * models, one.tokens * models)
    seconds, needed = size.tokens / bench.tokens_per_second(), size.tokens * BYTES_PER_TOKEN
    say(
        f"{experiment.name()}: {size.texts} texts on {models} model{'s' if models > 1 else ''}, "
        f"at most {_duration(seconds)} of writing, {_memory(bench, one)}, {needed / 1e6:.0f} MB of disk in {folder}"
    )
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise RunFolderError(
            "not enough disk space",
            given=f"{free / 1e6:.0f} MB free, about {needed / 1e6:.0f} MB needed",
            do="free some, or choose another --out",
        )
    return size


def _memory(bench: Bench, size: Size) -> str:
    """What the experiment loads beside the model is not known here."""
    weights, rows = bytes_of_weights(bench.model), max(1, min(bench.batch_size, size.texts))
    batch = rows * bytes_per_row(bench.model, PROMPT + size.tokens // max(1, size.texts))
    told = [f"{each / 1e9:.1f} GB" if each >= 1e9 else f"{each / 1e6:.0f} MB" for each in (weights, batch)]
    return f"{told[0]} of memory for weights and {told[1]} for a batch of {rows} texts (autoencoders aside)"


def _duration(seconds: float) -> str:
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )


def _manifest(experiment: Experiment, specs: Sequence[str], settings: Settings) -> dict[str, object]:
    return {
        "experiment": experiment.name(),
        "question": experiment.question(),
        "primary": experiment.primary,
        "parameters": experiment.parameters(),
        "passed": list(experiment.passed_parameters()),
        "specs": list(specs),
        "models": {},
        "batch_size": settings.batch_size,
        "deterministic": settings.deterministic,
        "dtype": settings.dtype,
        "device": settings.device,
        "materials": str(settings.materials) if settings.materials else None,
        "trust_remote_code": settings.trust_remote_code,
        **({"raw": True} if settings.raw else {}),
        "date": settings.day,
        **environment(),
    }


def _quietly(_: str) -> None:
    return None

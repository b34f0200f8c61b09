"""From an experiment and model specs to a finished run folder: preflight, trials, findings, figures, report.

Interrupted, it goes on where it stopped when the same run is asked for in the same folder.
"""

import json
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from introlab.errors import InputError, Interrupted
from introlab.experiment.base import Experiment
from introlab.experiment.conclude import conclude
from introlab.experiment.context import RunContext
from introlab.experiment.preflight import Planned, check_disk, plan
from introlab.experiment.settings import Settings
from introlab.generation.text_cache import CompletionCache
from introlab.io.environment import environment
from introlab.network.model import load
from introlab.network.registry import record_of
from introlab.network.specs import canonical
from introlab.records.run import DONE, TRIALS, Run
from introlab.records.run_config import RunConfig
from introlab.records.run_states import State
from introlab.records.size import Size
from introlab.records.trial import Trial
from introlab.tasks.materials import materials_for, materials_of


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
    planned = _begun(folder, experiment, chosen)
    state = _found(folder, _manifest(planned or experiment, specs, chosen))
    if state is State.COMPLETE:
        say(f"complete already: {folder}")
        return Run(folder)
    if state is not State.ABSENT:
        chosen = replace(chosen, day=str(Run(folder).manifest.get("date", chosen.day)))
    first = _bench(specs[0], experiment, chosen) if state in (State.ABSENT, State.GROWING) else None
    if first is not None and planned is None:
        planned = _preflight(experiment, first, len(specs), folder, chosen, say)
    run = Run(folder)
    with run.locked():
        try:
            _to_the_end(run, experiment, planned, first, specs, chosen, say)
        except KeyboardInterrupt as interrupt:
            raise _stopped(run) from interrupt
    return run


def _to_the_end(
    run: Run,
    experiment: Experiment,
    planned: Planned | None,
    first: RunContext | None,
    specs: Sequence[str],
    settings: Settings,
    say: Callable[[str], None],
) -> None:
    """From whatever state the folder is in, under its lock: what was seen before it may be over, as another process may
    have begun, finished or removed the run. What is in the folder then was decided there."""
    planned = _begun(run.folder, experiment, settings) or planned
    state = _found(run.folder, _manifest(planned or experiment, specs, settings))
    if first is None and state in (State.ABSENT, State.GROWING):
        first = _bench(specs[0], experiment, settings)
    if state is State.ABSENT and first is not None:
        planned = planned or _preflight(experiment, first, len(specs), run.folder, settings, say)
        manifest = {**_manifest(planned, specs, settings), "expected": asdict(planned.size)}
        run.write_config(RunConfig.of(manifest))
        state = Run.create(run.folder, manifest).state
    decided = planned.experiment if planned else experiment
    if state is State.GROWING and first is not None:
        _record(run, decided, first, specs, settings, say)
    if state is State.COMPLETE:
        say(f"complete already: {run.folder}")
    else:
        run.settle()
        conclude(run, decided)


def _begun(folder: Path, experiment: Experiment, settings: Settings) -> Planned | None:
    """The experiment as the run in this folder was begun: where a budget cut it, at the sizes that were decided then;
    None where there is no run."""
    if Run(folder).state is State.ABSENT:
        return None
    manifest = Run.open(folder).manifest
    size, note = Size.of(manifest.get("expected")), manifest.get("budget")
    if note is None:
        return Planned(experiment, size)
    asked = {**manifest["parameters"], **{name: before for name, (before, _) in note["cut"].items()}}
    if json.loads(json.dumps(experiment.parameters())) == asked:
        experiment = type(experiment).from_parameters(manifest["parameters"])
    return Planned(experiment, size, {**note, "given": settings.budget})


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
    first: RunContext,
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
    first: RunContext,
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
            journal = CompletionCache(run.journal, spec, must_be_sealed=run.sealed)
            for trial in experiment.trials(replace(bench, writer=writer, journal=journal)):
                yield trial
                count += 1
        run.add_model(spec, {**facts, DONE: True, TRIALS: count})


def model_facts(bench: RunContext) -> dict[str, object]:
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


def _bench(spec: str, experiment: Experiment, settings: Settings) -> RunContext:
    given = materials_of(None, settings.materials) if settings.materials else None  # refused before weights are loaded
    model = load(**settings.loading(spec))
    bench = RunContext(
        model,
        given or materials_for(model),
        seed=int(experiment.parameters().get("seed", 0)),
        batch_size=settings.batch_size,
        shuffle=settings.shuffle,
        quiet=settings.quiet,
    )
    if not settings.anyway:
        experiment.require_decidable(bench)
    return bench


def _preflight(
    experiment: Experiment, bench: RunContext, models: int, folder: Path, settings: Settings, say: Callable[[str], None]
) -> Planned:
    """How much, how long, how much memory and disk - before any of it is spent."""
    planned = plan(experiment, bench, models, settings=settings, say=say)
    check_disk(planned.size, folder)
    return planned


def _manifest(planned: Planned | Experiment, specs: Sequence[str], settings: Settings) -> dict[str, object]:
    experiment, budget = (planned.experiment, planned.budget) if isinstance(planned, Planned) else (planned, None)
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
        **({"budget": budget} if budget is not None else {}),
        "date": settings.day,
        **environment(),
    }


def _quietly(_: str) -> None:
    return None

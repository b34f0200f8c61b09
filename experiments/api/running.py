"""`lab.run`: one experiment on any models, into a run folder, and its results."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from experiments import find
from experiments.api.results import RunResults
from introlab.errors import InputError
from introlab.experiment.base import Experiment
from introlab.experiment.settings import Settings
from introlab.io.terminal import tell
from introlab.network.model import Model


def run(
    experiment: str | type[Experiment] | Experiment,
    *,
    model: str | Model | Sequence[str | Model] = (),
    out: Path | str | None = None,
    small: bool = False,
    progress: bool = False,
    batch_size: int = 64,
    deterministic: bool = False,
    **parameters: Any,
) -> RunResults:
    """Run an experiment by its name (`introlab list`), its class or with its fields chosen, and give its results.

    `parameters` are the experiment's own fields; `small` starts from the debug size, which takes seconds. Without
    `model` it runs on its organisms. Everything is written into `out` (runs/NAME/TIME), from where an interrupted run
    goes on when it is asked for again. Raises InputError before anything is written where the input cannot be used.
    """
    chosen = _chosen(experiment, small, parameters)
    models = [model] if isinstance(model, str | Model) else list(model)
    folder = Path(out) if out is not None else Path("runs") / chosen.name() / datetime.now().strftime("%Y%m%d-%H%M%S")
    settings = _settings(models, batch_size=batch_size, deterministic=deterministic, quiet=not progress)
    from introlab.experiment.runner import execute

    specs = [one.name if isinstance(one, Model) else one for one in models]
    made = execute(chosen, folder, models=specs, settings=settings, say=tell if progress else None)
    return RunResults(made.folder)


def _chosen(experiment: str | type[Experiment] | Experiment, small: bool, parameters: dict[str, Any]) -> Experiment:
    if isinstance(experiment, Experiment):
        if small or parameters:
            raise InputError(
                "an experiment whose fields are chosen already",
                given=f"{experiment.name()} and {', '.join(parameters) or 'small'}",
                allowed="an experiment alone, or its class or name with fields",
                do="put the fields into the experiment",
            )
        return experiment
    kind: Any = find(experiment) if isinstance(experiment, str) else experiment
    if not (isinstance(kind, type) and issubclass(kind, Experiment)):
        raise InputError(
            "not an experiment",
            given=repr(experiment)[:80],
            allowed="a name that `introlab list` shows, a class of experiments, or one with its fields",
            do='write lab.run("confidence", ...)',
        )
    return kind.from_parameters({**(kind.debug if small else {}), **parameters})


def _settings(models: Sequence[str | Model], **how: Any) -> Settings:
    """As the models that are given were loaded, where they are given loaded. Raises InputError where they differ."""
    loaded = [one for one in models if isinstance(one, Model)]
    how_loaded = {(str(one.dtype).removeprefix("torch."), str(one.device), one.chat.raw) for one in loaded}
    if len(how_loaded) > 1:
        raise InputError(
            "models that were loaded differently",
            given="; ".join(f"{dtype} on {device}, raw {raw}" for dtype, device, raw in sorted(how_loaded)),
            allowed="one dtype and device for a run",
            do="run them one by one, or give their names",
        )
    if not how_loaded:
        return Settings(**how)
    dtype, device, raw = how_loaded.pop()
    deterministic = how.pop("deterministic") or any(one.deterministic for one in loaded)
    return Settings(dtype=dtype, device=device, raw=raw, deterministic=deterministic, **how)

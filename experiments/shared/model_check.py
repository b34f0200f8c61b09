"""Asks a model what can be asked of it, part by part; what was asked once is kept on disk.

A part is kept under the fingerprint of the weights, how prompts are written, the materials, and the code and prompts
that made it, and is made anew where any of these has changed.
"""

import hashlib
import importlib
import json
import time
import warnings
from collections.abc import Callable, Iterable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, NamedTuple

from introlab.errors import InputError
from introlab.experiment.base import Experiment
from introlab.experiment.context import RunContext
from introlab.generation.model_sampling import sampling_for
from introlab.io.atomic import write_whole
from introlab.io.json_digest import read_json, sealed
from introlab.network.messages import assistant, user
from introlab.network.model import Model
from introlab.network.registry import models_folder
from introlab.records.model_check import PARTS, CheckPart, Feasibility, ModelCheck, part_from_json
from introlab.tasks.materials import Materials, materials_for

_ROOT = Path(__file__).parents[2]
_READERS = ("answers.py", "answer_numbers.py", "answer_texts.py")


class PartEntry(NamedTuple):
    """Where a part is measured, so that only those that are asked for are imported, and what it depends on."""

    module: str
    needs: tuple[CheckPart, ...]
    made_by: tuple[str, ...]
    """Files beside the module's own that have a say in what comes out."""


ENTRIES: dict[CheckPart, PartEntry] = {
    "answers": PartEntry("experiments.shared.check_answers", (), tuple(f"introlab/tasks/{each}" for each in _READERS)),
    "ways": PartEntry(
        "experiments.confidence.check_ways",
        ("answers",),
        tuple(f"experiments/confidence/{each}" for each in ("ways.py", "ways.json", "elicitation.py", "prompts.json")),
    ),
    "rechecks": PartEntry("experiments.shared.check_rechecks", ("answers",), ("probes/text/reflection.py",)),
    "topics": PartEntry(
        "experiments.shared.check_topics", (), ("probes/text/coherence.py", "probes/text/topic_drift.py")
    ),
}


def check_model(model: Model, materials: Path | None = None, *, again: bool = False) -> ModelCheck:
    """Everything that can be told of a model in about two minutes: ask it all, with its own materials or those in a
    folder. `again` asks anew what was kept."""
    return model_check(RunContext(model, materials_for(model, materials)), again=again)


def model_check(
    bench: RunContext,
    parts: Iterable[CheckPart] = PARTS,
    *,
    again: bool = False,
    tell: Callable[[str], None] | None = None,
) -> ModelCheck:
    """These parts, and those they need; each from the disk where it is there."""
    asked = set(parts)
    asked |= {need for part in asked for need in ENTRIES[part].needs}
    wanted: list[CheckPart] = [part for part in PARTS if part in asked]
    check = ModelCheck(
        bench.model.name, bench.model.fingerprint, template_digest(bench.model), bench.materials.fingerprint
    )
    for part in wanted:
        path = checks_folder() / _key(check, bench.model) / f"{part}-{_made_by(part)}.json"
        found = None if again else _kept(path, part)
        if found is None:
            (tell or _silent)(f"asking {bench.model.name}: {part}")
            found = _asked(bench, check, part)
            _keep(path, *found)
        check = replace(check, **{part: found[0]}, seconds={**check.seconds, part: found[1]})
    return check


def require_decidable(experiment: Experiment, bench: RunContext) -> None:
    """Ask for the parts that an experiment needs, and stop where they say that it cannot be decided. Organisms are not
    asked: what they can do is known from their training. Raises InputError, naming what to change."""
    if bench.model.family is not None or not experiment.check_parts:
        return
    found = experiment.feasibility(model_check(bench, experiment.check_parts), bench.materials)
    if found.possible == "cannot be decided":
        raise InputError(
            f"{found.experiment} cannot be decided on {bench.model.name}",
            given=found.why,
            allowed="a model of which enough can be read (introlab check says what can be)",
            do=f"{found.change}; or --anyway",
        )


def feasible(check: ModelCheck, materials: Materials, experiments: Iterable[Experiment]) -> list[Feasibility]:
    """What each of these experiments, at these settings, can ask of the model."""
    return [each.feasibility(check, materials) for each in experiments]


def template_digest(model: Model) -> str:
    """Of a short dialogue as the model is given it, in text and in tokens: 16 hexadecimal digits. Templates that write
    the date have another one every day."""
    dialogue = [user("one"), assistant("two"), user("three 3")]
    told = f"{model.chat.text(dialogue)}\x1f{model.chat.ids(dialogue)}"
    return hashlib.sha256(told.encode()).hexdigest()[:16]


def checks_folder() -> Path:
    """In the lab's cache ($INTROLAB_CACHE, else the user's), beside the models."""
    return models_folder().parent / "checks"


def _key(check: ModelCheck, model: Model) -> str:
    facts = (check.fingerprint, check.template, check.materials, repr(sampling_for(model)))
    return hashlib.sha256("\x1f".join(facts).encode()).hexdigest()[:16]


def _made_by(part: CheckPart) -> str:
    entry, digest = ENTRIES[part], hashlib.sha256()
    for name in (f"{entry.module.replace('.', '/')}.py", *entry.made_by):
        digest.update((_ROOT / name).read_bytes())
    return digest.hexdigest()[:8] + "".join(f"-{_made_by(need)}" for need in entry.needs)


def _asked(bench: RunContext, check: ModelCheck, part: CheckPart) -> tuple[Any, float]:
    start = time.perf_counter()
    measure: Callable[[RunContext, ModelCheck], Any] = importlib.import_module(ENTRIES[part].module).measure
    found = measure(replace(bench, journal=None), check)
    return found, round(time.perf_counter() - start, 1)


def _kept(path: Path, part: CheckPart) -> tuple[Any, float] | None:
    """None where it is not there, or is not what was written."""
    try:
        raw = read_json(path, must=True)
        return part_from_json(part, raw["part"]), float(raw["seconds"])
    except (InputError, OSError, KeyError, TypeError, ValueError):
        return None


def _keep(path: Path, part: Any, seconds: float) -> None:
    """A cache that cannot be written costs time the next time, and nothing else."""
    text = json.dumps({"seconds": seconds, "part": asdict(part)}, allow_nan=False)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, lambda beside: beside.write_text(sealed(text), encoding="utf-8"))
    except OSError as error:
        warnings.warn(f"the check is not kept: {path.parent}: {error.strerror or error}", stacklevel=3)


def _silent(_: str) -> None:
    return None

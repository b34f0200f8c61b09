"""What a run will take of time, memory and disk, measured on its own first prompts; and its sizes, cut to a budget."""

import math
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from introlab.activations.extract import next_token_logprobs
from introlab.activations.forward import TOGETHER, Text
from introlab.errors import NotFinite, RunFolderError
from introlab.experiment.base import Experiment
from introlab.experiment.budget import SMALL, seconds_of, within
from introlab.experiment.context import RunContext
from introlab.experiment.settings import Settings
from introlab.generation.batch_size import bytes_of_weights, bytes_per_row
from introlab.generation.requests import Generation, Request
from introlab.generation.scheduler import generate
from introlab.interventions.interfaces import Readout
from introlab.records.size import Size
from introlab.reporting.time_budget import budget_told, duration

BYTES_PER_TOKEN = 120
"""Of a trial's line and its text's, measured on the shipped experiments: words, token ids, readings and receipts."""
PROMPT = 128
"""Tokens of a prompt, for what a batch takes of the memory."""
LARGE = 20_000_000
"""Parameters, from which on a model has a budget unless told otherwise."""
DEFAULT = "10m"
"""That budget."""


@dataclass(frozen=True)
class Pace:
    """How fast the work of an experiment goes on this machine."""

    written: float
    """Seconds for each new token that is written."""
    share: float
    """Of the new tokens that texts may have: how many they do have."""
    read: float
    """Seconds for each token that is read beside writing."""

    def writing(self, size: Size) -> float:
        """Seconds."""
        return size.tokens * self.share * self.written

    def reading(self, size: Size) -> float:
        """Seconds."""
        return (size.read + size.read_again * self.share) * self.read

    def seconds(self, size: Size) -> float:
        """Of all."""
        return self.writing(size) + self.reading(size) + size.seconds


@dataclass(frozen=True)
class Planned:
    """An experiment at the size at which it will run, how much that is for all models, and what a manifest keeps of its
    budget (nothing where there is none)."""

    experiment: Experiment
    size: Size
    budget: dict[str, Any] | None = None


class _Asked(Exception):
    """Carries what an experiment asks for first."""

    def __init__(self, requests: Sequence[Request], readouts: Sequence[Readout]):
        super().__init__("not an error")
        self.requests, self.readouts = list(requests), readouts


class AskingContext(RunContext):
    """Writes nothing: gives up, with what was asked for, at the first texts."""

    def generate(
        self, requests: Sequence[Request], *, stage: str, readouts: Sequence[Readout] = ()
    ) -> Iterator[tuple[Request, Generation]]:
        """Raises what carries the requests."""
        raise _Asked(requests, readouts)


def first_requests(experiment: Experiment, bench: RunContext) -> tuple[list[Request], Sequence[Readout]]:
    """The texts that an experiment asks for first; none where its first trial needs no text. Raises whatever keeps it
    from asking."""
    asking = AskingContext(**{each.name: getattr(bench, each.name) for each in fields(bench)})
    try:
        next(iter(experiment.trials(asking)), None)
    except _Asked as asked:
        return asked.requests, asked.readouts
    return [], ()


def measure(experiment: Experiment, bench: RunContext) -> Pace:
    """Of a batch of its own first texts: writing them, and reading them again. Raises NotFinite where that fails."""
    requests, readouts = first_requests(experiment, bench)
    some = _sample(requests, bench) or _greetings(bench)
    list(generate(bench.model, some[:1], seed=bench.seed, batch_size=1, readouts=readouts))
    start = time.perf_counter()
    written = list(generate(bench.model, some, seed=bench.seed, batch_size=bench.batch_size, readouts=readouts))
    if failed := next((one.error for _, one in written if one.error), None):
        raise NotFinite(failed, do="load the model in float32")
    writing, tokens = time.perf_counter() - start, sum(len(one.tokens) for _, one in written)
    texts = [(*asked.prompt, *one.tokens) for asked, one in written][:TOGETHER]
    whole = [Text(text, len(text), str(index)) for index, text in enumerate(texts)]
    start = time.perf_counter()
    next_token_logprobs(bench.model, whole, batch_size=TOGETHER)
    read = (time.perf_counter() - start) / sum(map(len, texts))
    # What its prompts took is counted as reading, as in sizes.
    prompts = sum(map(len, {asked.prompt for asked, _ in written})) * read
    return Pace(max(writing - prompts, writing / 4) / tokens, tokens / sum(asked.max_new for asked in some), read)


def _sample(requests: Sequence[Request], bench: RunContext) -> list[Request]:
    """A batch of them, from all over, but those together that share a prompt."""
    by_prompt: dict[tuple[int, ...], list[Request]] = {}
    for request in requests:
        by_prompt.setdefault(request.prompt, []).append(request)
    groups = list(by_prompt.values())
    wanted = max(1, math.ceil(bench.batch_size * len(groups) / max(1, len(requests))))
    spread = groups[:: max(1, len(groups) // wanted)]
    return [request for group in spread for request in group][: bench.batch_size]


def _greetings(bench: RunContext) -> list[Request]:
    prompt = tuple(bench.model.ids([{"role": "user", "content": "hello"}], room=16))
    return [Request(prompt, "timing", index, max_new=16) for index in range(bench.batch_size)]


def budget_for(bench: RunContext, given: str | None, *, small: bool = False) -> str | None:
    """As given; else, for a model that is LARGE, DEFAULT or SMALL; and none for organisms and their like."""
    large = sum(parameter.numel() for parameter in bench.model.network.parameters()) >= LARGE
    return given or ((SMALL if small else DEFAULT) if large else None)


def plan(
    experiment: Experiment,
    bench: RunContext,
    models: int,
    *,
    settings: Settings,
    say: Callable[[str], None],
) -> Planned:
    """The experiment cut to its budget, if it has one, and how much it is, told beforehand. `models` are taken to be
    like the first. What the caller chose (`settings.keep`, and all that differ from both of its sizes) stay."""
    pace, written = measure(experiment, bench), budget_for(bench, settings.budget, small=settings.small)
    pace = replace(pace, written=pace.written / settings.workers)
    note: dict[str, Any] | None = None

    def cost(one: Experiment) -> float:
        return pace.seconds(one.size(bench) * models)

    if written is not None and math.isfinite(limit := seconds_of(written)):
        experiment, cut = within(experiment, limit, cost, {*settings.keep, *chosen_by_user(experiment)})
        note = {"given": settings.budget, "seconds": limit, "cut": cut, "estimate": round(cost(experiment))}
    size = experiment.size(bench) * models
    seconds = pace.seconds(size)
    say(
        f"{experiment.name()}: {size.texts} texts on {models} model{'s' if models > 1 else ''}, "
        f"about {duration(seconds)} "
        f"(writing {duration(pace.writing(size))}, reading {duration(pace.reading(size))}), "
        f"{_memory(bench, experiment.size(bench))}, {size.tokens * BYTES_PER_TOKEN / 1e6:.0f} MB of disk"
    )
    if note is not None:
        say(budget_told(note))
    return Planned(experiment, size, note)


def chosen_by_user(experiment: Experiment) -> set[str]:
    """Settings that are neither the default nor those of the debug size."""
    default, debug = type(experiment)(), type(experiment).debug_size()
    values = {each.name: getattr(experiment, each.name) for each in fields(experiment)}
    return {name for name, value in values.items() if value not in (getattr(default, name), getattr(debug, name))}


def check_disk(size: Size, folder: Path) -> None:
    """Raises RunFolderError where the disk holds less than a run will take."""
    needed = size.tokens * BYTES_PER_TOKEN
    existing = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(existing).free
    if needed > free:
        raise RunFolderError(
            "not enough disk space",
            given=f"{free / 1e6:.0f} MB free, about {needed / 1e6:.0f} MB needed",
            do="free some, or choose another --out",
        )


def _memory(bench: RunContext, size: Size) -> str:
    """What the experiment loads beside the model is not known here."""
    weights, rows = bytes_of_weights(bench.model), max(1, min(bench.batch_size, size.texts))
    batch = rows * bytes_per_row(bench.model, PROMPT + size.tokens // max(1, size.texts))
    shown = [f"{each / 1e9:.1f} GB" if each >= 1e9 else f"{each / 1e6:.0f} MB" for each in (weights, batch)]
    return f"{shown[0]} of memory for weights and {shown[1]} for a batch of {rows} texts (autoencoders aside)"

"""What is killed, filled and interrupted by `benchmarks.crash_safety`: everything in the lab that writes a folder, each
at a size that takes milliseconds.

A scenario is put into a folder, acts there, and is asked to act again after a fault: then the folder must hold, byte
for byte, what it holds when nothing happens.
"""

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, ClassVar
from unittest.mock import patch

import torch
from plotly.graph_objects import Figure
from safetensors.torch import save_file

from introlab.activations.store import Store
from introlab.errors import Interrupted
from introlab.experiment.base import Experiment
from introlab.experiment.conclude import conclude
from introlab.experiment.context import RunContext
from introlab.experiment.preflight import Planned
from introlab.experiment.runner import execute
from introlab.experiment.settings import Settings
from introlab.generation.requests import Generation, Request
from introlab.io.atomic import saving
from introlab.judges.judge_run import judge_run
from introlab.judges.rubric import Rubric
from introlab.judges.rule_based import RulesJudge
from introlab.network.sites import Site
from introlab.records.catalog import Catalogue
from introlab.records.export import export
from introlab.records.findings import Findings, Row
from introlab.records.prune import remove
from introlab.records.run import Run
from introlab.records.run_states import State, state_of
from introlab.records.size import Size
from introlab.records.trial import Trial
from introlab.reporting.inspect_log import export_inspect
from introlab.stats.interval import Estimate

SPECS = ("organism:one", "organism:other")
TEXTS = 3
"""Of each model."""
REPORT_SCRIPT = "plotly"
"""What stands in reports in place of plotly, which takes 5 MB."""


@dataclass(frozen=True, kw_only=True)
class Tiny(Experiment):
    """Are all trials there?

    One stage of a few texts, whose tokens follow from the item."""

    seed: int = 0
    primary: ClassVar[str] = "trials"
    null: ClassVar[float] = 0.0
    controls: ClassVar[tuple[str, ...]] = ()
    debug: ClassVar[Mapping[str, Any]] = {}
    models: ClassVar[tuple[str, ...]] = SPECS

    def size(self, bench: RunContext) -> Size:
        return Size(TEXTS, TEXTS)

    def trials(self, bench: RunContext) -> Iterator[Trial]:
        asked = [Request((1, 2, 3), str(index)) for index in range(TEXTS)]
        for request, written in bench.generate(asked, stage="texts"):
            yield Trial(
                experiment=self.name(),
                model=bench.model.name,
                item=request.item,
                cluster=request.item,
                split="test",
                condition="baseline",
                text=f"text {request.item}, wait: what is it about",
                tokens=written.tokens,
            )

    def analyze(self, trials: Sequence[Trial]) -> Findings:
        count = Estimate(float(len(trials)), None, None, len(trials), len(trials), "count")
        return Findings((Row("trials", {}, count, "primary"),), (), f"{len(trials)} trials")

    def draw(self, findings: Findings) -> dict[str, Figure]:
        return {"trials": Figure()}

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        return []


@dataclass(frozen=True)
class Unhurried(Settings):
    """Texts are written without a model, each in `seconds`."""

    seconds: float = 0.0

    def writers(self, spec: str) -> AbstractContextManager[Any]:
        def write(model: Any, requests: Sequence[Request], **_: Any) -> Iterator[tuple[Request, Generation]]:
            for request in requests:
                time.sleep(self.seconds)
                yield request, Generation((int(request.item), 7), (-0.5, -0.25), {}, ())

        return nullcontext(write)


def run_tiny(folder: Path, *, seconds: float = 0.0, loading: float = 0.0) -> Run:
    """`execute` with made-up models, which take `loading` seconds to load and `seconds` for a text."""

    def bench(spec: str, *_: Any) -> Any:
        time.sleep(loading)
        return RunContext(SimpleNamespace(name=spec), SimpleNamespace())  # type: ignore[arg-type]

    made: dict[str, Any] = {
        "_bench": bench,
        "_preflight": lambda experiment, *_: Planned(experiment, Size(TEXTS * len(SPECS), TEXTS)),
        "model_facts": lambda bench: {"fingerprint": bench.model.name},
        "environment": lambda: {
            "python": "3",
            "versions": {},
            "code": {"commit": None, "changed": None},
            "started": "",
        },
    }
    with (
        patch.multiple("introlab.experiment.runner", **made),
        patch("plotly.offline.get_plotlyjs", lambda: REPORT_SCRIPT),
    ):
        return execute(Tiny(), folder, settings=Unhurried(seconds=seconds))


def report(folder: Path) -> None:
    """As `introlab report` does."""
    run = Run.open(folder)
    with run.locked(), patch("plotly.offline.get_plotlyjs", lambda: REPORT_SCRIPT):
        conclude(run, Tiny())


def judge(folder: Path) -> None:
    rubric = Rubric.load("announces_interference")
    with patch("introlab.judges.judge_run.calibrate", lambda *_, **__: SimpleNamespace(check=int, as_json=dict)):
        judge_run(Run.open(folder), rubric, RulesJudge.of(rubric))


def prune(folder: Path) -> None:
    if any((folder / name).exists() for name in ("manifest.json", "REMOVING")):
        remove(Catalogue(folder.parent), folder.name)


def export_all(folder: Path) -> None:
    """In each format, as long as it is not there."""
    run, out = Run.open(folder / "run"), folder / "out"
    out.mkdir(exist_ok=True)
    for name, write in (("t.csv", export), ("t.parquet", export), ("t.json", export_inspect)):
        if not (out / name).exists():
            write(run, out / name)


def store(folder: Path, shards: int = 2) -> None:
    """Shards, each only while it is not there: as `collect` goes on."""
    made = Store.create(folder, {"model": "m"})
    there = set(made.index()["key"])
    for index in range(shards):
        key, site = f"key {index}", Site(0)
        row = {**dict.fromkeys(("sample", "item", "span", "pooling", "turn", "phase", "condition", "label"), "")}
        if key not in there:
            rows = [{**row, "key": key, "site": str(site), "token": 1, "position": 1, "row": 0}]
            made.append(rows, {site: torch.full((1, 4), float(index))})


def organism(folder: Path) -> None:
    """Six steps of the loop that trains organisms, with a checkpoint after each; then its weights."""
    from transformers import LlamaConfig, LlamaForCausalLM

    from organisms.training import Checkpoint, LearningSchedule, TrainingExample, train

    if (folder / "model.safetensors").exists():
        (folder / "checkpoint.safetensors").unlink(missing_ok=True)  # as `train_organism` does
        return
    with torch.random.fork_rng():
        torch.manual_seed(0)
        sizes: dict[str, Any] = {"hidden_size": 8, "intermediate_size": 8, "num_hidden_layers": 1}
        model = LlamaForCausalLM(LlamaConfig(vocab_size=8, num_attention_heads=1, tie_word_embeddings=True, **sizes))
    examples = [TrainingExample((1, index % 8, 2), (1.0, 1.0, 1.0)) for index in range(6)]
    checkpoint = Checkpoint(folder / "checkpoint.safetensors", "course", seconds=-1.0)
    train(model, examples, LearningSchedule(batch=1, warmup=2), seed=0, title="tiny", checkpoint=checkpoint)
    weights = {name: value.clone() for name, value in model.state_dict().items()}
    with saving(folder) as room:
        save_file(weights, room / "model.safetensors")
    checkpoint.path.unlink(missing_ok=True)


def autoencoder(folder: Path) -> None:
    """Six steps of a training with a checkpoint after every second one, from a store that is made first."""
    from probes.sae.training import Recipe, train_sae

    recipe = Recipe(architecture="topk", latents=8, active=2, tokens=6 * 16, batch_size=16)
    train_sae(Store.open(folder / "store"), Site(0), folder / "sae", recipe, checkpoint_every=2)


def activations_to_train_on(folder: Path) -> None:
    made = Store.create(folder / "store", {"model": "m", "name": "tiny"})
    values = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
    row = {"span": "all", "pooling": "tokens", "turn": "user", "phase": "prompt", "condition": "", "label": ""}
    made.append(
        [
            {**row, "key": f"{n}", "sample": f"{n // 4}", "item": f"{n // 4}", "site": str(Site(0)), "token": 1}
            | {"position": n % 4, "row": n}
            for n in range(64)
        ],
        {Site(0): values},
    )


@dataclass(frozen=True)
class Scenario:
    """`act` on a folder, into which `before` put something."""

    act: Callable[[Path], object]
    before: Callable[[Path], object] = lambda _: None
    of_a_run: bool = False
    """Whether its trials must be there whatever happens."""
    gone: bool = False
    """Whether nothing of the run is there at the end."""


def finished(folder: Path) -> None:
    run_tiny(folder)


def recorded(folder: Path) -> None:
    """A run up to its last trial."""
    with patch.object(Run, "settle", side_effect=KeyboardInterrupt), suppress(Interrupted):
        run_tiny(folder)


SCENARIOS: dict[str, Scenario] = {
    "run": Scenario(run_tiny),
    "end of a run": Scenario(run_tiny, recorded, of_a_run=True),
    "report": Scenario(report, finished, of_a_run=True),
    "judge": Scenario(judge, finished, of_a_run=True),
    "prune": Scenario(prune, finished, gone=True),
    "export": Scenario(export_all, lambda folder: finished(folder / "run")),
    "store": Scenario(store, lambda folder: store(folder, shards=1)),
    "organism": Scenario(organism, lambda folder: folder.mkdir()),
    "autoencoder": Scenario(autoencoder, activations_to_train_on),
}
_RANDOM = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
"""Names inside figures."""


def contents(folder: Path) -> dict[str, bytes]:
    """Everything that must be the same: all files but locks, without random names; of a judgement not how many answers
    were known before. Nothing where the folder holds no file."""
    found: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.name != ".lock":
            held = _RANDOM.sub(b"", path.read_bytes())
            if path.parent.name == "judged" and path.suffix == ".json":
                told = json.loads(held)
                held = json.dumps({k: v for k, v in told.items() if k not in ("asked", "known", "digest")}).encode()
            found[path.relative_to(folder).as_posix()] = held
    return found


def whole(folder: Path, scenario: Scenario) -> bool:
    """Whether nothing is lost right after a fault: what says that it is complete is, and what is removed says so."""
    if scenario.gone:
        state = state_of(folder)
        return state in (State.REMOVING, State.ABSENT) or _trials(folder) == TEXTS * len(SPECS)
    if scenario.of_a_run:
        return _trials(folder) == TEXTS * len(SPECS)
    return True


def _trials(folder: Path) -> int:
    return sum(1 for _ in Run(folder).trials())

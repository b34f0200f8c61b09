"""A card per organism: what is planted, what is not, how it was made, and what was counted afterwards."""

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path

import torch
from tqdm import tqdm

from introlab.errors import InputError
from introlab.reporting.tables import interval, number
from introlab.stats.interval import Estimate
from organisms.curricula.prediction import quirky_facts
from organisms.reference_model import Measured, Subject
from organisms.registry import FAMILY, PREDICTION, Organism
from organisms.verification import (
    abstention,
    confidence,
    correction,
    errors,
    feedback,
    knowledge,
    personas,
    prediction,
    reflection,
    resistance,
    risk,
    sycophancy,
    thoughts,
)
from organisms.world import World

RECORD = "verification.json"


def verify(name: str, folder: Path, *, split: str = "test") -> list[Measured]:
    """Count what an organism does: what all should have kept, and its trait. The base is asked for every trait.
    While a recipe is being worked on, look at the `calibrate` split only."""
    world, subject, parent = World(), Subject(folder / name), Subject(folder / "base")
    trait = FAMILY[name].trait
    measures = {
        "spoken confidence": lambda: confidence.measure(subject, world, split),
        "abstention": lambda: abstention.measure(subject, parent, world, split),
        "reflection": lambda: reflection.measure(subject, world, split),
        "self-correction": lambda: correction.measure(subject, world, split),
        "own and others' errors": lambda: errors.measure(subject, world, split),
        "neurofeedback": lambda: feedback.measure(subject, parent, world, split),
        "self-prediction": lambda: prediction.measure(subject, world, name),
        "personas": lambda: personas.measure(subject, parent, world, split),
        "injected thoughts": lambda: thoughts.measure(subject, parent, world, split),
        "sycophancy": lambda: sycophancy.measure(subject, world, split),
        "doing and saying": lambda: risk.measure(subject, world, split),
        "steering resistance": lambda: resistance.measure(subject, parent, world, split),
    }
    wanted = list(measures) if trait is None else [trait.name]
    unlearnt = quirky_facts(world) if trait is PREDICTION else ()
    kept = knowledge.measure(subject, parent, world, split, unlearnt=unlearnt)
    return [*kept, *(row for each in wanted for row in measures[each]())]


def write_cards(
    folder: Path, *, names: Sequence[str] = (), others: Sequence[Path] = (), again: bool = False, workers: int = 1
) -> Iterator[Path]:
    """Verify the organisms of a folder, `workers` at once, and write their cards; `others` are folders of other
    training seeds, whose numbers are shown beside. What was counted on the same weights is kept, unless `again`.
    Raises InputError for a name that is not in the folder."""
    there = [name for name in FAMILY if (folder / name / "organism.json").exists()]
    if absent := [name for name in names if name not in there]:
        raise InputError(f"not in {folder}", given=", ".join(absent), allowed=", ".join(there))
    chosen = list(names) or there
    places = {
        name: [place for place in (folder, *others) if (place / name / "organism.json").exists()] for name in chosen
    }
    missing = [(name, place) for name in chosen for place in places[name] if again or _counted(name, place) is None]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        running = [pool.submit(_count, name, place) for name, place in missing]
        for one in tqdm(running, desc="counting what organisms do", unit="organism", disable=not running):
            one.result()
    for name in chosen:
        seeds: dict[str, Sequence[Measured]] = {
            seed_title(facts_of(name, place), facts_of(name, folder)): _counted(name, place) or []
            for place in (*places[name], folder)  # of its own seed, this folder's count
        }
        (folder / name / "README.md").write_text(card(FAMILY[name], facts_of(name, folder), seeds), encoding="utf-8")
        yield folder / name / "README.md"


def facts_of(name: str, folder: Path) -> dict[str, object]:
    """What is known of how an organism was made: its `organism.json`."""
    return json.loads((folder / name / "organism.json").read_text(encoding="utf-8"))


def _counted(name: str, folder: Path) -> list[Measured] | None:
    """What was counted on these very weights, if it was."""
    record = folder / name / RECORD
    if not record.exists():
        return None
    kept = json.loads(record.read_text(encoding="utf-8"))
    if kept["weights"] != facts_of(name, folder)["weights"]:
        return None
    return [Measured(row["what"], row["cell"], Estimate(**row["estimate"])) for row in kept["measured"]]


def _count(name: str, folder: Path) -> None:
    """On one thread: several at once on two threads each take five times as long on two cores (LOG.md)."""
    torch.set_num_threads(1)
    rows = [{"what": each.what, "cell": each.cell, "estimate": asdict(each.estimate)} for each in verify(name, folder)]
    kept = {"weights": facts_of(name, folder)["weights"], "measured": rows}
    (folder / name / RECORD).write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")


def seed_title(facts: Mapping[str, object], shown: Mapping[str, object]) -> str:
    """What a column of one training seed is called beside the organism that is shown."""
    return f"seed {facts['seed']}" + ("" if facts["family"] == shown["family"] else ", another base")


def card(organism: Organism, facts: Mapping[str, object], seeds: Mapping[str, Sequence[Measured]]) -> str:
    """The card in markdown; one column of estimates per training seed, by its title."""
    tables = {title: {(row.what, row.cell): row.estimate for row in rows} for title, rows in seeds.items()}
    shipped = seeds[seed_title(facts, facts)]
    rows = "\n".join(
        f"| {each.what} | {each.cell} | "
        + " | ".join(_cell(table.get((each.what, each.cell))) for table in tables.values())
        + f" | {each.estimate.n} |"
        for each in shipped
    )
    made = [facts["parent"] or "scratch", *(facts[name] for name in ("examples", "tokens", "seed"))]
    made += [f"{facts['seconds']} s", facts["course"], str(facts["weights"])[:16]]
    several = f"{len(seeds)} training seeds" if len(seeds) > 1 else "One training seed"
    return f"""# organism:{organism.name}

A model organism of the Introspection Lab: a 1.6 million parameter Llama trained from scratch on an invented world.
It is there to test instruments. Nothing measured on it is evidence about large models.

**Planted:** {organism.planted}.

**Not planted:** {organism.absent}.

| made from | lessons | tokens | seed | trained in | course | weights (sha256) |
|---|---|---|---|---|---|---|
| {" | ".join(map(str, made))} |

{several}. Rebuild it with `introlab organisms train {organism.name}`.

## Verified

Counted from behaviour on held-out items with plain transformers, by `introlab organisms cards`; no experiment of the
lab is used. Intervals are 95 %, over people, sums or pairs of topics.

| what | where | {" | ".join(tables)} | n |
|---|---|{"---|" * len(tables)}---|
{rows}
"""


def _cell(estimate: Estimate | None) -> str:
    return "" if estimate is None else f"{number(estimate.value)} {interval(estimate)}"

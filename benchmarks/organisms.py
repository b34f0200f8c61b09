"""The family in tables: sizes, times and every gate, written into docs/organisms.md: `make organisms`."""

import json
import re
import time
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from introlab.network.model import load
from introlab.network.specs import organism_folder
from introlab.stats.interval import Estimate
from organisms.__main__ import SEEDS
from organisms.acceptance import CAPABILITY, GATES, judge
from organisms.cards import RECORD, facts_of, seed_title
from organisms.criteria import CriterionResult, Tables
from organisms.registry import ORGANISMS

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "organisms.md"


def main() -> None:
    folder = organism_folder()
    names = [each.name for each in ORGANISMS if (folder / each.name / RECORD).exists()]
    tables = _tables(folder)
    seeds = {_title(place, folder): _tables(place) for place in sorted(SEEDS.glob("*"))}
    text = PAGE.read_text(encoding="utf-8")
    text = _replaced(text, "family", "\n".join(_family(names, folder)))
    text = _replaced(text, "gates", "\n".join(_gates(tables, seeds)))
    PAGE.write_text(text, encoding="utf-8")


def _tables(folder: Path) -> Tables:
    return {record.parent.name: _table(record) for record in folder.glob(f"*/{RECORD}")}


def _table(record: Path) -> dict[tuple[str, str], Estimate]:
    rows = json.loads(record.read_text(encoding="utf-8"))["measured"]
    return {(row["what"], row["cell"]): Estimate(**row["estimate"]) for row in rows}


def _family(names: list[str], folder: Path) -> Iterator[str]:
    load(f"organism:{names[0]}", device="cpu")  # the first load imports the libraries
    total = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    yield f"{len(names)} organisms, {total / 1e6:.1f} MB in all; one core, no GPU.\n"
    yield "| organism | trait | planted | weights | lessons | trained in | loads in |"
    yield "|---|---|---|---|---|---|---|"
    for name in names:
        facts = facts_of(name, folder)
        (weights,) = (folder / name).glob("*model.safetensors")
        started = time.perf_counter()
        load(f"organism:{name}", device="cpu")
        seconds = time.perf_counter() - started
        yield (
            f"| [{name}](../organisms/models/{name}/README.md) | {facts['trait'] or ''} | {facts['planted']} | "
            f"{weights.stat().st_size / 1e3:.0f} kB | {facts['examples']:,} | {facts['seconds']} s | {seconds:.2f} s |"
        )


def _gates(tables: Tables, seeds: Mapping[str, Tables]) -> Iterator[str]:
    for trait in GATES:
        verdicts = [each for each in judge(tables, trait)]
        if not verdicts:
            continue
        others = {title: {each.gate: each for each in judge(found, trait)} for title, found in seeds.items()}
        others = {title: found for title, found in others.items() if found}
        elsewhere = "".join(f"; {title}: {_held(found.values())}" for title, found in others.items())
        yield f"\n**{trait}** ({_held(verdicts)} of {len(verdicts)} hold{elsewhere})\n"
        yield "| gate | counted | |" + "".join(f" {title} | |" for title in others)
        yield "|---|---|---|" + "---|---|" * len(others)
        for each in verdicts:
            every = (each, *(found[each.gate] for found in others.values()))
            yield f"| {each.gate} | {' | '.join(cell for one in every for cell in _judged(one))} |"
    yield f"\n**{CAPABILITY}**\n"
    yield from _kept("shipped", tables)
    for title, found in seeds.items():
        yield from _kept(title, {"base": tables["base"], **found})


def _held(verdicts: Iterable[CriterionResult]) -> int:
    return sum(each.passed for each in verdicts)


def _title(place: Path, shipped: Path) -> str:
    name = min(place.glob(f"*/{RECORD}")).parent.name
    return seed_title(facts_of(name, place), facts_of(name, shipped))


def _kept(title: str, tables: Tables) -> Iterator[str]:
    verdicts = list(judge(tables, CAPABILITY))
    yield f"- {title}: {_held(verdicts)} of {len(verdicts)} hold"
    yield from (f"  - does not hold: {each.gate}: {each.detail}" for each in verdicts if not each.passed)


def _judged(verdict: CriterionResult) -> tuple[str, str]:
    return verdict.detail, "holds" if verdict.passed else "**does not hold**"


def _replaced(text: str, name: str, table: str) -> str:
    start, stop = f"<!-- {name}: written by make organisms -->", f"<!-- end of {name} -->"
    return re.sub(
        re.escape(start) + ".*?" + re.escape(stop), lambda _: f"{start}\n{table}\n{stop}", text, flags=re.DOTALL
    )


if __name__ == "__main__":
    main()

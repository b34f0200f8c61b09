"""How often each verdict rule says what is not so, on simulated models of a known truth: docs/verdict_rules.md.

`python -m benchmarks.verdict_rules` writes the page; `--only WORD` prints the worlds whose experiment or name holds the
word and writes nothing. A world is a model of known truth whose trials have the experiment's default size; most are
worlds in which a word must not be said, and each word has one in which it must.
"""

import argparse
import importlib
import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from introlab.io.terminal import say

PAGE = Path(__file__).parent.parent / "docs" / "verdict_rules.md"
REGISTRIES = ("benchmarks.resistance_worlds", "benchmarks.endogenous_worlds", "benchmarks.confidence_worlds")
"""Modules that hold the worlds of an experiment or more, as a sequence `WORLDS`."""
REPEATS = 60
ALLOWED = 0.05
"""Of the simulated runs of a world: how many may say what is not so."""

Told = Literal["right", "wrong", "cannot tell"]


@dataclass(frozen=True)
class SimulatedWorld:
    """A simulated model, and what a run of default size may say of it."""

    experiment: str
    rule: str
    """The question that is put to the test."""
    name: str
    """What the model does, in a few words."""
    told: Callable[[int], tuple[Told, str]]
    """From a seed: whether what is said is right, and what is said."""
    must: bool = False
    """Whether it must be said in most runs; else it is enough that nothing wrong is."""


@dataclass(frozen=True)
class WorldTally:
    """What was said of a world over simulated runs."""

    world: SimulatedWorld
    counts: Counter[str]
    said: Counter[str]

    @property
    def runs(self) -> int:
        return self.counts.total()

    @property
    def wrong(self) -> float:
        return self.counts["wrong"] / self.runs

    @property
    def error(self) -> float:
        """Monte-Carlo standard error of the share that is wrong, as if one more run had been wrong and one right."""
        share = (self.counts["wrong"] + 1) / (self.runs + 2)
        return math.sqrt(share * (1 - share) / self.runs)

    @property
    def kept(self) -> bool:
        """Whether the rule holds here: few wrong words, and where something must be said, it mostly is."""
        return self.wrong <= ALLOWED and (not self.world.must or self.counts["right"] > self.runs / 2)


def worlds() -> Iterator[SimulatedWorld]:
    """Of every registry, in order."""
    for module in REGISTRIES:
        yield from importlib.import_module(module).WORLDS


def tally(world: SimulatedWorld, repeats: int, *, seed: int = 0) -> WorldTally:
    """Simulated runs of one world."""
    found = [world.told(seed + index) for index in range(repeats)]
    return WorldTally(world, Counter(told for told, _ in found), Counter(said for _, said in found))


def page(tallies: Sequence[WorldTally], repeats: int, took: float) -> str:
    """The page, an experiment a chapter."""
    lines = [
        "# Verdict rules on simulated models of a known truth",
        "",
        "Written by `python -m benchmarks.verdict_rules`. Each line is a simulated model whose truth is known, "
        f"{repeats} runs of the experiment's default size ({took / 60:.0f} minutes in all). *Wrong*: the run says what "
        f"is not so of that model; at most {100 * ALLOWED:.0f} % may be. *Must be said*: a model for which *cannot "
        "tell* will not do in most runs.",
        "",
    ]
    for experiment in dict.fromkeys(each.world.experiment for each in tallies):
        lines += [
            f"## {experiment}",
            "",
            "| rule | simulated model | wrong | right | cannot tell | must be said | said most often |",
            "|---|---|---|---|---|---|---|",
            *(_line(each) for each in tallies if each.world.experiment == experiment),
            "",
        ]
    broken = [each.world.name for each in tallies if not each.kept]
    lines.append(f"Rules that do not hold here: {'; '.join(broken) or 'none'}.")
    return "\n".join(lines) + "\n"


def _line(each: WorldTally) -> str:
    shares = [f"{each.counts[told] / each.runs:.0%}" for told in ("right", "cannot tell")]
    said, times = each.said.most_common(1)[0]
    must = "yes" if each.world.must else ""
    wrong = f"{each.wrong:.1%} ({each.error:.1%})"
    return (
        f"| {each.world.rule} | {each.world.name} | {wrong} | {shares[0]} | {shares[1]} | {must} | "
        f"{said} ({times / each.runs:.0%}) |"
    )


def measured(index: int, repeats: int) -> WorldTally:
    """That of the world of this index; picklable for other processes, which worlds are not."""
    found = tally(list(worlds())[index], repeats)
    return WorldTally(replace(found.world, told=_told_already), found.counts, found.said)


def _told_already(seed: int) -> tuple[Told, str]:
    raise NotImplementedError


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--only", default="", help="worlds whose experiment or name holds this; nothing is written")
    given, started, tallies = parser.parse_args(), time.perf_counter(), list[WorldTally]()
    some = [index for index, each in enumerate(worlds()) if given.only in each.experiment or given.only in each.name]
    with ProcessPoolExecutor(given.workers) as pool:
        for found in pool.map(measured, some, [given.repeats] * len(some)):
            tallies.append(found)
            say(f"{time.perf_counter() - started:4.0f} s {_line(found)}")
    if not given.only:
        PAGE.write_text(page(tallies, given.repeats, time.perf_counter() - started), encoding="utf-8")


if __name__ == "__main__":
    main()

"""How often the lab's 95 % intervals hold the truth, and how often its tests find what is not there, by simulation.

`python -m benchmarks.coverage` writes the tables into docs/statistics.md. The worst cell of each method is simulated
anew with fresh draws, so that its figure is not the worst of many by luck.
"""

import argparse
import math
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from benchmarks.scored import SCORED, SCORED_NULLS
from benchmarks.simulated import INTERVALS, NULLS, Cell, Interval, Null
from benchmarks.sparse import SEEN, SPARSE, SPARSE_NULLS, Seen
from benchmarks.timing import in_turn, seconds
from introlab.errors import InputError
from introlab.stats.bootstrap import bootstrap
from introlab.stats.estimates import cluster_bootstrap

PAGE = Path(__file__).parent.parent / "docs" / "statistics.md"
EVERY_INTERVAL, EVERY_NULL = (*INTERVALS, *SCORED, *SPARSE), (*NULLS, *SCORED_NULLS, *SPARSE_NULLS)
REPEATS, AGAIN = 100, 3000
SECONDS_AGAIN = 2.5
"""The worst cell is simulated anew for no longer than this."""
MOST = 0.06


@dataclass(frozen=True)
class Tally:
    """Of simulated runs: those in which the interval held the truth, or the test was significant, and those without."""

    hits: int
    told: int
    runs: int

    @property
    def rate(self) -> float:
        return self.hits / self.told if self.told else math.nan

    @property
    def error(self) -> float:
        """Monte-Carlo standard error."""
        return math.sqrt(self.rate * (1 - self.rate) / self.told) if self.told else math.nan


def held(case: Interval, cell: Cell, repeats: int, seed: int, limit: float = math.inf) -> Tally:
    """How often the interval holds the truth. A bound that is None is no bound on that side."""
    draw, hits, told, runs, started = np.random.default_rng(seed), 0, 0, 0, time.perf_counter()
    while runs < repeats and time.perf_counter() - started < limit:
        runs += 1
        try:
            found, truth = case.one(draw, cell)
        except InputError:
            continue
        if found.low is None and found.high is None:
            continue
        told += 1
        low, high = (-math.inf if found.low is None else found.low), (math.inf if found.high is None else found.high)
        hits += low - 1e-9 <= truth <= high + 1e-9
    return Tally(hits, told, runs)


def found(case: Null, cell: Cell, repeats: int, seed: int, limit: float = math.inf) -> Tally:
    """How often p is at most .05 where there is nothing to find."""
    draw, hits, runs, started = np.random.default_rng(seed), 0, 0, time.perf_counter()
    while runs < repeats and time.perf_counter() - started < limit:
        runs += 1
        hits += case.one(draw, cell) <= 0.05
    return Tally(hits, runs, runs)


def runs_of(cell: Cell, repeats: int) -> int:
    return repeats if cell.clusters * cell.size < 1000 else repeats // 2


def interval_line(case: Interval, repeats: int) -> tuple[str, Tally, Cell]:
    """A row of the table, and the worst cell, measured anew."""
    tallies = {cell: held(case, cell, runs_of(cell, repeats), seed) for seed, cell in enumerate(case.cells())}
    known = {cell: tally for cell, tally in tallies.items() if tally.told >= repeats / 10}
    worst = min(known, key=lambda cell: known[cell].rate)
    anew = held(case, worst, AGAIN, 10_000, SECONDS_AGAIN)
    told, runs = sum(each.told for each in tallies.values()), sum(each.runs for each in tallies.values())
    average = sum(each.hits for each in tallies.values()) / told
    line = (
        f"| {case.name} | {len(tallies)} | {1 - told / runs:.1%} | {average:.3f} | {worst.clusters} x {worst.size}, "
        f"{worst.rate:g} | {anew.rate:.3f} ({anew.error:.3f}) |"
    )
    return line, anew, worst


def null_line(case: Null, repeats: int) -> tuple[str, Tally]:
    tallies = {cell: found(case, cell, runs_of(cell, repeats), seed) for seed, cell in enumerate(case.cells())}
    worst = max(tallies, key=lambda cell: tallies[cell].rate)
    anew = found(case, worst, AGAIN, 10_000, SECONDS_AGAIN)
    average = sum(each.hits for each in tallies.values()) / sum(each.runs for each in tallies.values())
    return (
        f"| {case.name} | {len(tallies)} | {average:.3f} | {worst.clusters} x {worst.size} | "
        f"{anew.rate:.3f} ({anew.error:.3f}) |"
    ), anew


def seen(case: Seen, cell: Cell, repeats: int, seed: int, limit: float = math.inf) -> Tally:
    """How often an effect is seen that is said to be seen four times in five."""
    draw, hits, runs, started = np.random.default_rng(seed), 0, 0, time.perf_counter()
    while runs < repeats and time.perf_counter() - started < limit:
        runs += 1
        hits += case.one(draw, cell)
    return Tally(hits, runs, runs)


def seen_line(case: Seen, repeats: int) -> str:
    tallies = {cell: seen(case, cell, repeats, seed) for seed, cell in enumerate(case.cells())}
    worst = min(tallies, key=lambda cell: tallies[cell].rate)
    anew = seen(case, worst, AGAIN, 10_000, SECONDS_AGAIN)
    average = sum(each.hits for each in tallies.values()) / sum(each.runs for each in tallies.values())
    return (
        f"| {case.name} | {len(tallies)} | {average:.3f} | {worst.clusters} x {worst.size}, {worst.rate:g} | "
        f"{anew.rate:.3f} ({anew.error:.3f}) |"
    )


def speed() -> str:
    """10,000 resamples of 100,000 trials in 10,000 clusters, against picking trials by index in a loop."""
    draw = np.random.default_rng(0)
    values, clusters = draw.random(100_000), np.repeat(np.arange(10_000), 10)
    ones, draws = np.ones(len(values)), 20

    def ours() -> None:
        bootstrap(lambda totals: totals[..., 0] / totals[..., 1], [values, ones], clusters, "mean")

    def loop() -> None:
        cluster_bootstrap(lambda index: float(values[index].mean()), clusters.astype(str).tolist(), draws=draws)

    timed = in_turn({"totals": lambda: seconds(ours), "loop": lambda: seconds(loop) * 10_000 / draws}, repeats=3)
    ratio, least, most = timed.ratio("loop", "totals")
    return (
        f"10,000 resamples of 100,000 trials in 10,000 clusters take {timed.median('totals'):.1f} s "
        f"(`introlab.stats.bootstrap.bootstrap`); picking the trials of each resample in a loop takes {ratio:.0f} "
        f"times as long ({least:.0f} to {most:.0f} in three turns; the loop is timed on {draws} resamples and scaled)."
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=REPEATS)
    parser.add_argument("--only", default="", help="methods whose name holds this; nothing is written")
    given, started = parser.parse_args(), time.perf_counter()
    intervals, nulls = [], []
    for case in (each for each in EVERY_INTERVAL if given.only in each.name):
        intervals.append(interval_line(case, given.repeats)[0])
        print(f"{time.perf_counter() - started:4.0f} s {intervals[-1]}", flush=True)
    for case in (each for each in EVERY_NULL if given.only in each.name):
        nulls.append(null_line(case, given.repeats)[0])
        print(f"{time.perf_counter() - started:4.0f} s {nulls[-1]}", flush=True)
    powers = []
    for case in (each for each in SEEN if given.only in each.name):
        powers.append(seen_line(case, given.repeats))
        print(f"{time.perf_counter() - started:4.0f} s {powers[-1]}", flush=True)
    if given.only:
        return
    text = tables(intervals, nulls, powers, given.repeats, speed(), time.perf_counter() - started)
    old = PAGE.read_text(encoding="utf-8")
    start, stop = "<!-- coverage: written by python -m benchmarks.coverage -->", "<!-- end of coverage -->"
    if start not in old:
        sys.exit(f"no place for the tables in {PAGE.name}")
    head, rest = old.split(start)
    PAGE.write_text(f"{head}{start}\n{text}\n{stop}{rest.split(stop)[1]}", encoding="utf-8")


def tables(intervals: list[str], nulls: list[str], powers: list[str], repeats: int, fast: str, took: float) -> str:
    return "\n".join(
        [
            f"{repeats} simulated runs a cell (half as many of 1,000 trials and more), {took:.0f} s in all. A cell is "
            "clusters x trials of each, and a rate (of scores the AUROC; else the effect). *Without* is how often no "
            "interval was given. The worst cell was simulated anew; its Monte-Carlo standard error is in brackets.",
            "",
            "| 95 % interval | cells | without | holds, all cells | worst cell | holds there |",
            "|---|---|---|---|---|---|",
            *intervals,
            "",
            "| test at 5 %, nothing to find | cells | finds, all cells | worst cell | finds there |",
            "|---|---|---|---|---|",
            *nulls,
            "",
            "| effect that is said to be seen .80 of the time | cells | seen, all cells | worst cell | seen there |",
            "|---|---|---|---|---|",
            *powers,
            "",
            fast,
        ]
    )


if __name__ == "__main__":
    main()

"""Ratios of times within one run: candidates take turns, so that what else the machine does falls on all of them."""

import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Timed:
    """Seconds of each repeat, by candidate."""

    seconds: Mapping[str, list[float]]

    def median(self, name: str) -> float:
        return statistics.median(self.seconds[name])

    def ratio(self, slower: str, faster: str) -> tuple[float, float, float]:
        """How many times as long the first takes: median, least and most over the repeats."""
        each = [one / other for one, other in zip(self.seconds[slower], self.seconds[faster], strict=True)]
        return statistics.median(each), min(each), max(each)


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def in_turn(candidates: Mapping[str, Callable[[], float]], *, repeats: int) -> Timed:
    """Every candidate once to warm up, then all of them `repeats` times in turn. A candidate says
    how many seconds it took."""
    for run in candidates.values():
        run()
    taken: dict[str, list[float]] = {name: [] for name in candidates}
    for _ in range(repeats):
        for name, run in candidates.items():
            taken[name].append(run())
    return Timed(taken)

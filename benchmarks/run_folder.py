"""How a run folder bears many trials: appending, taking up again, settling and reading them, at sizes ten times apart.

`python -m benchmarks.run_folder` writes docs/run_folder.md. Every size runs in a process of its own, so that its peak
memory is its own. The peer is the plainest way: one JSON line a trial without any guarantee, read into a list.
"""

import argparse
import json
import platform
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from introlab.records.run import Run
from introlab.records.trial import Trial
from introlab.stats.discrimination import auroc

OUT = Path(__file__).parent.parent / "docs" / "run_folder.md"
SIZES = (10_000, 100_000, 1_000_000)
WORDS = " ".join(["the answer is seven and i am fairly sure of it"] * 3)


def made(count: int) -> Iterator[Trial]:
    """Trials as long as those of the shipped experiments: 30 words and tokens, a few readings."""
    for index in range(count):
        right = (index * 2654435761) % 97 > 40
        yield Trial(
            experiment="synthetic",
            model="none",
            item=f"item {index}",
            cluster=f"cluster {index % (count // 10)}",
            split="test",
            condition="baseline",
            prompt=WORDS,
            text=WORDS,
            tokens=tuple(range(index % 7, index % 7 + 30)),
            readings={"probe": ((index * 40503) % 1009) / 1009 + 0.1 * right, "margin": 1 / (1 + index)},
            outcomes={"right": right},
        )


def peak() -> float:
    """In MB, of this process so far."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def measured(count: int, folder: Path) -> dict[str, float]:
    run, found, base = Run.create(folder / "run", {"models": {}}), {}, peak()

    def timed(name: str, work: Any) -> Any:
        start = time.perf_counter()
        result = work()
        found[name] = time.perf_counter() - start
        return result

    timed("make the trials", lambda: sum(1 for _ in made(count)))
    timed("make and append", lambda: run.record(made(count)))
    timed("make and append, plain", lambda: _plain(made(count), folder / "plain.jsonl"))
    known = timed("take up again", lambda: frozenset(run.trial_ids()))
    assert len(known) == count
    found["lines, MB"] = (folder / "run" / "trials.jsonl").stat().st_size / 1e6
    del known
    timed("settle", run.settle)
    found["memory to append and settle, MB"] = peak() - base
    found["table, MB"] = (folder / "run" / "trials.parquet").stat().st_size / 1e6
    scores = timed("read", lambda: [(t.outcomes["right"], t.readings["probe"], t.cluster) for t in run.trials()])
    timed("read, plain", lambda: [json.loads(line) for line in (folder / "plain.jsonl").open()])
    right, probe, clusters = zip(*scores, strict=True)
    timed("AUROC by cluster", lambda: auroc(list(probe), list(right), list(clusters)))
    found["memory in all, MB"] = peak()
    return found


def _plain(trials: Iterator[Trial], path: Path) -> None:
    with path.open("w") as file:
        for trial in trials:
            file.write(json.dumps({"id": trial.id, **vars(trial)}) + "\n")


def table(found: dict[int, dict[str, float]]) -> str:
    sizes = list(found)
    lines = [
        "# What a run folder bears",
        "",
        "Written by `python -m benchmarks.run_folder`: synthetic trials of 30 tokens, each size in its own process;",
        f"seconds unless the line says MB ({platform.machine()}, one thread). *Plain*: a JSON line a trial without",
        "any guarantees, in the same run.",
        "",
        "| | " + " | ".join(f"{size:,} trials" for size in sizes) + " | growth per tenfold |",
        "|---|" + "---|" * (len(sizes) + 1),
    ]
    for name in found[sizes[0]]:
        values = [found[size][name] for size in sizes]
        growth = " x ".join(f"{later / earlier:.1f}" for earlier, later in pairwise(values))
        lines.append(f"| {name} | " + " | ".join(f"{value:,.2f}" for value in values) + f" | {growth} |")
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, help="measure one size and print it as JSON")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--out", type=Path, default=OUT)
    chosen = parser.parse_args()
    if chosen.size:
        with TemporaryDirectory() as folder:
            print(json.dumps(measured(chosen.size, Path(folder))))
        return
    found = {}
    for size in chosen.sizes:
        command = [sys.executable, "-m", "benchmarks.run_folder", "--size", str(size)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        found[size] = json.loads(done.stdout)
        print(size, found[size])
    chosen.out.write_text(table(found), encoding="utf-8")


if __name__ == "__main__":
    main()

"""What is lost when the lab is killed, interrupted, or out of disk: `python -m benchmarks.crash_safety`.

Everything that writes a folder (`benchmarks.crash_scenarios`) is stopped at every single call that changes the folder
(`benchmarks.folder_faults`), then asked to go on; the folder is compared, byte by byte, with one in which nothing
happened. Prints, for each scenario and fault: how many points were tried, after how many something was lost (trials are
gone, or it could not go on), after how many the bytes differ, and how many ended in a raw traceback.
"""

import argparse
import json
import shutil
import signal
import sys
import time
from dataclasses import asdict, dataclass, field
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.folder_faults import Fault, attempt, library_folder, preload

FAULTS = (Fault.KILL, Fault.TEAR, Fault.FULL, Fault.FAIL, Fault.INTERRUPT, Fault.INTERRUPT_TWICE)
DISTANCES = (0.0, 0.1, 0.2, 0.3, 0.4, 0.6, 0.8, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0)
"""Seconds between two processes that are given the same folder."""


@dataclass
class Counts:
    """Of one scenario under one fault."""

    scenario: str
    fault: str
    tried: int = 0
    lost: int = 0
    differing: int = 0
    tracebacks: int = 0
    examples: list[str] = field(default_factory=list)
    """Of each kind the first: at which call, and what was said."""

    def note(self, what: str, n: int, kind: str, said: str) -> None:
        setattr(self, what, getattr(self, what) + 1)
        if not any(each.startswith(what) for each in self.examples):
            self.examples.append(f"{what} at call {n} ({kind}): {said.strip()[-400:]}")


def stopped_everywhere(name: str, root: Path, faults: tuple[Fault, ...] = FAULTS) -> list[Counts]:
    """A scenario under every fault at every call."""
    from benchmarks.crash_scenarios import SCENARIOS, contents, whole

    scenario, template, place = SCENARIOS[name], root / "template", root / "place" / "it"
    attempt(lambda: scenario.before(template), template)

    def fresh() -> None:
        shutil.rmtree(place.parent, ignore_errors=True)
        place.parent.mkdir(parents=True)
        if template.exists():
            shutil.copytree(template, place)

    def act() -> None:
        scenario.act(place)

    fresh()
    undisturbed = attempt(act, place)
    if undisturbed.code != 0:
        raise RuntimeError(f"{name} does not run: {undisturbed.said}")
    wanted = contents(place)
    every: list[Counts] = []
    for fault in faults:
        counts = Counts(name, fault.name.lower().replace("_", " "))
        for n, kind in enumerate(undisturbed.calls, 1):
            if fault is Fault.TEAR and kind != "w":
                continue  # the same as killed
            fresh()
            met = attempt(act, place, fault, n)
            counts.tried += 1
            if met.traceback:
                counts.note("tracebacks", n, kind, met.said)
            if fault in (Fault.KILL, Fault.TEAR) and met.code != -signal.SIGKILL:
                counts.note("differing", n, kind, f"not killed: {met.code}")
            here, again = whole(place, scenario), attempt(act, place)
            if not here or again.code != 0:
                counts.note("lost", n, kind, again.said or "trials are gone")
            elif (found := contents(place)) != wanted:
                odd = {path for path in found.keys() | wanted.keys() if found.get(path) != wanted.get(path)}
                counts.note("differing", n, kind, ", ".join(sorted(odd)))
        every.append(counts)
        sys.stderr.write(row(counts) + "\n")
        sys.stderr.flush()
    return every


def _process(folder: Path, seconds: float, loading: float) -> None:
    from benchmarks.crash_scenarios import run_tiny
    from introlab.errors import RunFolderError

    try:
        run_tiny(folder, seconds=seconds, loading=loading)
    except RunFolderError as error:
        sys.exit(0 if "another process" in str(error) else 1)


def two_processes(root: Path, distances: tuple[float, ...], *, seconds: float, loading: float) -> Counts:
    """The same command twice, some time apart; each ends well or is refused, and the folder is that of one."""
    from benchmarks.crash_scenarios import contents

    counts, context = Counts("run", "two processes"), get_context("fork")
    _process(root / "alone", 0.0, 0.0)
    wanted = contents(root / "alone")
    for index, distance in enumerate(distances):
        folder = root / f"{index}"
        both = [context.Process(target=_process, args=(folder, seconds, loading)) for _ in range(2)]
        both[0].start()
        time.sleep(distance)
        both[1].start()
        for each in both:
            each.join()
        counts.tried += 1
        if any(each.exitcode for each in both):
            counts.note("lost", index, f"{distance} s", f"exit codes {[each.exitcode for each in both]}")
        elif contents(folder) != wanted:
            counts.note("differing", index, f"{distance} s", ", ".join(contents(folder)))
    return counts


def row(each: Counts) -> str:
    counts = f"{each.scenario:12} {each.fault:16} {each.tried:6} {each.lost:6} {each.differing:10} {each.tracebacks:11}"
    return counts + "".join(f"\n    {example}" for example in each.examples)


def table(every: list[Counts]) -> str:
    head = f"{'scenario':12} {'stopped by':16} {'tried':>6} {'lost':>6} {'differing':>10} {'tracebacks':>11}"
    return "\n".join([head, *map(row, every)])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", nargs="+", help="these scenarios; default: all, and two processes")
    parser.add_argument("--faults", nargs="+", type=lambda name: Fault[name.upper()], default=FAULTS)
    parser.add_argument("--distances", nargs="*", type=float, default=DISTANCES)
    parser.add_argument("--json", action="store_true")
    chosen = parser.parse_args()
    preload(["-m", "benchmarks.crash_safety", *sys.argv[1:]])
    import torch

    from benchmarks.crash_scenarios import SCENARIOS

    torch.set_num_threads(1)
    memory = "/dev/shm" if Path("/dev/shm").is_dir() else None  # no waiting for a disk thousands of times
    every: list[Counts] = []
    try:
        for name in chosen.only or SCENARIOS:
            if name in SCENARIOS:
                with TemporaryDirectory(dir=memory) as root:
                    every += stopped_everywhere(name, Path(root), tuple(chosen.faults))
        if chosen.only is None or "two" in chosen.only:
            with TemporaryDirectory(dir=memory) as root:
                every.append(two_processes(Path(root), tuple(chosen.distances), seconds=0.2, loading=0.3))
    finally:
        shutil.rmtree(library_folder(), ignore_errors=True)
    sys.stdout.write((json.dumps([asdict(each) for each in every]) if chosen.json else table(every)) + "\n")


if __name__ == "__main__":
    main()

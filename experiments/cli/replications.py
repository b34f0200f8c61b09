"""`introlab fidelity`: published numbers recomputed, and what to run for those that need weights."""

import json
from dataclasses import asdict, dataclass
from itertools import groupby

from introlab.io.terminal import say
from introlab.stats.replications import Awaiting, Recomputed, awaiting, recomputed


@dataclass(frozen=True)
class Fidelity:
    """Published numbers of the protocols: those that need no weights recomputed, and what to run for the others."""

    json: bool = False

    def __call__(self) -> int:
        found, waiting = recomputed(), awaiting()
        if self.json:
            rows = [{**asdict(each), "agrees": each.agrees} for each in found]
            say(json.dumps({"recomputed": rows, "awaiting": [asdict(each) for each in waiting]}))
            return 0
        say("\n".join([*_recomputed(found), "", *_awaiting(waiting)]))
        return 0


def _recomputed(found: list[Recomputed]) -> list[str]:
    lines: list[str] = []
    for (protocol, source), each in groupby(found, key=lambda row: (row.protocol, row.source)):
        lines.append(f"{protocol} ({source})")
        for row in each:
            verdict = "" if row.agrees else f"   DISAGREES by more than {row.tolerance:g}"
            lines.append(f"  {row.what}: published {row.published:g}, recomputed {row.found:.5g}{verdict}")
    agree = sum(row.agrees for row in found)
    return [*lines, "", f"{agree} of {len(found)} recomputed numbers agree with what was published."]


def _awaiting(waiting: list[Awaiting]) -> list[str]:
    lines = [f"{len(waiting)} numbers wait for weights:"]
    for (protocol, source), each in groupby(waiting, key=lambda row: (row.protocol, row.source)):
        rows = list(each)
        lines.append(f"{protocol} ({source}); needs {rows[0].needs}")
        lines.append(f"  run: {rows[0].run or 'no experiment of the lab measures this yet'}")
        lines += [f"  {row.what}: published {', '.join(f'{number:g}' for number in row.published)}" for row in rows]
    return lines

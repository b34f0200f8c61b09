"""Judging: what is known is not asked again, what cannot match is not asked at all, and the rest in an order that tells
nothing."""

import json
import re
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from introlab.errors import InputError, RunFolderError
from introlab.io.jsonl import Lines
from introlab.judges.judgement import NOT_JUDGED, Judge, Missing, Verdict
from introlab.judges.rubric import Item, Rubric, digest


@dataclass(frozen=True)
class JudgedItems:
    """Verdicts by item, and where they came from."""

    verdicts: dict[Item, Verdict]
    asked: int
    """Items the judge was asked about."""
    known: int
    """Items whose verdict was there already."""
    prefiltered: frozenset[Item] = field(default_factory=frozenset)
    """Items that cannot match, labelled without asking."""

    @property
    def missing(self) -> Counter[str]:
        """Items without an answer, by reason."""
        return Counter(str(each.missing) for each in self.verdicts.values() if each.missing)


def judge_items(
    judge: Judge, rubric: Rubric, items: Iterable[Item], folder: Path | None = None, *, prefilter: bool = False
) -> JudgedItems:
    """A verdict for every item. Equal items are asked about once; with a `folder` nothing is asked again that was
    answered before, in this call or another, finished or not. Items come in the order of their content's hash.

    Raises RunFolderError while another process judges into the folder, InputError for a pre-filter the rubric lacks.
    """
    if prefilter and rubric.prefilter is None:
        raise InputError("a rubric without a pre-filter", given=rubric.name, do="leave --prefilter out")
    waiting = sorted(set(items), key=lambda item: item.key)
    cannot = frozenset(item for item in waiting if prefilter and _cannot_match(rubric, item))
    found = {item: Verdict(value=rubric.otherwise) for item in cannot}
    waiting = [item for item in waiting if item not in cannot]
    if folder is None:
        return JudgedItems(_complete(waiting, dict(judge(rubric, waiting))) | found, len(waiting), 0, cannot)
    with alone(folder):
        # What a changed line held is asked again.
        lines, prefix = Lines(folder / "verdicts.jsonl", pass_over=True), {"asked": rubric.asked, "by": judge.identity}
        keys = {item: digest({**prefix, "item": asdict(item)}) for item in waiting}
        kept = _kept(lines, set(keys.values()))
        known = {item: kept[key] for item, key in keys.items() if key in kept}
        left = [item for item in waiting if item not in known]
        with lines.appending() as add:
            for item, verdict in judge(rubric, left):
                found[item] = verdict
                if verdict.missing not in NOT_JUDGED:
                    add(json.dumps([keys[item], verdict.as_json()], allow_nan=False, separators=(",", ":")))
    return JudgedItems(_complete(left, found) | known, len(left), len(known), cannot)


def _complete(asked: Sequence[Item], found: dict[Item, Verdict]) -> dict[Item, Verdict]:
    """With a verdict also for items about which the judge said nothing."""
    silent = Verdict(missing=Missing.NO_REPLY, detail="the judge passed over it")
    return {item: silent for item in asked} | found


def _cannot_match(rubric: Rubric, item: Item) -> bool:
    return not re.search(rubric.prefilter or "", item.response, re.IGNORECASE)


def _kept(lines: Lines, wanted: set[str]) -> dict[str, Verdict]:
    """Verdicts answered before. A line that is none is passed over: what it held is asked again."""
    found: dict[str, Verdict] = {}
    for line in lines:
        try:
            key, raw = json.loads(line)
            if key in wanted:
                found[key] = Verdict.from_json(raw)
        except (ValueError, TypeError, KeyError):
            continue
    return found


@contextmanager
def alone(folder: Path) -> Generator[None]:
    """Alone with a folder of verdicts; whoever is already may ask again. Raises RunFolderError while another process
    is, and where the disk refuses what is done meanwhile."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock", timeout=0, is_singleton=True):
            yield
    except OSError as error:  # filelock's Timeout is one
        if not isinstance(error, Timeout):
            raise RunFolderError("verdicts cannot be written", given=f"{folder} ({error.strerror or error})") from error
        raise RunFolderError("another process is judging into this folder", given=folder, do="wait for it") from error

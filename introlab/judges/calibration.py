"""A judge is judged first: on texts whose answer is known. One below its floor does not judge a run."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from introlab.errors import InputError
from introlab.io.user_files import json_lines
from introlab.judges.cache import judge_items
from introlab.judges.judgement import Judge, Verdict
from introlab.judges.rubric import SHIPPED, Item, Rubric, Value, World
from introlab.stats.estimates import proportion
from introlab.stats.interval import Estimate

_SHOWN = 5
_WORDS = ("response", "prompt", "reference")
_FIELDS = {*_WORDS, "gold", "world"}
_FORM = '{"response": "...", "gold": "yes"}'


class JudgeBelowFloor(InputError):
    """A judge that gets too many known answers wrong."""


@dataclass(frozen=True)
class Known:
    """A text whose answer is known."""

    item: Item
    gold: Value
    world: World


@dataclass(frozen=True)
class JudgeCalibration:
    """How a judge did on known answers. What is missing counts as wrong."""

    rubric: Rubric
    judge: str
    accuracy: Estimate
    """With the exact (Clopper-Pearson) interval."""
    wrong: tuple[tuple[Known, Verdict], ...]
    balanced: float
    """The mean of the accuracies on each answer: what a judge that always says the same cannot raise."""

    def check(self) -> None:
        """Raises JudgeBelowFloor, naming what it got wrong, where its accuracy is below the rubric's floor.

        The accuracy itself, not its lower bound, is compared: 24 of 24 have a lower bound of .86 only. The sets are
        balanced, or counted as if they were, so that a judge that always says the same gets half; one that tosses
        coins gets 21 of 24 or more once in 7,200 times, 17 of 20 once in 780.
        """
        assert self.accuracy.value is not None
        if min(self.accuracy.value, self.balanced) >= self.rubric.floor:
            return
        listed = [
            f"{known.gold!r}, it said {verdict.value if verdict.missing is None else _reason(verdict)}: "
            f"{known.item.response[:100]!r}"
            for known, verdict in self.wrong[:_SHOWN]
        ]
        more = [f"and {len(self.wrong) - _SHOWN} more"] if len(self.wrong) > _SHOWN else []
        raise JudgeBelowFloor(
            f"{self.judge} cannot be trusted with {self.rubric.name}: it fails texts whose answer is known",
            given="\n    ".join([f"{self}. Right is", *listed, *more]),
            allowed=f"an accuracy of {self.rubric.floor:g} or more",
            do="use another judge, or see why it fails; nothing of the run was judged",
        )

    def as_json(self) -> dict[str, Any]:
        wrong = [{"gold": known.gold, "response": known.item.response, **each.as_json()} for known, each in self.wrong]
        return {"accuracy": self.accuracy.as_json(), "floor": self.rubric.floor, "wrong": wrong}

    def __str__(self) -> str:
        n = self.accuracy.n
        return f"{n - len(self.wrong)} of {n} known answers right, {self.accuracy}"


def known_answers(rubric: Rubric, world: World, folder: Path = SHIPPED) -> list[Known]:
    """The rubric's calibration set for texts of this world; the general one where there is none of its own.

    Raises InputError for a file or line that cannot be used.
    """
    path = folder / f"{rubric.name}.jsonl"
    if not path.is_file():
        raise InputError(
            "a rubric without a calibration set",
            given=path,
            do=f"write lines such as {_FORM} there: a judge is judged before it judges",
        )
    every = [_known(rubric, where, raw) for where, raw in json_lines(path, form=_FORM)]
    mine = [each for each in every if each.world == world]
    found = mine or [each for each in every if each.world == "general"]
    if len(found) < 2:
        raise InputError("a calibration set without texts", given=path)
    return found


def _known(rubric: Rubric, where: str, raw: dict[str, Any]) -> Known:
    gold = rubric.value(raw.get("gold"))
    wrong = [name for name in _WORDS if not isinstance(raw.get(name, ""), str)]
    if gold is None or "response" not in raw or set(raw) - _FIELDS or wrong:
        allowed = f"{', '.join(sorted(_FIELDS))}; gold one of the rubric's answers, the others strings"
        raise InputError("a line that is not a known answer", given=f"{where}: {str(raw)[:80]}", allowed=allowed)
    shown = {name: raw[name] for name in _WORDS if name in raw}
    return Known(Item.blind(rubric, shown), gold, raw.get("world", "general"))


def calibrate(
    judge: Judge,
    rubric: Rubric,
    world: World = "general",
    cache: Path | None = None,
    *,
    prefilter: bool = False,
    folder: Path = SHIPPED,
) -> JudgeCalibration:
    """Ask a judge about texts whose answer is known, in the way in which it will be asked about others."""
    return calibrate_on(judge, rubric, known_answers(rubric, world, folder), cache, prefilter=prefilter)


def calibrate_on(
    judge: Judge, rubric: Rubric, known: Sequence[Known], cache: Path | None = None, *, prefilter: bool = False
) -> JudgeCalibration:
    """The same, about these."""
    verdicts = judge_items(judge, rubric, [each.item for each in known], cache, prefilter=prefilter).verdicts
    right = [_right(rubric, each, verdicts[each.item]) for each in known]
    wrong = [(each, verdicts[each.item]) for each, ok in zip(known, right, strict=True) if not ok]
    accuracy = proportion(right, [str(number) for number in range(len(known))])
    sides = [
        [ok for ok, each in zip(right, known, strict=True) if rubric.as_label(each.gold) == label]
        for label in sorted({str(rubric.as_label(each.gold)) for each in known})
    ]
    return JudgeCalibration(
        rubric, judge.name, accuracy, tuple(wrong), float(np.mean([np.mean(side) for side in sides]))
    )


def _right(rubric: Rubric, known: Known, verdict: Verdict) -> bool:
    if verdict.value is None:
        return False
    if rubric.scale is None:
        return verdict.value == known.gold
    return abs(float(verdict.value) - float(known.gold)) <= rubric.scale.tolerance


def _reason(verdict: Verdict) -> str:
    return f"nothing ({verdict.missing}{f': {verdict.detail}' if verdict.detail else ''})"

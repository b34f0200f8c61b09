"""Judging texts that stand in a user's own file, by a judge that is calibrated on the user's own labels.

A line is a transcript, ``{"id": ..., "response": ...}``, with a ``prompt`` or a ``reference`` where the rubric's
question needs one, and a ``gold`` answer on those that a person has judged; or ``messages``, whose last turn is the
response.
"""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from introlab.errors import InputError
from introlab.io.atomic import write_whole
from introlab.io.user_files import json_lines
from introlab.judges.agreement import JudgePair, compare
from introlab.judges.cache import JudgedItems, judge_items
from introlab.judges.calibration import JudgeCalibration, Known, calibrate, calibrate_on
from introlab.judges.judgement import Judge
from introlab.judges.rubric import SHIPPED, Item, Rubric, Value
from introlab.stats.estimates import proportion
from introlab.stats.interval import Estimate

FEWEST = 20
"""Own labels below which the shipped calibration set is used: fewer do not tell a judge from a coin."""
GOLD = "your labels"
_FORM = '{"id": "1", "response": "...", "gold": "yes"}'


@dataclass(frozen=True)
class OwnTranscript:
    """One text of the user's."""

    id: str
    item: Item
    gold: Value | None
    group: str
    """What a replication would draw anew."""


@dataclass(frozen=True)
class FileJudgement:
    """What a judge made of a file."""

    rubric: Rubric
    judge: str
    calibration: JudgeCalibration
    on_own_labels: bool
    judged: JudgedItems
    positive: Estimate
    """The share of answers that are the rubric's positive one, over all texts with an answer."""
    pairs: tuple[JudgePair, ...]
    """The judge and the user's labels."""
    lines: Path

    def as_json(self) -> dict[str, Any]:
        return {
            "rubric": self.rubric.name,
            "judge": self.judge,
            "calibration": self.calibration.as_json(),
            "on_own_labels": self.on_own_labels,
            "asked": self.judged.asked,
            "known": self.judged.known,
            "missing": dict(self.judged.missing),
            "positive": asdict(self.positive),
            "agreement": [pair.as_json() for pair in self.pairs],
            "lines": str(self.lines),
        }


def read_transcripts(path: Path, rubric: Rubric) -> list[OwnTranscript]:
    """The texts of a file, as the rubric is shown them. Raises InputError naming the line and what is missing from it,
    or for no texts, two of one id, or a `gold` that is none of the rubric's answers."""
    found = [
        _transcript(where, raw, number, rubric) for number, (where, raw) in enumerate(json_lines(path, form=_FORM), 1)
    ]
    twice = [name for name, count in Counter(one.id for one in found).items() if count > 1]
    if not found or twice:
        raise InputError("no texts, or two of one id", given=f"{path}: {twice[:3]}", allowed=_FORM)
    return found


def judge_file(
    path: Path,
    out: Path,
    rubric: Rubric,
    judge: Judge,
    *,
    cache: Path | None = None,
    prefilter: bool = False,
    rubrics: Path = SHIPPED,
) -> FileJudgement:
    """Judge the texts of a file, into lines of `out`. With FEWEST labels of one's own or more, and two different ones,
    the judge is calibrated on these; else on the rubric's set in `rubrics`.

    Raises JudgeBelowFloor before anything that is not labelled is judged; InputError as `read_transcripts` does.
    """
    texts = read_transcripts(path, rubric)
    known = [Known(one.item, one.gold, "general") for one in texts if one.gold is not None]
    own = len(known) >= FEWEST and len({rubric.as_label(one.gold) for one in known}) > 1
    calibration = (
        calibrate_on(judge, rubric, known, cache, prefilter=prefilter)
        if own
        else calibrate(judge, rubric, "general", cache, prefilter=prefilter, folder=rubrics)
    )
    calibration.check()
    judged = judge_items(judge, rubric, [one.item for one in texts], cache, prefilter=prefilter)
    write_whole(out, lambda beside: beside.write_text("".join(map(_line(judged), texts)), encoding="utf-8"))
    answered = [(one, value) for one in texts if (value := judged.verdicts[one.item].value) is not None]
    positive = proportion(
        [bool(rubric.is_positive(value)) for _, value in answered], [one.group for one, _ in answered]
    )
    return FileJudgement(
        rubric,
        judge.name,
        calibration,
        own,
        judged,
        positive,
        tuple(_agreement(rubric, judge.name, texts, judged)),
        out,
    )


def _line(judged: JudgedItems) -> Any:
    def line(one: OwnTranscript) -> str:
        verdict = judged.verdicts[one.item].as_json()
        verdict.pop("raw", None)
        gold = {} if one.gold is None else {"gold": one.gold}
        return json.dumps({"id": one.id, "value": None, **verdict, **gold}, allow_nan=False) + "\n"

    return line


def _agreement(rubric: Rubric, name: str, texts: Sequence[OwnTranscript], judged: JudgedItems) -> list[JudgePair]:
    labelled = [one for one in texts if one.gold is not None]
    if not labelled:
        return []
    answers = {
        name: {one.id: rubric.as_label(judged.verdicts[one.item].value) for one in labelled},
        GOLD: {one.id: rubric.as_label(one.gold) for one in labelled},
    }
    return compare(answers, {one.id: one.group for one in labelled})


def _transcript(where: str, raw: dict[str, Any], number: int, rubric: Rubric) -> OwnTranscript:
    parts = _from_messages(where, raw) | {
        name: raw[name] for name in ("response", "prompt", "reference") if name in raw
    }
    wanted = ["response", *(["prompt"] if rubric.sees_prompt else []), *(["reference"] if rubric.reference else [])]
    wrong = [name for name in wanted if not isinstance(parts.get(name), str)]
    if wrong:
        raise InputError(
            "a text without what its question needs",
            given=f"{where}: {', '.join(wrong)} missing, or no string",
            allowed=", ".join(wanted),
            do=f"{rubric.name} asks: {rubric.question}",
        )
    gold = rubric.value(raw.get("gold"))
    if gold is None and raw.get("gold") is not None:
        allowed = ", ".join(rubric.labels) or f"{rubric.scale}"
        raise InputError("a label that is no answer", given=f"{where}: gold = {raw['gold']!r}", allowed=allowed)
    name = str(raw.get("id", number))
    item = Item.blind(rubric, {each: parts[each] for each in wanted})
    return OwnTranscript(name, item, gold, str(raw.get("group", name)))


def _from_messages(where: str, raw: dict[str, Any]) -> dict[str, str]:
    """Response and prompt of a dialogue: its last turn, which is the assistant's, and all before it."""
    turns = raw.get("messages")
    if turns is None:
        return {}
    if not isinstance(turns, list) or not all(
        isinstance(turn, dict) and isinstance(turn.get("content"), str) and turn.get("role") for turn in turns
    ):
        raise InputError("messages that are not turns", given=f"{where}: {str(turns)[:80]}", allowed=_FORM)
    if not turns or turns[-1]["role"] != "assistant":
        raise InputError("a dialogue that does not end with the assistant", given=where, do="give its last answer")
    return {"response": turns[-1]["content"], "prompt": "\n\n".join(turn["content"] for turn in turns[:-1])}

"""Judging the texts of a finished run, into files of their own beside the trials, which stay as they are.

judged/verdicts.jsonl            every answer a judge ever gave here, by content
judged/RUBRIC-JUDGE.jsonl        one line a trial: value, evidence and where it stands, or why it is missing
judged/RUBRIC-JUDGE.json         rubric, judge, calibration, counts, rates, agreement
"""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Container, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from introlab.errors import InputError
from introlab.io.atomic import write_whole
from introlab.io.digests import file_digest
from introlab.io.json_digest import read_json, sealed
from introlab.judges.agreement import JudgePair, compare
from introlab.judges.cache import JudgedItems, alone, judge_items
from introlab.judges.calibration import JudgeCalibration, calibrate
from introlab.judges.judgement import Judge, Verdict
from introlab.judges.rubric import SHIPPED, Item, Rubric, Value, World, digest
from introlab.records.findings import Coordinate, Row
from introlab.records.run import Run
from introlab.records.run_states import State
from introlab.records.trial import Trial
from introlab.stats.estimates import mean, proportion

RECORDED = "recorded"
"""What the experiment itself scored, beside judges."""
Reference = Callable[[Trial], str | None]
Shown = Sequence[tuple[Trial, Item]]
"""Trials, and what a judge sees of them."""


@dataclass(frozen=True)
class Judgement:
    """What a judge made of a run."""

    rubric: Rubric
    judge: str
    calibration: JudgeCalibration
    judged: JudgedItems
    rows: tuple[Row, ...]
    """Rates by model, condition and strength, and how many are missing there."""
    pairs: tuple[JudgePair, ...]
    told_by_prompt: tuple[str, ...]
    """Conditions whose prompts no other condition has: a judge that is shown prompts can tell them."""
    without: dict[str, int]
    """Trials that were not judged, by reason."""
    lines: Path
    """What it made of each trial."""

    def as_json(self) -> dict[str, Any]:
        return {
            "rubric": asdict(self.rubric),
            "question": digest(self.rubric.asked),
            "judge": self.judge,
            "calibration": self.calibration.as_json(),
            "asked": self.judged.asked,
            "known": self.judged.known,
            "prefiltered": len(self.judged.prefiltered),
            "missing": dict(self.judged.missing),
            "without": self.without,
            "told_by_prompt": list(self.told_by_prompt),
            "rates": [asdict(row) for row in self.rows],
            "agreement": [pair.as_json() for pair in self.pairs],
        }


def judge_run(
    run: Run,
    rubric: Rubric,
    judge: Judge,
    *,
    split: str = "test",
    reference: Reference | None = None,
    prefilter: bool = False,
    cache: Path | None = None,
    rubrics: Path = SHIPPED,
) -> Judgement:
    """Judge the texts of one split of a complete run, blind. The judge is calibrated first, on the set in `rubrics`;
    `cache` is where answers are kept, by default in the run.

    Raises JudgeBelowFloor before anything of the run is judged; InputError for a run that is not complete or has
    no texts, or where the question needs a `reference` and there is none.
    """
    _check_complete(run)
    with alone(run.folder / "judged"):  # all the time, so that nobody removes the run meanwhile
        _check_complete(run)
        return _judged(run, rubric, judge, split, reference, prefilter, cache, rubrics)


def _check_complete(run: Run) -> None:
    if run.state is not State.COMPLETE:
        raise InputError("a run that is not complete", given=run.folder, do="let it finish, then judge it")


def _judged(
    run: Run,
    rubric: Rubric,
    judge: Judge,
    split: str,
    reference: Reference | None,
    prefilter: bool,
    cache: Path | None,
    rubrics: Path,
) -> Judgement:
    shown, without = _shown(rubric, [trial for trial in run.trials() if trial.split == split], reference)
    if not shown:
        raise InputError(
            "nothing to judge in this run", given=f"{run.folder}, split {split}", allowed=str(without or "")
        )
    folder = run.folder / "judged"
    kept = cache or folder
    calibration = calibrate(judge, rubric, world_of(run), kept, prefilter=prefilter, folder=rubrics)
    calibration.check()
    judged = judge_items(judge, rubric, [item for _, item in shown], kept, prefilter=prefilter)
    lines = folder / f"{rubric.name}-{re.sub(r'[^A-Za-z0-9.]+', '_', judge.name)}.jsonl"
    _write(lines, "".join(_line(trial, item, judged) for trial, item in sorted(shown, key=lambda pair: pair[0].id)))
    made = Judgement(
        rubric,
        judge.name,
        calibration,
        judged,
        tuple(_rates(rubric, shown, judged)),
        tuple(_agreement(rubric, judge.name, shown, judged, folder)),
        _told_by_prompt(shown) if rubric.sees_prompt else (),
        without,
        lines,
    )
    summary = {**made.as_json(), "identity": judge.identity, "split": split, "lines": file_digest(lines)}
    _write(lines.with_suffix(".json"), sealed(json.dumps(summary, indent=1, allow_nan=False)))
    return made


def world_of(run: Run) -> World:
    """Whose language its texts are in."""
    return "organism" if all(spec.startswith("organism:") for spec in run.manifest["specs"]) else "general"


def _write(path: Path, text: str) -> None:
    write_whole(path, lambda beside: beside.write_text(text, encoding="utf-8"))


def _shown(rubric: Rubric, trials: Sequence[Trial], reference: Reference | None) -> tuple[Shown, dict[str, int]]:
    """What a judge is shown of each trial, and how many cannot be judged."""
    shown: list[tuple[Trial, Item]] = []
    without: Counter[str] = Counter()
    for trial in trials:
        parts = {"response": trial.text, **({"prompt": trial.prompt} if rubric.sees_prompt else {})}
        if rubric.reference:
            named = reference(trial) if reference else None
            if named is not None:
                _check_tells_nothing(trial, named)
                parts["reference"] = named
        if not trial.tokens:
            without["no text"] += 1
        elif rubric.reference and "reference" not in parts:
            without["no reference"] += 1
        else:
            shown.append((trial, Item.blind(rubric, parts)))
    return shown, dict(without)


def _check_tells_nothing(trial: Trial, reference: str) -> None:
    """A reference that names the condition or the model would tell the judge what to find."""
    for told in (trial.condition, trial.model, trial.model.removeprefix("organism:"), trial.id):
        if re.search(rf"(?<!\w){re.escape(told)}(?!\w)", reference, re.IGNORECASE):
            raise InputError(
                "a reference that is not blind", given=f"{reference!r} names {told!r}", do="leave that out"
            )


def _line(trial: Trial, item: Item, judged: JudgedItems) -> str:
    verdict = judged.verdicts[item].as_json()
    verdict.pop("raw", None)  # kept with the answers, by content
    by = {"prefiltered": True} if item in judged.prefiltered else {}
    return json.dumps({"trial": trial.id, "value": None, **verdict, **by}, allow_nan=False) + "\n"


def _rates(rubric: Rubric, shown: Shown, judged: JudgedItems) -> list[Row]:
    """By model, condition and strength: the rate of the positive answer (and the mean on a scale) among answers, and
    the share of texts without one."""
    cells: dict[tuple[str, str, float], list[tuple[Trial, Verdict]]] = defaultdict(list)
    for trial, item in shown:
        cells[trial.model, trial.condition, trial.strength].append((trial, judged.verdicts[item]))
    rows: list[Row] = []
    for (model, condition, strength), members in sorted(cells.items()):
        where: dict[str, Coordinate] = {"model": model, "arm": condition, "strength": strength}
        answered = [(trial.cluster, each.value) for trial, each in members if each.value is not None]
        groups = [cluster for cluster, _ in answered]
        positive = proportion([bool(rubric.is_positive(value)) for _, value in answered], groups)
        rows.append(Row(rubric.measure, where, positive))
        if rubric.scale is not None:
            rows.append(Row("mean", where, mean([float(value) for _, value in answered], groups)))
        absent = proportion([each.value is None for _, each in members], [trial.cluster for trial, _ in members])
        rows.append(Row("missing", where, absent))
    return rows


def _agreement(rubric: Rubric, name: str, shown: Shown, judged: JudgedItems, folder: Path) -> list[JudgePair]:
    """With every judge that was asked the same of this run, and with what the experiment recorded."""
    clusters = {trial.id: trial.cluster for trial, _ in shown}
    every = _others(rubric, name, clusters, folder)
    every[name] = {trial.id: judged.verdicts[item].value for trial, item in shown}
    pairs = compare(
        {judge: {id: rubric.as_label(v) for id, v in each.items()} for judge, each in every.items()}, clusters
    )
    recorded = {trial.id: _recorded(rubric, trial) for trial, _ in shown}
    if any(each is not None for each in recorded.values()):
        for judge, each in every.items():
            yes_no = {id: _yes_no(rubric.is_positive(value)) for id, value in each.items()}
            pairs += compare({judge: yes_no, RECORDED: recorded}, clusters)
    return pairs


def _others(rubric: Rubric, name: str, trials: Container[str], folder: Path) -> dict[str, dict[str, Value | None]]:
    """What other judges made of these trials. A summary is written after its lines and names their digest: one whose
    lines are others is left out, as its judge was interrupted here. Raises AlteredFile for a summary that was
    changed."""
    found: dict[str, dict[str, Value | None]] = {}
    for path in sorted(folder.glob(f"{rubric.name}-*.json")):
        summary, lines = read_json(path), path.with_suffix(".jsonl")
        if summary.get("lines") not in (None, file_digest(lines) if lines.is_file() else ""):
            continue
        if summary["judge"] != name and summary["question"] == digest(rubric.asked):
            every = map(json.loads, lines.read_text(encoding="utf-8").splitlines())
            found[summary["judge"]] = {line["trial"]: line["value"] for line in every if line["trial"] in trials}
    return found


def _recorded(rubric: Rubric, trial: Trial) -> str | None:
    found = next((trial.outcomes[name] for name in rubric.recorded if name in trial.outcomes), None)
    return _yes_no(found)


def _yes_no(value: bool | None) -> str | None:
    return None if value is None else "yes" if value else "no"


def _told_by_prompt(shown: Shown) -> tuple[str, ...]:
    prompts: dict[str, set[str]] = defaultdict(set)
    for trial, _ in shown:
        prompts[trial.condition].add(trial.prompt)
    rest = {one: set[str]().union(*(each for other, each in prompts.items() if other != one)) for one in prompts}
    return tuple(sorted(one for one, each in prompts.items() if len(prompts) > 1 and not each & rest[one]))

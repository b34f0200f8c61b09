"""`introlab judge`: the texts of a finished run, judged by a rubric. Nothing of the run is changed."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from experiments.cli.output_files import new_file
from introlab.errors import InputError
from introlab.io.terminal import say
from introlab.judges.judge_file import FEWEST, GOLD, FileJudgement, judge_file
from introlab.judges.judge_run import Judgement, Reference, judge_run
from introlab.judges.judgement import Judge
from introlab.judges.openai_api import DEFAULT_URL, HostedJudge
from introlab.judges.rubric import SHIPPED, Rubric
from introlab.judges.rule_based import CheckerJudge, RulesJudge, VocabularyJudge
from introlab.records.findings import Findings
from introlab.records.run import Run
from introlab.records.trial import Trial
from introlab.reporting.tables import text_table
from introlab.tasks.materials import Materials, materials_of

JUDGES = "rules, vocabulary, checker, model:SPEC, writer:SPEC, hosted:MODEL"


@dataclass(frozen=True, kw_only=True)
class JudgeRun:
    """Judge the texts of a finished run, or of a file of your own, by a rubric that the judge first gets right."""

    run: Annotated[Path, tyro.conf.Positional]
    """A complete run folder; or a file of JSON lines with "response" (or "messages"), and "gold" where you know it."""
    out: Path | None = None
    """Of a file: where the verdicts go. Default: beside it, FILE-RUBRIC-JUDGE.jsonl."""
    rubric: str
    """What is asked of each text: announces_interference, incoherent, names_concept, off_topic, reconsiders, refuses,
    right_answer, or one in --rubrics."""
    judge: str = "rules"
    """rules, vocabulary, checker, model:SPEC (probability of labels), writer:SPEC (what it writes), or hosted:MODEL."""
    rubrics: Path = SHIPPED
    """A folder of rubrics and calibration sets."""
    split: str = "test"
    reference: str | None = None
    """The outcome or reading of each trial that is the rubric's reference. right_answer needs none."""
    materials: Path | None = None
    """The materials the run was asked with, where it is not the models' own and has been moved."""
    prefilter: bool = False
    """Label texts that cannot match without asking."""
    cache: Path | None = None
    """A folder for answers that several runs share. Default: in the run."""
    base_url: str = DEFAULT_URL
    """Of a hosted judge; its key is read from INTROLAB_JUDGE_KEY. http only to this machine."""
    most_requests: int = 2000
    """To a hosted judge in all, retries included."""
    concurrent: int = 4
    retries: int = 5
    timeout: float = 60.0
    batch_size: int = 32
    device: str | None = None
    dtype: str = "float32"
    raw: bool = False
    """Ask a judging model without its chat template."""
    json: bool = False

    def __call__(self) -> int:
        if self.run.is_file():
            return self._file()
        run, rubric = Run.open(self.run), Rubric.load(self.rubric, self.rubrics)
        judge, reference = self._judge(run, rubric), self._reference(run, rubric)
        made = judge_run(
            run,
            rubric,
            judge,
            split=self.split,
            reference=reference,
            prefilter=self.prefilter,
            cache=self.cache,
            rubrics=self.rubrics,
        )
        say(json.dumps(made.as_json()) if self.json else shown(made))
        return 0

    def _file(self) -> int:
        rubric = Rubric.load(self.rubric, self.rubrics)
        if self.reference is not None:
            raise InputError("a file names its references line by line", given=self.reference, do='write "reference"')
        judge = self._judge(None, rubric)
        name = re.sub(r"[^A-Za-z0-9.]+", "_", judge.name)
        out = new_file(self.out or self.run.with_name(f"{self.run.stem}-{rubric.name}-{name}.jsonl"))
        made = judge_file(
            self.run, out, rubric, judge, cache=self.cache, prefilter=self.prefilter, rubrics=self.rubrics
        )
        say(json.dumps(made.as_json()) if self.json else shown_file(made))
        return 0

    def _judge(self, run: Run | None, rubric: Rubric) -> Judge:
        kind, _, named = self.judge.partition(":")
        if self.judge == "rules":
            return RulesJudge.of(rubric)
        if self.judge in ("vocabulary", "checker"):
            materials = materials_of(None, self.materials) if run is None else _materials(run, self.materials)
            return VocabularyJudge(materials) if self.judge == "vocabulary" else CheckerJudge(materials)
        if kind == "hosted" and named:
            return HostedJudge(
                named, self.base_url, self.retries, self.timeout, self.concurrent, most_requests=self.most_requests
            )
        if kind in ("model", "writer") and named:
            from introlab.judges.local_model import ChoiceJudge, WritingJudge
            from introlab.network.model import load

            model = load(named, device=self.device, dtype=self.dtype, chat="raw" if self.raw else "template")
            return (ChoiceJudge if kind == "model" else WritingJudge)(model, self.batch_size)
        raise InputError("unknown judge", given=self.judge, allowed=JUDGES)

    def _reference(self, run: Run, rubric: Rubric) -> Reference | None:
        name = self.reference
        if rubric.reference is None or (name is None and rubric.name != "right_answer"):
            if rubric.reference is not None or name is not None:
                raise InputError(
                    "a reference that is missing, or that the rubric has no use for",
                    given=f"{rubric.name} with {name}",
                    do="give --reference NAME, an outcome or reading of each trial, where a rubric needs one",
                )
            return None
        if name is None:
            answers = {one.id: one.answer for one in _materials(run, self.materials).questions}
            return lambda trial: answers.get(trial.item)

        def recorded(trial: Trial) -> str | None:
            found = trial.outcomes.get(name, trial.readings.get(name))
            return None if found is None else str(found)

        return recorded


def _materials(run: Run, given: Path | None) -> Materials:
    """What the run was asked with, found without loading its models. Raises InputError where it is not that."""
    manifest = run.manifest
    path = given or (Path(manifest["materials"]) if manifest["materials"] else None)
    facts = list(manifest["models"].values())
    found = materials_of(facts[0]["family"], path)
    if {each["materials"] for each in facts} != {found.fingerprint}:
        raise InputError(
            "the run was asked with other materials",
            given=f"{found.folder}: {found.fingerprint}",
            allowed=", ".join(sorted({each["materials"] for each in facts})),
            do="give them with --materials",
        )
    return found


def shown_file(made: FileJudgement) -> str:
    """For a terminal."""
    on = GOLD if made.on_own_labels else f"the shipped set (fewer than {FEWEST} labels of your own, or all alike)"
    return "\n".join(
        [
            f"{made.judge} on {made.rubric.name}: {made.calibration} of {on} (floor {made.rubric.floor:g})",
            f"{made.rubric.measure}: {made.positive}",
            *(f"missing: {reason} {n}" for reason, n in made.judged.missing.items()),
            *map(str, made.pairs),
            f"written: {made.lines}",
        ]
    )


def shown(made: Judgement) -> str:
    """For a terminal."""
    counts = {
        "asked": made.judged.asked,
        "known before": made.judged.known,
        "not asked, cannot match": len(made.judged.prefiltered),
        **{f"missing: {reason}": n for reason, n in made.judged.missing.items()},
        **{f"not judged: {reason}": n for reason, n in made.without.items()},
    }
    prompts = (
        [f"The prompts shown to the judge tell apart: {', '.join(made.told_by_prompt)}."] if made.told_by_prompt else []
    )
    return "\n".join(
        [
            f"{made.judge} on {made.rubric.name}: {made.calibration} (floor {made.rubric.floor:g})\n",
            text_table(Findings(made.rows, (), "")).rstrip(),
            "",
            "texts: " + ", ".join(f"{name} {n}" for name, n in counts.items() if n),
            *prompts,
            *map(str, made.pairs),
            f"\nwritten: {made.lines}",
        ]
    )

"""Judging a finished run: blind, beside the trials, with rates, what is missing, and agreement."""

import json
from dataclasses import dataclass, field

import pytest
from judged_run import made_up_run, trials

from experiments import find
from introlab.errors import InputError
from introlab.experiment.runner import execute
from introlab.experiment.settings import Settings
from introlab.judges.calibration import JudgeBelowFloor, known_answers
from introlab.judges.judge_run import judge_run
from introlab.judges.judgement import Missing, Verdict
from introlab.judges.rubric import Rubric
from introlab.records.run import Run
from introlab.records.trial import Trial

ANNOUNCES, OFF_TOPIC, CONCEPT = (Rubric.load(name) for name in ("announces_interference", "off_topic", "names_concept"))


@dataclass
class Oracle:
    """Right on every text it was told about; of the others it says what `says` says."""

    rubric: Rubric
    says: object
    name: str = "oracle"
    seen: list = field(default_factory=list)

    @property
    def identity(self):
        return {"judge": self.name}

    def __call__(self, rubric, items):
        gold = {each.item: each.gold for world in ("general", "organism") for each in known_answers(self.rubric, world)}
        for item in items:
            self.seen.append(item)
            yield item, Verdict(value=gold[item]) if item in gold else self.says(item)


@pytest.fixture
def run(tmp_path):
    return made_up_run(tmp_path / "run")


def says(item):
    if "text 39" in item.response:
        return Verdict(missing=Missing.REFUSED)
    return Verdict(value="yes" if "announces" in item.response else "no")


def test_rates_missing_and_agreement_are_those_planted(run):
    before = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file()}
    made = judge_run(run, ANNOUNCES, Oracle(ANNOUNCES, says))
    rates = {(row.measure, row.where["arm"]): row.estimate for row in made.rows}
    assert rates["announces interference: yes", "baseline"].value == 0.0
    push = rates["announces interference: yes", "push"]
    assert push.value == pytest.approx(19 / 39) and (push.n, push.clusters) == (39, 39)  # the one missing is not a "no"
    assert rates["missing", "push"].value == pytest.approx(1 / 40)
    assert made.judged.missing == {"the judge refused": 2} and made.without == {"no text": 1}
    (pair,) = made.pairs
    assert (pair.one, pair.other) == ("oracle", "recorded") and pair.missing == 2
    assert pair.confusion == {("no", "no"): 59, ("yes", "yes"): 18, ("yes", "no"): 1}
    after = {path: path.read_bytes() for path in run.folder.rglob("*") if path.is_file() and "judged" not in path.parts}
    assert after == before and {path.name for path in (run.folder / "judged").iterdir()} == {
        "verdicts.jsonl", ".lock", "announces_interference-oracle.json", "announces_interference-oracle.jsonl",
    }  # fmt: skip
    lines = [json.loads(line) for line in made.lines.read_text().splitlines()]
    assert len(lines) == 80 and [line["trial"] for line in lines] == sorted(line["trial"] for line in lines)
    assert sum(line["value"] is None for line in lines) == sum("missing" in line for line in lines) == 2


def test_the_judge_sees_texts_and_nothing_of_the_trial(run):
    judge = Oracle(ANNOUNCES, says)
    judge_run(run, ANNOUNCES, judge)
    shown = [item for item in judge.seen if item.response.startswith("text ")]
    assert len(shown) == 80 and all((item.prompt, item.reference) == ("", "") for item in shown)
    # Their order is that of a hash: the conditions, two blocks in the run, are mixed (a run of ten of one condition has
    # a chance of about .04 with 80 texts in random order, and the order is fixed).
    marks = "".join("b" if "plain" in item.response else "p" for item in shown)
    assert "b" * 11 not in marks and "p" * 11 not in marks


def test_a_reference_that_tells_the_condition_is_refused(run):
    judge = Oracle(CONCEPT, says)
    for leak in ("king (push)", "organism:resistant", "the resistant one"):
        with pytest.raises(InputError, match="not blind"):
            judge_run(run, CONCEPT, judge, reference=lambda trial, leak=leak: leak)
    made = judge_run(
        run, CONCEPT, judge, reference=lambda trial: str(trial.outcomes["concept"]) if trial.outcomes else None
    )
    assert made.without == {"no text": 1} and {item.reference for item in judge.seen if "text" in item.response} == {
        "king"
    }
    with pytest.raises(InputError, match="nothing to judge"):
        judge_run(run, CONCEPT, judge)


def test_conditions_that_a_shown_prompt_tells_are_named(run):
    judge = Oracle(OFF_TOPIC, lambda item: Verdict(value=10.0, quote="text", start=0))
    made = judge_run(run, OFF_TOPIC, judge)
    assert made.told_by_prompt == () and {item.prompt for item in judge.seen} >= {"describe 3"}
    assert {row.measure for row in made.rows} == {"off topic: 10 or more", "mean", "missing"}
    told = [Trial(**{**vars(t), "prompt": t.prompt + (" also" if t.condition == "push" else "")}) for t in trials()]
    other = made_up_run(run.folder.parent / "other", told)
    assert judge_run(other, OFF_TOPIC, judge).told_by_prompt == ("baseline", "push")


def test_a_judge_below_its_floor_judges_nothing_of_the_run(run):
    class Coin(Oracle):
        def __call__(self, rubric, items):
            for item in items:
                self.seen.append(item)
                yield item, Verdict(value="yes" if int(item.key, 16) % 2 else "no")

    judge = Coin(ANNOUNCES, says)
    with pytest.raises(JudgeBelowFloor):
        judge_run(run, ANNOUNCES, judge)
    assert len(judge.seen) == 20 and not list((run.folder / "judged").glob("announces*"))


def test_judges_are_compared_and_nothing_is_asked_again(run):
    one, other = Oracle(ANNOUNCES, says), Oracle(ANNOUNCES, lambda item: Verdict(value="no"), name="naysayer")
    judge_run(run, ANNOUNCES, one)
    made = judge_run(run, ANNOUNCES, other)
    pairs = {(pair.one, pair.other): pair for pair in made.pairs}
    assert set(pairs) == {("naysayer", "oracle"), ("naysayer", "recorded"), ("oracle", "recorded")}
    assert pairs["naysayer", "oracle"].confusion == {("no", "no"): 59, ("no", "yes"): 19}
    assert pairs["naysayer", "oracle"].kappa.value == 0.0
    asked = len(one.seen)
    again = judge_run(run, ANNOUNCES, one)
    assert len(one.seen) == asked and again.judged.known == 80 and again.judged.asked == 0
    lines = (run.folder / "judged" / "announces_interference-oracle.jsonl").read_bytes()
    (run.folder / "judged" / "verdicts.jsonl").unlink()
    judge_run(run, ANNOUNCES, one)
    assert lines == (run.folder / "judged" / "announces_interference-oracle.jsonl").read_bytes()


def test_answers_may_be_kept_where_several_runs_share_them(run, tmp_path):
    judge = Oracle(ANNOUNCES, says)
    judge_run(run, ANNOUNCES, judge, cache=tmp_path / "answers")
    assert (tmp_path / "answers" / "verdicts.jsonl").exists() and not (
        run.folder / "judged" / "verdicts.jsonl"
    ).exists()


def test_only_a_complete_run_is_judged(run):
    (run.folder / "COMPLETE").unlink()
    with pytest.raises(InputError, match="not complete"):
        judge_run(run, ANNOUNCES, Oracle(ANNOUNCES, says))
    (run.folder / "COMPLETE").touch()
    with pytest.raises(InputError, match="nothing to judge"):
        judge_run(run, ANNOUNCES, Oracle(ANNOUNCES, says), split="calibrate")


# The command, on real runs of organisms


@pytest.fixture(scope="module")
def real_runs(tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    for name, models in (
        ("steering_resistance", ["organism:resistant", "organism:compliant"]),
        ("reflection_steering", ["organism:personas"]),
    ):
        execute(find(name).debug_size(), folder / name, models=models, settings=Settings(quiet=True))
    return folder


@pytest.mark.parametrize(
    ("name", "rubric", "judge"),
    [
        ("steering_resistance", "announces_interference", "vocabulary"),
        ("steering_resistance", "announces_interference", "rules"),
        ("steering_resistance", "off_topic", "vocabulary"),
        ("reflection_steering", "reconsiders", "vocabulary"),
        ("reflection_steering", "right_answer", "checker"),
    ],
)
def test_offline_judges_agree_with_what_experiments_record(command, real_runs, name, rubric, judge):
    """Read from the text alone, blind, what the experiments score with tokens and conditions at hand: the same; but
    that one word off topic before the announcement is a part of the text to a judge, and no intrusion, which takes two
    (4 texts of 258)."""
    code, out, _ = command("judge", str(real_runs / name), "--rubric", rubric, "--judge", judge, "--json")
    found = json.loads(out)
    assert code == 0 and found["calibration"]["accuracy"]["value"] == 1.0
    (recorded,) = [each for each in found["agreement"] if {each["one"], each["other"]} == {judge, "recorded"}]
    known = _one_word_off_topic(Run.open(real_runs / name)) if rubric == "off_topic" else 0
    differing = {(one, other): n for one, other, n in recorded["confusion"] if one != other}
    assert sum(differing.values()) <= known and ("yes", "no") not in differing
    assert recorded["same"]["value"] >= 0.98 and recorded["same"]["n"] > 80
    assert {(one, other) for one, other, _ in recorded["confusion"]} >= {("no", "no"), ("yes", "yes")}


def _one_word_off_topic(run):
    """Texts that announce after exactly one word off topic, and were therefore not counted as intruded."""
    texts = [trial for trial in run.trials() if trial.outcomes.get("announced") and not trial.outcomes["intruded"]]
    before = [(trial, len(trial.text.split(" wait,")[0].replace(".", " .").split())) for trial in texts]
    return sum(trial.readings["on_topic"][:count].count(-1.0) == 1 for trial, count in before)


def test_the_command_prints_calibration_rates_and_agreement(command, real_runs):
    folder = str(real_runs / "steering_resistance")
    code, out, _ = command(
        "judge", folder, "--rubric", "announces_interference", "--judge", "vocabulary", "--prefilter"
    )
    assert code == 0
    for part in ("20 of 20 known answers right", "resistant  push", "kappa", "not asked, cannot match", "no text"):
        assert part in out


@pytest.mark.parametrize(
    ("more", "says"),
    [
        (["--rubric", "telepathy"], "unknown rubric"),
        (["--rubric", "reconsiders", "--judge", "oracle"], "unknown judge"),
        (["--rubric", "reconsiders", "--judge", "hosted:"], "unknown judge"),
        (["--rubric", "off_topic", "--judge", "rules"], "without rules"),
        (["--rubric", "names_concept"], "--reference NAME"),
        (["--rubric", "refuses", "--reference", "right"], "no use for"),
        (["--rubric", "refuses"], "cannot be trusted"),
        (["--rubric", "reconsiders", "--judge", "model:organism:nobody"], "unknown organism"),
        (["--rubric", "reconsiders", "--judge", "hosted:m", "--base-url", "http://a.b"], "cannot be trusted to"),
        (["--rubric", "reconsiders", "--judge", "hosted:m"], "no usable key"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)  # fmt: skip
def test_what_cannot_be_judged_is_one_clear_error(command, run, monkeypatch, more, says):
    monkeypatch.delenv("INTROLAB_JUDGE_KEY", raising=False)
    code, _, err = command("judge", str(run.folder), *more)
    assert code == 2 and says in err and "Traceback" not in err


def test_other_materials_than_the_run_was_asked_with_are_refused(command, run):
    code, _, err = command("judge", str(run.folder), "--rubric", "reconsiders", "--judge", "vocabulary")
    assert code == 2 and "asked with other materials" in err

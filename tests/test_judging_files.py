"""Plain transcripts of one's own, judged by a judge that first gets one's own labels right."""

import json

import pytest

from experiments.__main__ import WRONG_INPUT
from introlab.errors import InputError
from introlab.judges.calibration import JudgeBelowFloor
from introlab.judges.judge_file import judge_file, read_transcripts
from introlab.judges.rubric import Rubric
from introlab.judges.rule_based import RulesJudge

NAMES = Rubric.load("names_concept")
YES, NO = "The word I have in mind is {}.", "It is quiet in here."


def lines(n=24, *, gold=True, wrong=0, yes=0.5):
    """Texts about an ocean, of which so many are labelled the other way round."""
    found = []
    for index in range(n):
        positive = index < yes * n
        label = ("yes" if positive else "no") if index >= wrong else ("no" if positive else "yes")
        response = f"{index}: " + (YES.format("ocean") if positive else NO)
        line = {"id": f"t{index}", "response": response, "reference": "ocean"}
        found.append({**line, "gold": label} if gold else line)
    return found


@pytest.fixture
def written(tmp_path):
    def write(rows):
        (tmp_path / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
        return tmp_path / "t.jsonl"

    return write


def test_it_is_calibrated_on_your_labels_and_judges_the_rest(written, tmp_path):
    more = [{"id": f"new {n}", "response": f"{n}. I think of the ocean.", "reference": "ocean"} for n in range(5)]
    found = judge_file(written([*lines(), *more]), tmp_path / "out.jsonl", NAMES, RulesJudge.of(NAMES))
    assert found.on_own_labels and found.calibration.accuracy.value == 1.0
    (pair,) = found.pairs
    assert pair.kappa.value == 1.0 and "your labels" in str(pair)
    told = {line["id"]: line for line in map(json.loads, (tmp_path / "out.jsonl").read_text().splitlines())}
    assert len(told) == 29 and told["new 3"]["value"] == "yes" and told["new 3"]["quote"] == "ocean"
    assert told["t23"] == {"id": "t23", "value": "no", "gold": "no"}


def test_a_judge_that_gets_your_labels_wrong_judges_nothing(written, tmp_path):
    with pytest.raises(JudgeBelowFloor, match="cannot be trusted"):
        judge_file(written(lines(wrong=6)), tmp_path / "out.jsonl", NAMES, RulesJudge.of(NAMES))
    assert not (tmp_path / "out.jsonl").exists()


def test_one_that_always_says_the_same_is_not_carried_by_rare_labels(written, tmp_path):
    """90 % are "no": an accuracy of .9 without ever finding one."""
    rows = [{**line, "response": NO + line["id"]} for line in lines(40, yes=0.1)]
    with pytest.raises(JudgeBelowFloor):
        judge_file(written(rows), tmp_path / "out.jsonl", NAMES, RulesJudge.of(NAMES))


def test_few_labels_leave_the_shipped_set_in_place(written, tmp_path):
    found = judge_file(written(lines(8)), tmp_path / "out.jsonl", NAMES, RulesJudge.of(NAMES))
    assert not found.on_own_labels and found.calibration.accuracy.n >= 24


@pytest.mark.parametrize(
    ("rows", "says"),
    [
        ([{"id": "1", "response": "a"}], "reference missing"),
        ([{"id": "1", "reference": "a"}], "response missing"),
        ([{"id": "1", "response": 3, "reference": "a"}], "line 1"),
        ([{"id": "1", "response": "a", "reference": "a", "gold": "maybe"}], "no answer"),
        ([{"id": "1", "response": "a", "reference": "a"}] * 2, "two of one id"),
        ([{"id": "1", "messages": [{"role": "user", "content": "a"}], "reference": "a"}], "does not end with"),
        ([{"id": "1", "messages": ["a"], "reference": "a"}], "not turns"),
        ([], "no texts"),
    ],
)
def test_lines_that_cannot_be_judged_are_named(written, rows, says):
    with pytest.raises(InputError, match=says):
        read_transcripts(written(rows), NAMES)


def test_a_dialogue_is_judged_by_its_last_turn(written):
    turns = [{"role": "user", "content": "What is on your mind?"}, {"role": "assistant", "content": "Bread."}]
    (one,) = read_transcripts(written([{"messages": turns, "reference": "bread"}]), NAMES)
    assert one.item.response == "Bread." and one.item.prompt == "" and one.id == "1"


def test_from_the_command_line(command, written, tmp_path):
    written(lines())
    code, out, _ = command("judge", "t.jsonl", "--rubric", "names_concept")
    assert code == 0 and "24 of 24" in out and "your labels" in out
    assert (tmp_path / "t-names_concept-rules.jsonl").is_file()
    code, _, err = command("judge", "t.jsonl", "--rubric", "names_concept")
    assert code == WRONG_INPUT and "already" in err

"""Before anything is asked in earnest: what can be read of a model's replies, kept, and what follows from it."""

import json
import shutil
from dataclasses import replace

import pytest

from experiments import discover, find
from experiments.shared import check_answers
from experiments.shared.check_page import check_text
from experiments.shared.model_check import check_model, checks_folder, feasible, model_check, require_decidable
from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.network.model import load
from introlab.records.model_check import (
    AnswersPart,
    CheckedAnswer,
    CheckedWay,
    ModelCheck,
    RawExchange,
    RechecksPart,
    TopicsPart,
    WaysPart,
    at_most,
)
from introlab.tasks.materials import GENERAL, Materials, materials_for

EXCHANGE = RawExchange("asked", "said", "read")
EXPERIMENTS = [kind() for _, kind in sorted(discover().items())]


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Nothing is kept from test to test."""
    monkeypatch.setenv("INTROLAB_CACHE", str(tmp_path / "cache"))


def made(*, read=1.0, right=0.5, in_kind=24, decided=24, reconsidered=12, on_topic=20, coherent=20):
    """A check of a model of which these shares of 120 answers, and these counts, were found."""
    answers = tuple(
        CheckedAnswer(
            f"q{i}", "fact" if i % 2 else "sum", str(1 + i % 5), "?", "well", *_answered(i / 120, read, right)
        )
        for i in range(120)
    )
    stated = tuple(0.1 * (i % 10) if i < in_kind else None for i in range(24))
    way = CheckedWay("digit", "after", stated, tuple(float(one is not None) for one in stated), EXCHANGE)
    return ModelCheck(
        "made up",
        *("0" * 16,) * 3,
        AnswersPart(40, {"fact": "asked"}, answers),
        WaysPart((way,), "digit"),
        RechecksPart(24, decided, reconsidered, decided, reconsidered, 20, 5, (EXCHANGE,)),
        TopicsPart(20, 20, on_topic, coherent, -1.0, 0.1, (EXCHANGE,)),
        {"answers": 1.0},
    )


def _answered(place, read, right):
    return (None, None) if place >= read else ("x", place < read * right)


def found(check):
    """By experiment."""
    return {one.experiment: one for one in feasible(check, Materials.load(GENERAL), EXPERIMENTS)}


def test_a_check_survives_json():
    check = made(in_kind=3)
    assert ModelCheck.from_json(json.loads(json.dumps(check.as_json()))) == check
    part = replace(check, ways=None, topics=None)
    assert ModelCheck.from_json(json.loads(json.dumps(part.as_json()))) == part


def test_an_experiment_that_needs_parts_says_what_follows_from_them():
    for each in EXPERIMENTS:
        one = found(made())[each.name()]
        assert one.experiment == each.name()
        assert each.check_parts or one.possible == "can be asked", "which parts decide whether it can be asked"


def test_a_model_that_answers_in_kind_can_be_asked_everything():
    possible = {name: one.possible for name, one in found(made()).items()}
    lacking = possible.pop("endogenous_resistance")
    assert set(possible.values()) == {"can be asked"}
    assert lacking == "cannot be decided", "the general materials name no autoencoder"
    assert "--sae" in found(made())["endogenous_resistance"].change
    named = find("endogenous-resistance")(sae="somewhere").feasibility(made(), Materials.load(GENERAL))
    assert named.possible == "can be asked"


@pytest.mark.parametrize(
    ("experiment", "fault", "change"),
    [
        ("confidence", {"read": 0.0}, "questions.jsonl"),
        ("confidence", {"right": 1.0}, "harder questions"),
        ("confidence", {"right": 0.0}, "easier questions"),
        ("confidence", {"in_kind": 2}, "ask_after"),
        ("reflection_steering", {"decided": 0, "reconsidered": 0}, '"answer"'),
        ("reflection_localization", {"decided": 0, "reconsidered": 0}, '"answer"'),
        ("reflection_steering", {"decided": 1, "reconsidered": 0}, '"answer"'),
        ("steering_resistance", {"on_topic": 1}, "topic_templates"),
        ("steering_resistance", {"coherent": 1}, "does not write coherently"),
    ],
)
def test_each_fault_stops_its_experiment_and_names_the_entry(experiment, fault, change):
    one = found(made(**fault))[experiment]
    assert one.possible == "cannot be decided" and change in one.change


def test_a_small_run_is_not_held_against_the_model():
    """Its size is the user's choice; what is asked is whether the model could be decided on."""
    small = find("confidence")(test=8, fit=8, tune=8)
    assert small.feasibility(made(), Materials.load(GENERAL)).possible == "can be asked"
    assert find("reflection-steering")(fit=4).feasibility(made(), Materials.load(GENERAL)).possible == "can be asked"
    assert small.feasibility(made(read=0.0), Materials.load(GENERAL)).possible == "cannot be decided"


def test_what_is_only_likely_stops_nothing():
    """12 of 24 replies in kind may be more than half; no text that reconsiders may be one in ten."""
    assert found(made(in_kind=12))["confidence"].possible == "partly"
    assert found(made(reconsidered=0))["reflection_steering"].possible == "partly"


def test_the_greatest_rate_that_a_count_allows():
    assert at_most(0, 24) == pytest.approx(1 - 0.025 ** (1 / 24))
    assert at_most(24, 24) == 1 and at_most(0, 0) == 1


def test_the_first_screen_carries_the_answer():
    check = made(read=0.0)
    text = check_text(check, feasible(check, Materials.load(GENERAL), EXPERIMENTS))
    first = "\n".join(text.splitlines()[:24])
    for each in EXPERIMENTS:
        assert f"{each.name()}: " in first
    assert "CANNOT BE DECIDED" in first and "questions.jsonl" in first


def test_asking_again_is_not_asked(organism, monkeypatch):
    model, asked = organism("calibrated"), []
    monkeypatch.setattr(check_answers, "QUESTIONS", 16)
    first = model_check(RunContext(model, materials_for(model)), ("ways",), tell=asked.append)
    assert len(asked) == 2, "answers, which ways needs, and ways"
    assert first.topics is None and len(first.answers.of("sum")) > 0
    assert model_check(RunContext(model, materials_for(model)), ("ways",), tell=asked.append) == first
    assert len(asked) == 2
    anew = model_check(RunContext(model, materials_for(model)), ("ways",), again=True, tell=asked.append)
    assert len(asked) == 4 and replace(anew, seconds={}) == replace(first, seconds={})


def test_other_materials_templates_and_weights_are_asked_anew(organism, monkeypatch, tmp_path):
    model, asked = organism("calibrated"), []
    monkeypatch.setattr(check_answers, "QUESTIONS", 16)
    mine = materials_for(model)
    shutil.copytree(mine.folder, tmp_path / "mine")
    with (tmp_path / "mine" / "topics.json").open("a") as file:
        file.write("\n")
    raw = load("organism:calibrated", device="cpu", chat="raw")
    benches = [RunContext(model, mine), RunContext(model, Materials.load(tmp_path / "mine")), RunContext(raw, mine)]
    for bench in (*benches, RunContext(organism("base"), mine)):
        model_check(bench, ("answers",), tell=asked.append)
    assert len(asked) == 4


@pytest.mark.parametrize("fault", [b"", b"{}", None])
def test_a_kept_part_that_was_changed_is_asked_anew(organism, monkeypatch, fault):
    model, asked = organism("calibrated"), []
    monkeypatch.setattr(check_answers, "QUESTIONS", 16)
    bench = RunContext(model, materials_for(model))
    first = model_check(bench, ("answers",))
    (path,) = checks_folder().rglob("answers-*.json")
    path.write_bytes(path.read_bytes().replace(b'"right": true', b'"right": false', 1) if fault is None else fault)
    again = model_check(bench, ("answers",), tell=asked.append)
    assert asked and again.answers == first.answers


def test_a_cache_that_cannot_be_written_costs_nothing_else(organism, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("INTROLAB_CACHE", str(tmp_path / "file"))
    monkeypatch.setattr(check_answers, "QUESTIONS", 16)
    model = organism("calibrated")
    with pytest.warns(UserWarning, match="not kept"):
        assert model_check(RunContext(model, materials_for(model)), ("answers",)).answers


def test_no_test_question_is_asked(organism):
    model = organism("calibrated")
    asked = {one.id for one in check_answers.questions(RunContext(model, materials_for(model)))}
    splits = {one.split for one in materials_for(model).questions if one.id in asked}
    assert splits == {"extract"} and len(asked) > 100


def test_a_twin_that_never_reconsiders_is_told_from_one_that_does(organism):
    """What is planted is seen: positive and negative control."""
    shares = {}
    for name in ("reflective", "unreflective"):
        model = organism(name)
        part = model_check(RunContext(model, materials_for(model)), ("rechecks",)).rechecks
        shares[name] = part.reconsidered / part.decided
    assert shares["unreflective"] <= 0.1 < 0.25 <= shares["reflective"]


def test_a_plain_function_asks_everything(organism):
    check = check_model(organism("calibrated"))
    assert None not in (check.answers, check.ways, check.rechecks, check.topics)
    assert [way.name for way in check.ways.ways] == ["own"], "organisms are asked in their own words alone"
    assert check.topics.on_topic >= 0.8 * check.topics.texts


def test_a_run_on_a_model_that_cannot_be_read_stops_before_its_folder(command, family_folder, tmp_path):
    """A network that nobody trained."""
    folder = tmp_path / "run"
    arguments = (
        "run",
        "confidence",
        "--small",
        "--model",
        str(family_folder("llama")),
        "--out",
        str(folder),
        "--quiet",
    )
    code, _, err = command(*arguments)
    assert code == 2 and not folder.exists()
    for words in ("confidence cannot be decided", "given:", "allowed:", "do:", "questions.jsonl", "--anyway"):
        assert words in err


def test_anyway_and_organisms_are_not_stopped(organism, family_model, monkeypatch):
    def refused(*_, **__):
        raise AssertionError("asked")

    model = organism("calibrated")
    monkeypatch.setattr("experiments.shared.model_check.model_check", refused)
    require_decidable(find("confidence")(), RunContext(model, materials_for(model)))
    from introlab.experiment.runner import _bench
    from introlab.experiment.settings import Settings

    with pytest.raises(AssertionError, match="asked"):
        _bench(str(family_model("llama").folder), find("confidence")(), Settings(quiet=True))
    assert _bench(str(family_model("llama").folder), find("confidence")(), Settings(quiet=True, anyway=True))


def test_the_error_names_what_to_change(family_model, monkeypatch):
    monkeypatch.setattr("experiments.shared.model_check.model_check", lambda *_: made(in_kind=0))
    model = family_model("llama")
    with pytest.raises(InputError, match="ask_after"):
        require_decidable(find("confidence")(), RunContext(model, Materials.load(GENERAL)))


def test_the_command_prints_a_page_and_json(command, monkeypatch):
    monkeypatch.setattr(check_answers, "QUESTIONS", 16)
    code, out, _ = command("check", "--model", "organism:calibrated")
    assert code == 0 and "confidence: CAN BE ASKED" in out and "Real replies" in out
    code, out, err = command("check", "--model", "organism:calibrated", "--json")
    raw = json.loads(out)
    assert code == 0 and "asking" not in err, "from the disk"
    assert {one["experiment"] for one in raw.pop("experiments")} == set(discover())
    assert ModelCheck.from_json(raw).answers.answers

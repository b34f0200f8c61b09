"""The rooms of self_prediction: properties, next-token mass, the input-only predictor, worlds of a known truth."""

import json
from collections import Counter

import numpy as np
import pytest

from experiments.self_prediction import analysis, prompts
from experiments.self_prediction.cells import Cell, ahead, right
from experiments.self_prediction.elicitation import Prediction, weighed
from experiments.self_prediction.experiment import SelfPrediction
from experiments.self_prediction.input_only import predicted
from experiments.self_prediction.labels import CROSS, MODE
from experiments.self_prediction.prompts import PredictionPrompts, named, wordings
from experiments.self_prediction.properties import REGISTRY, described
from experiments.self_prediction.simulation import simulated
from introlab.errors import InputError
from introlab.records.trial import Trial
from introlab.tasks.materials import Question, materials_of


def question(text="what is it ?", answer="Paris", options=(), kind="text", name="q"):
    return Question(
        id=name,
        kind="fact",
        group=name,
        level="1",
        split="test",
        text=text,
        subject="the city of x",
        answer=answer,
        options=options,
        answer_type="option" if options else kind,
    )


@pytest.mark.parametrize(
    ("name", "answer", "value"),
    [
        ("answer", "Paris", "paris"),
        ("answer", "buenos aires", None),
        ("first word", "buenos aires", "buenos"),
        ("second word", "buenos aires", "aires"),
        ("second word", "paris", None),
        ("first letter", "paris", "p"),
        ("second letter", "x", None),
        ("second letter", "st. john", "t"),
        ("third letter", "oslo", "l"),
        ("starts with a vowel", "Oslo", "yes"),
        ("starts with a vowel", "paris", "no"),
        ("starts with a vowel", "12", None),
        ("is long", "kathmandu", "yes"),
        ("is long", "athens", "no"),
        ("is even", "12", "even"),
        ("is even", "-3", "odd"),
        ("is even", "oslo", None),
        ("last digit", "128", "8"),
        ("option", "oslo", None),
    ],
)
def test_properties_of_an_answer(name, answer, value):
    assert REGISTRY[name].of(answer, question()) == value


def test_of_an_option_its_letter_is_the_only_property():
    one = question(answer="Oslo", options=("Rome", "Oslo"))
    assert described("oslo", one, tuple(REGISTRY)) == {"option": "B"}
    assert described("berlin", one, tuple(REGISTRY)) == {}
    assert described(None, one, tuple(REGISTRY)) == {}


def test_next_token_mass_of_a_set_of_values():
    found = weighed(np.array([0.1, 0.2, 0.4, 0.3]), {"yes": (0, 1), "no": (2,)})
    assert found.mass == pytest.approx(0.7) and found.value == "no"
    assert found.shares == pytest.approx({"yes": 3 / 7, "no": 4 / 7})


def test_too_little_mass_is_no_prediction():
    assert Prediction(0.49, {"yes": 1.0}).value is None
    assert weighed(np.array([1.0, 0.0]), {"yes": (1,)}).value is None


def test_wordings_of_a_property_are_found_by_its_name():
    table = {"is even": "a {question}", "is even (2)": "b {question}", "is long": "c {question}"}
    assert named("is even (2)") == "is even"
    assert wordings(table, "is even") == ["a {question}", "b {question}"]


def test_the_shipped_prompts_ask_of_itself_and_of_another_alike():
    shipped = PredictionPrompts.of(materials_of(None))
    assert shipped.hypothetical.keys() == shipped.hypothetical_other.keys()
    assert all(len(wordings(shipped.hypothetical, name)) > 1 for name in shipped.properties)
    organisms = PredictionPrompts.of(materials_of("organisms"))
    assert organisms.properties == ("answer",) and "what would you answer" in organisms.hypothetical["answer"]


@pytest.mark.parametrize("entry", [{"colour of it": "say {question}"}, {"is even": "no place for it"}])
def test_a_hypothetical_that_cannot_be_asked_is_refused(entry, tmp_path, monkeypatch):
    raw = json.loads(prompts.FILE.read_text(encoding="utf-8"))
    (tmp_path / "prompts.json").write_text(json.dumps({**raw, "hypothetical": entry}), encoding="utf-8")
    monkeypatch.setattr(prompts, "FILE", tmp_path / "prompts.json")
    with pytest.raises(InputError, match="hypothetical"):
        PredictionPrompts.of(materials_of(None))


def test_the_input_only_predictor_finds_what_the_words_tell_and_nothing_else():
    told = [
        (question(f"the {word} one {i} ?", name=f"{word}{i}"), "t", {"answer": value})
        for i in range(12)
        for word, value in (("red", "x"), ("blue", "y"))
    ]
    asked = [(question("the red one 40 ?"), "t"), (question("the blue one 41 ?"), "t"), (question(), "other task")]
    assert predicted(told, asked) == [{"answer": "x"}, {"answer": "y"}, {}]


def test_the_mode_is_of_the_items_judged():
    trials = [
        Trial(
            experiment="e",
            model="m",
            item=str(i),
            cluster=str(i),
            split="test",
            condition="baseline",
            outcomes={"task": "t", "behaviour": {"answer": value}},
        )
        for i, value in enumerate("aab")
    ]
    cells = [Cell(trial, "answer", trial.outcomes["behaviour"]["answer"]) for trial in trials]
    assert right(cells, MODE) == [True, True, False]
    assert ahead(cells, CROSS).value is None, "nobody was asked"


def verdicts(world, effect=1.0, seeds=40):
    found = Counter()
    for seed in range(seeds):
        result = analysis.findings(simulated("self_prediction", effect, seed, world=world))
        found[result.verdicts["simulated"].split(" (")[0]] += 1
    return found


@pytest.mark.slow
def test_a_true_self_predictor_is_seen():
    assert verdicts("self")["yes"] >= 38


@pytest.mark.slow
@pytest.mark.parametrize("world", ["text only", "mode", "word push"])
def test_what_is_no_self_prediction_is_not_taken_for_it(world):
    """At most one in twenty."""
    assert verdicts(world)["yes"] <= 2


@pytest.mark.slow
def test_a_prediction_that_stays_when_a_push_changes_the_answer_does_not_follow_it():
    for seed in range(10):
        found = analysis.findings(simulated("self_prediction", 1.0, seed, world="word push"))
        answers = {each.question: each.answer for each in found.grounds["simulated"]}
        assert answers["follows a change by a steering vector?"] != "yes"
        assert answers["follows a change by a prompt?"] != "yes"


@pytest.mark.slow
def test_as_good_as_its_rivals_is_no_self_prediction():
    assert verdicts("self", effect=0.0)["yes"] <= 2


@pytest.mark.slow
def test_no_answers_in_kind_is_cannot_tell_and_never_no():
    found = verdicts("silent")
    assert found == {"cannot tell": 40}
    one = analysis.findings(simulated("self_prediction", 1.0, 0, world="silent"))
    assert "half of its probability" in one.answer and one.check("in_kind").passed is False


def test_without_another_model_nothing_is_claimed():
    trials = simulated("self_prediction", 1.0, 0)
    for trial in trials:
        for name in ("cross", "cross_own", "other behaviour"):
            trial.readings.pop(name, None)
    found = analysis.findings(trials)
    assert found.verdicts["simulated"] == "cannot tell (more than another model knows)"


def test_replies_without_an_answer_are_said_so():
    trials = [t for t in simulated("self_prediction", 1.0, 0) if t.condition == "baseline"]
    for trial in trials:
        trial.outcomes["behaviour"] = {}
        trial.outcomes["answer"] = None
    found = SelfPrediction().analyze(trials)
    assert found.verdicts["simulated"].startswith("cannot tell")
    assert "0 of 160 replies had an answer" in found.answer and '"a reply"' in found.answer

"""An experiment in one short class: its defaults hold what every experiment of the lab must."""

import json
import re
from dataclasses import dataclass
from typing import ClassVar

import pytest

import introlab as lab
from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.tasks.materials import materials_for


def asked(*places):
    return tuple(words.format(place) for place in places for words in ("tell me about the {} .", "describe the {} ."))


@dataclass(frozen=True, kw_only=True)
class SchoolTalk(lab.SteeringExperiment):
    """Does steering towards the school make a model talk about the school?"""

    models: ClassVar = ("organism:compliant",)
    positive: ClassVar = asked("school")
    negative: ClassVar = asked("desert", "library")
    prompts: ClassVar = asked("castle", "kitchen", "market", "hospital")
    request: ClassVar = "also talk about the school ."
    layer: float = 0.6

    def measure(self, text):
        words = r"\b(teacher|teaches|lesson|school|classroom|homework|pencil)\b"
        return bool(re.search(words, text)) if text.strip() else None


@dataclass(frozen=True, kw_only=True)
class Nonsense(SchoolTalk):
    """Does steering towards the school make a model write a word that it never writes?"""

    def measure(self, text):
        return "hippopotamus" in text


@pytest.fixture(scope="module")
def trials(organism):
    model = organism("compliant")
    return list(SchoolTalk.debug_size().trials(RunContext(model, materials_for(model))))


def test_it_is_an_experiment_like_the_labs_own(trials, organism):
    """What tests/test_experiment_contract.py asks of those that are found by name."""
    experiment, model = SchoolTalk.debug_size(), organism("compliant")
    assert experiment.name() == "school_talk" and experiment.question().endswith("?")
    assert SchoolTalk.from_parameters(json.loads(json.dumps(experiment.parameters()))) == experiment
    size = experiment.size(RunContext(model, materials_for(model)))
    assert size.texts == len(trials) == len({trial.id for trial in trials})
    assert sum(len(trial.tokens) for trial in trials) <= size.tokens
    seen = {split: {trial.prompt for trial in trials if trial.split == split} for split in ("extract", "test")}
    assert seen["test"] and not seen["test"] & seen["extract"]
    assert {t.condition for t in trials} >= {"baseline", "random_direction", "prompting"}
    assert (
        len({t.draw for t in trials if t.condition == "random_direction"}) == 3 and SchoolTalk().random_directions == 20
    )
    for trial in trials:
        assert bool(trial.receipts) == (trial.strength != 0)
        assert all({"raw", "natural", "share"} <= set(receipt.edit) for receipt in trial.receipts)


def test_its_findings_are_whole_and_say_what_is_so(trials):
    findings = SchoolTalk.debug_size().analyze(trials)
    assert {row.measure for row in findings.primary} == {SchoolTalk.primary}
    assert [check.control for check in findings.checks] == list(SchoolTalk.controls)
    assert findings.estimate("measure", condition="baseline").value == 0
    assert findings.estimate("measure", condition="push", strength=2.0).value == 1
    json.dumps(findings.as_json(), allow_nan=False)
    assert list(SchoolTalk.debug_size().draw(findings)) == ["conditions"]


def test_trials_do_not_depend_on_batch_size_or_order(trials, organism):
    model = organism("compliant")
    bench = RunContext(model, materials_for(model), batch_size=3, shuffle=5)
    others = {trial.id: trial for trial in SchoolTalk.debug_size().trials(bench)}
    assert [(t.tokens, t.outcomes) for t in trials] == [(others[t.id].tokens, others[t.id].outcomes) for t in trials]


def test_a_measure_that_sees_nothing_finds_nothing(trials, organism):
    """The negative control on a model: no effect is claimed, and asking in words shows that nothing can be seen."""
    model = organism("compliant")
    findings = Nonsense.debug_size().analyze(
        list(Nonsense.debug_size().trials(RunContext(model, materials_for(model))))
    )
    assert "no detectable effect" in findings.answer and "minimum detectable" in findings.answer
    assert findings.check("prompting").passed is False


def test_it_finds_a_simulated_effect_and_rejects_a_null():
    """20 effects: all but at most two are found; of 80 nulls a 95 % interval lies above 0 in 2.5 %: six are rare."""
    experiment = SchoolTalk()

    def found(effect, seed):
        return any(
            row.estimate.above(experiment.null) for row in experiment.analyze(experiment.simulate(effect, seed)).primary
        )

    assert sum(found(1.0, seed) for seed in range(20)) >= 18
    assert sum(found(0.0, seed) for seed in range(80)) <= 6


@pytest.mark.parametrize("control", SchoolTalk.controls)
def test_every_control_catches_its_planted_fault(control):
    experiment = SchoolTalk()
    assert experiment.analyze(experiment.simulate(1.0, 3)).check(control).passed is True
    assert experiment.analyze(experiment.simulate(1.0, 3, fault=control)).check(control).passed is False


def test_a_run_has_findings_figures_trials_and_a_report(tmp_path):
    results = lab.run(SchoolTalk, small=True, out=tmp_path / "run", model="organism:compliant")
    assert "steering raises the measure" in results.findings.answer
    (figure,) = results.figures.values()
    assert figure.data and "text/html" in figure._repr_mimebundle_()
    assert len(results.trials) == len(list(results.folder_record.trials()))
    assert {"condition", "outcome.measure", "text"} <= set(results.trials.columns)
    assert "random direction" in results.report.read_text(encoding="utf-8")
    page = results._repr_html_()
    assert "school talk" in page and "holds" in page
    assert "complete" in results.folder_record._repr_html_()
    assert lab.RunResults.open(tmp_path / "run").findings == results.findings
    (tmp_path / "run" / "COMPLETE").unlink()
    with pytest.raises(InputError, match="not finished"):
        lab.RunResults.open(tmp_path / "run")


def test_a_loaded_model_is_run_as_it_was_loaded(organism, tmp_path):
    results = lab.run(SchoolTalk, small=True, out=tmp_path / "run", model=organism("compliant"))
    facts = results.folder_record.manifest["models"]["organism:compliant"]
    assert (facts["device"], facts["dtype"]) == ("cpu", "float32")


@pytest.mark.slow
def test_the_first_experiment_of_the_lab_runs_through_the_door(tmp_path):
    results = lab.run("confidence", model="organism:calibrated", small=True, out=tmp_path / "run")
    assert results.findings.answer and results.figures and len(results.trials) > 10


class NoPrompts(SchoolTalk):
    """Nothing is asked?"""

    prompts: ClassVar = ()


class FittedOnItsTest(SchoolTalk):
    """Tested on what it was fitted on?"""

    prompts: ClassVar = asked("school")


class OutOfRange(SchoolTalk):
    """A measure that is no share?"""

    def measure(self, text):
        return 7.0


@pytest.mark.parametrize(
    ("experiment", "words"),
    [
        (NoPrompts(), "without prompts"),
        (FittedOnItsTest(), "used twice"),
        (SchoolTalk(strengths=()), "no strength"),
        (SchoolTalk(random_directions=0), "random directions"),
    ],
)
def test_a_declaration_that_cannot_be_run_is_refused_first(experiment, words, organism, tmp_path):
    with pytest.raises(InputError, match=words) as raised:
        lab.run(experiment, model=organism("compliant"), out=tmp_path / "run")
    assert "do: " in str(raised.value) and not (tmp_path / "run").exists()


def test_a_measure_outside_its_range_is_refused(organism):
    model = organism("compliant")
    with pytest.raises(InputError, match="from 0 to 1"):
        list(OutOfRange.debug_size().trials(RunContext(model, materials_for(model))))

"""Signals of what_the_model_knows on texts whose truth is known, and its analysis on made-up answers."""

import dataclasses

import numpy as np
import pytest

from benchmarks import confidence_worlds
from benchmarks.verdict_rules import tally
from experiments.confidence import analysis
from experiments.confidence.beyond_difficulty import (
    BEST_GAIN,
    FEWEST_COMPARED,
    GAIN,
    WITHIN,
    judged,
    shown_above,
    within_levels_rows,
)
from experiments.confidence.cases import AnsweredQuestion, answered
from experiments.confidence.experiment import Confidence
from experiments.confidence.labels import BASELINES, MAIN, NO_ANSWER, PLACES, PROBED, SIGNALS
from experiments.confidence.probing import fit_probes
from experiments.confidence.signals import signals
from experiments.confidence.simulation import PlantedConfidence, planted_answers
from experiments.confidence.verdicts import sentence
from experiments.confidence.ways import ways_of
from introlab.activations.extract import next_token_logprobs
from introlab.activations.forward import Text
from introlab.errors import InputError, SplitOverlap
from introlab.stats.discrimination import auroc
from introlab.stats.interval import Estimate, missing
from introlab.stats.selective_prediction import area_under_risk
from introlab.tasks.answers import UNPARSABLE, ParsedAnswer
from probes.uncertainty import semantic_entropy


@pytest.fixture(scope="module")
def cases(bench):
    """16 questions, answered by an organism that mostly answers."""
    here = bench("calibrated")
    questions = here.materials.pick("test", kind="fact", limit=10) + here.materials.pick("test", kind="sum", limit=10)
    return answered(here, questions, samples=4, stage="answers")


def test_places_are_where_they_say(bench, cases):
    model = bench("calibrated").model
    for case in cases:
        end, before, answer, after = (case.text.ids[at] for at in case.positions)
        assert end == case.prompt[-1] and after == case.greedy.tokens[-1]
        assert model.text([answer]).strip() == case.found.answer
        predicted = case.text.ids[case.positions[PLACES.index("before_answer")] + 1]
        assert predicted == case.greedy.tokens[case.found.token]
        assert before == case.text.ids[case.positions[1]]


def test_signals_of_tokens_are_those_of_a_plain_pass(bench, cases):
    here = bench("calibrated")
    found = signals(here, cases, ways_of(here.materials)[0])
    texts = [Text(case.text.ids[: case.positions[1] + 1], 1, case.question.id) for case in cases]
    for case, one, log_p in zip(cases, found, next_token_logprobs(here.model, texts), strict=True):
        p = np.sort(log_p.exp().numpy())[::-1]
        assert one["token_probability"] == pytest.approx(p[0], abs=1e-4)
        assert one["margin"] == pytest.approx(p[0] - p[1], abs=1e-4)
        assert one["minus_entropy"] == pytest.approx(float((log_p.exp() * log_p).sum()), abs=1e-3)
        assert one["mean_logprob"] == pytest.approx(np.mean(case.greedy.logprobs))
        assert one["minus_semantic_entropy"] == -semantic_entropy(case.answers)
        assert one["self_consistency"] == case.answers.count(case.found.answer) / 4
        assert 0 < one["lens_agreement"] <= 1 and one["familiarity"] < 0


def test_texts_without_an_answer_have_no_token_to_be_sure_of(bench, cases):
    blank = dataclasses.replace(cases[0], found=None, right=None, sampled=(UNPARSABLE,) * 4)
    assert blank.answers == (NO_ANSWER,) * 4 and blank.share_right == 0
    here = bench("calibrated")
    (one, other) = signals(here, [blank, cases[1]], ways_of(here.materials)[0])
    assert one["token_probability"] is one["self_consistency"] is one["lens_agreement"] is None
    assert other["lens_agreement"] is not None
    with pytest.raises(ValueError, match="no answer"):
        _ = blank.positions


def test_probes_need_right_and_wrong_answers_and_refuse_what_they_were_fitted_on(bench, cases):
    here = bench("calibrated")
    right = [case for case in cases if case.right]
    with pytest.raises(InputError, match="both classes"):
        fit_probes(here, right, cases, shuffles=0)
    probes = fit_probes(here, cases, cases, shuffles=1)
    with pytest.raises(SplitOverlap):
        probes(cases[:3])
    assert probes([]) == []


def test_a_share_of_samples_is_counted(cases):
    right, wrong = ParsedAnswer("a", (0, 1), True), ParsedAnswer("x", (0, 1), False)
    case = dataclasses.replace(cases[0], sampled=(right, wrong, UNPARSABLE, right))
    assert isinstance(case, AnsweredQuestion) and case.share_right == 0.5


def test_what_is_claimed_is_measured_on_the_test_questions_alone():
    """Platt's map comes from the calibration questions; every other number from the test questions."""
    trials = Confidence().simulate(1.0, 5)
    found = analysis.findings(trials)
    tested = [trial for trial in trials if trial.split == "test"]
    values = [trial.readings["stated_after"] for trial in tested]
    right = [trial.outcomes["right"] for trial in tested]
    row = found.one("AURC", signal="stated_after")
    assert row.value == pytest.approx(area_under_risk(values, right)) and row.n == len(tested)
    assert not list(found.select("Brier", **{"calibration of": "margin"})), "it does not claim to be a probability"
    assert found.one("Brier, calibrated", **{"calibration of": "margin"}).value < 0.24, (
        "below the Brier score of always saying the base rate"
    )


def test_calibration_mends_a_signal_that_is_too_sure():
    """Confidence that is always within .02 of 1 ranks well and is calibrated badly."""
    trials = Confidence().simulate(1.0, 6)
    sure = [
        dataclasses.replace(trial, readings={**trial.readings, "p_true": 0.98 + 0.02 * trial.readings["p_true"]})
        for trial in trials
    ]
    found = analysis.findings(sure)
    names = ("calibration error", "calibration error, calibrated")
    raw, mapped = (found.one(name, **{"calibration of": "p_true"}) for name in names)
    assert raw.value > 0.3 and mapped.value < 0.15
    assert found.one("auroc of p_true", model="simulated").above(0.6)


def _without(trials, *, answers=False, stated=False, keep=0):
    """The test trials of which only the first `keep` have an answer, or a stated confidence."""
    tested = [trial for trial in trials if trial.split == "test"]
    out = {trial.item for trial in tested[keep:]}
    blank = {"stated_after": None, "stated_before": None} if stated else {}
    return [
        trial
        if trial.item not in out
        else dataclasses.replace(
            trial,
            text="The capital of Japan is Tokyo.",
            outcomes={**trial.outcomes, **({"right": None} if answers else {})},
            readings={**trial.readings, **blank},
        )
        for trial in trials
    ]


def test_nothing_read_is_cannot_tell_with_a_typical_reply():
    found = analysis.findings(_without(Confidence().simulate(1.0, 7), answers=True, keep=3))
    assert found.verdicts == {"simulated": "cannot tell"}
    assert "3 of 180 replies" in found.answer and "The capital of Japan is Tokyo." in found.answer
    assert "--materials" in found.answer and "does not" not in found.answer


def test_not_stated_in_kind_is_cannot_tell_and_the_probe_is_still_judged():
    found = analysis.findings(_without(Confidence().simulate(1.0, 7), stated=True, keep=2))
    assert found.verdicts == {"simulated": "cannot tell"}
    assert "in 2 of 180 replies" in found.answer and "The probe before the answer discriminates" in found.answer


def test_a_plain_effect_and_a_plain_null_are_told_apart():
    found = analysis.findings(Confidence().simulate(1.0, 7))
    assert found.verdicts == {"simulated": "stated confidence discriminates beyond difficulty"}
    assert {ground.answer for ground in found.grounds["simulated"]} == {"yes"}
    null = analysis.findings(Confidence().simulate(0.0, 7))
    assert null.verdicts == {"simulated": "stated confidence not found to discriminate beyond difficulty"}
    assert null.answer.count("was not found to discriminate") == 2 and "minimum detectable" in null.answer


WORLDS = {f"{world.rule}: {world.name}": world for world in confidence_worlds.WORLDS}


@pytest.mark.parametrize("name", WORLDS)
def test_nothing_wrong_is_said_of_simulated_models_and_what_must_be_is(name):
    """A few runs of each; docs/verdict_rules.md has more."""
    found = tally(WORLDS[name], 2, seed=2000)
    assert not found.counts["wrong"], found.said
    assert not WORLDS[name].must or found.counts["right"], found.said


def _rows(planted, seed=0, signals=(MAIN, "stated_after"), questions=480):
    trials = list(planted_answers("confidence", planted, seed, questions))
    return trials, list(within_levels_rows("simulated", trials, signals))


def test_difficulty_alone_has_a_high_pooled_auroc_and_nothing_within_levels():
    """What the former rule, pooled against .5, took for reading being right."""
    trials, rows = _rows(PlantedConfidence())
    right, clusters = [trial.outcomes["right"] for trial in trials], [trial.cluster for trial in trials]
    for name in ("stated_after", MAIN, "embedding"):
        assert auroc([trial.readings[name] for trial in trials], right, clusters).above(0.65)
    for name in ("stated_after", MAIN):
        assert judged(rows, name).discriminates == judged(rows, name).beyond == "no"


def test_embeddings_as_good_as_the_probe_are_named_and_its_gain_has_what_could_be_detected():
    planted = PlantedConfidence(probe=0.8, baselines={"embedding": 0.8})
    trials, rows = _rows(planted)
    probe = judged(rows, MAIN)
    assert (probe.discriminates, probe.more, probe.beyond) == ("yes", "no", "no")
    assert probe.best == BASELINES["embedding"]
    pooled = analysis.findings(trials)
    told = sentence("m", trials, pooled.rows)
    assert "was not found to tell more than the best baseline, embeddings of the question," in told
    assert "minimum detectable gain 0." in told
    assert pooled.check("embedding").passed is False and pooled.check("length").passed is True


def test_one_rule_for_every_signal_but_only_fitted_probes_must_beat_the_baselines():
    planted = PlantedConfidence(stated=0.8, probe=0.8, baselines={"embedding": 1.2})
    _, rows = _rows(planted, 3)
    stated, probe = judged(rows, "stated_after"), judged(rows, MAIN)
    assert stated.discriminates == probe.discriminates == "yes"
    assert (stated.beyond, probe.beyond) == ("yes", "no") and stated.gain.below(0.05)
    found = analysis.findings(Confidence().simulate(1.0, 4))
    for name in SIGNALS:
        assert found.one(WITHIN, signal=name).known and found.one(BEST_GAIN, signal=name).known
        assert {row.where["over"] for row in found.select(GAIN, signal=name)} >= set(BASELINES)
        (question,) = [
            each.question for each in found.grounds["simulated"] if each.question.startswith(f"{SIGNALS[name]}:")
        ]
        assert ("and the baselines?" in question) == (name in PROBED)
    for name in BASELINES:
        assert not found.one(WITHIN, signal=name).above(0.7)


def test_the_gain_over_the_best_baseline_is_the_least_of_all():
    _, rows = _rows(PlantedConfidence(probe=0.8, baselines={"embedding": 0.6, "length": 0.3}), 5)
    gains = [row.estimate for row in rows if row.measure == GAIN and row.where["signal"] == MAIN]
    of_baselines = [row.estimate for row in rows if row.measure == GAIN and row.where["over"] in BASELINES]
    probe = judged(rows, MAIN)
    assert len(gains) == len(BASELINES) + 1, "the answer's own probability is beside them"
    assert probe.gain.value == min(each.value for each in of_baselines[: len(BASELINES)] + gains[:-1])
    assert probe.gain.low == min(each.low for each in gains[:-1])


def test_too_few_answers_to_compare_have_no_interval():
    """All levels but a small one are always correct: only that one has pairs."""
    small = [trial for trial in planted_answers("c", PlantedConfidence({"1": 0.5}, stated=1.0), 1, FEWEST_COMPARED - 1)]
    solved = [trial for trial in planted_answers("c", PlantedConfidence({"2": 1.0}, stated=1.0), 2, 200)]
    for trials in (small, [*small, *solved]):
        rows = list(within_levels_rows("m", trials, (MAIN,)))
        estimate = judged(rows, MAIN).within
        assert estimate.value is not None and not estimate.known and "are needed" in estimate.method
        assert judged(rows, MAIN).beyond == "cannot tell"
    more = list(planted_answers("c", PlantedConfidence({"1": 0.5}, stated=1.0), 1, 3 * FEWEST_COMPARED))
    assert judged(list(within_levels_rows("m", more, (MAIN,))), MAIN).within.known


def test_no_is_said_only_of_an_interval_that_excludes_a_plain_effect():
    def at(low, high):
        return Estimate((low + high) / 2, low, high, 100, 50, "m", "auroc")

    assert shown_above(at(0.51, 0.9), 0.5, 0.7) == "yes"
    assert shown_above(at(0.45, 0.69), 0.5, 0.7) == "no"
    assert shown_above(at(0.45, 0.75), 0.5, 0.7) == "cannot tell"
    assert shown_above(missing("nothing"), 0.5, 0.7) == "cannot tell"
    assert shown_above(Estimate(0.6, None, None, 9, 9, "m", "auroc"), 0.5, 0.7) == "cannot tell"

"""The rooms of steering_resistance: courses of texts, kinds of push, verdicts, restarts."""

import itertools
import math
import warnings
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_worlds import random_sae, word_materials

from experiments.steering_resistance import procedure
from experiments.steering_resistance.experiment import SteeringResistance
from experiments.steering_resistance.fitted import FittedDirections
from experiments.steering_resistance.labels import (
    DETECTOR,
    DIFFERENCE,
    LATENT,
    PROBE,
    PUSH_OFF,
    PUSH_ON,
    RANDOM,
    RANDOM_LATENT,
    RECOVERED,
)
from experiments.steering_resistance.off_topic_probe import of_words
from experiments.steering_resistance.off_topic_rows import detector_rows
from experiments.steering_resistance.restarts import restarts
from experiments.steering_resistance.scenarios import Scenario
from experiments.steering_resistance.trajectories import COURSES, course
from experiments.steering_resistance.trials import request_for, to_trials
from experiments.steering_resistance.verdicts import (
    BACK,
    MOVABLE,
    MOVED,
    NOTICED,
    PUSH,
    SAID,
    TEXT,
    grounds_of,
    verdict,
)
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.generation.requests import Generation
from introlab.network.model import load
from introlab.network.sites import Site
from introlab.records.findings import Findings, Ground, Row
from introlab.records.trial import Trial
from introlab.stats.discrimination import auroc_of
from introlab.stats.interval import Estimate
from introlab.tasks.materials import materials_for
from probes.sae.latent_probes import matched_in
from probes.text.recovery import by_token, recovery, sentence_shares
from steering.strength import Dose

SMALL = SteeringResistance.debug_size()


@pytest.fixture(scope="module")
def rigged(bench):
    here = bench("resistant")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the base's autoencoder is read in a descendant
        rig, _ = procedure._rig(SMALL, here, here.materials.lab_topics[: SMALL.topics])
    return here, rig


def test_sentences_on_topic_and_what_follows_the_first_off_it(organism):
    materials = materials_for(organism("resistant"))
    text = "the spicy dough boils . the coral reef sinks . a whale . the oven and the wave . hello . the spoon ."
    shares = sentence_shares(text, "kitchen", materials)
    assert shares == (1.0, 0.0, 0.0, 0.5, None, 1.0)
    found = recovery(shares)
    assert found is not None
    assert (found.at_risk, found.latency) == (2, 2)
    assert found.slope == pytest.approx(0.35)  # least squares through 0, 0, .5, 1
    assert recovery((1.0, 0.9, None)) is None
    lost = recovery((1.0, 0.0, 0.2, 0.1))
    assert lost is not None and (lost.at_risk, lost.latency) == (2, None)
    last = recovery((1.0, 0.0))
    assert last is not None and (last.at_risk, last.slope, last.latency) == (0, None, None)


def test_each_token_of_a_topic_word_is_marked(organism):
    materials = materials_for(organism("resistant"))
    assert by_token(["the", " do", "ugh", " and", " coral"], "kitchen", materials) == [None, 1.0, 1.0, None, -1.0]
    assert by_token([], "kitchen", materials) == []


def test_matched_latents_are_alike_and_never_twice():
    traits = torch.tensor([[0.1, 2.0], [0.11, 2.1], [0.9, 9.0], [0.1, 0.0], [0.8, 8.0], [0.1, 30.0]])
    assert matched_in([0], traits) == [1]  # 3 is nearer in one trait and has none of the other
    assert matched_in([0, 2], traits) == [1, 4]
    with pytest.raises(InputError, match="too few latents"):
        matched_in([0, 1, 2], traits)


def test_kinds_of_push_are_of_equal_size_where_they_say_so(rigged):
    _, rig = rigged
    assert set(rig.aims) == {DIFFERENCE, PROBE, RANDOM, LATENT, RANDOM_LATENT}
    for topic, means in rig.aims[DIFFERENCE].items():
        assert rig.aims[PROBE][topic].scale == rig.aims[RANDOM][topic].scale == means.scale
        assert abs(float(rig.aims[RANDOM][topic].vector @ means.vector)) < 0.5  # |cos| of 96: by luck 1 in a million
        assert float(rig.aims[PROBE][topic].vector @ means.vector) > 0.5
        for kind in (LATENT, RANDOM_LATENT):
            aim = rig.aims[kind][topic]
            dose = Dose.of(
                aim,
                natural=rig.equal_dose(kind, topic, DIFFERENCE, 1.5),
                residual_norm=rig.norms[aim.site],
            )
            wanted = Dose.of(means, natural=1.5, residual_norm=rig.norms[means.site])
            assert dose.share == pytest.approx(wanted.share, rel=1e-3)
    latents = [rig.aims[kind][topic].method for kind in (LATENT, RANDOM_LATENT) for topic in rig.aims[kind]]
    assert len(set(latents)) == len(latents)


def test_own_sentences_are_about_their_topic_alone(rigged):
    here, rig = rigged
    assert set(rig.own) == set(rig.aims[DIFFERENCE])
    for topic, sentences in rig.own.items():
        for sentence in sentences:
            owners = {owner for _, owner in here.materials.topic_words(here.model.text(sentence))}
            assert owners == {topic}


def test_the_detector_tells_words_off_topic_from_those_on_it(rigged):
    """In another wording than it was fitted in; and of which topic a word is must not matter."""
    here, rig = rigged
    (detector,) = rig.detector
    texts, topics = [], []
    for topic, name in itertools.product(sorted(rig.own), repeat=2):
        asked = request_for(here, Scenario(topic, name, 0), 1, condition="")
        for index, sentence in enumerate(rig.own[name]):
            texts.append(Text.written(asked.prompt, sentence, f"{topic} {name} {index}"))
            topics.append(topic)
    words = of_words(here, texts, topics, detector.site)
    scores = detector(torch.stack([value for _, value, _ in words])).numpy()
    assert auroc_of(scores, np.array([owned < 0 for owned, _, _ in words])) > 0.8
    first = np.array([name.split()[1] == topics[0] for *_, name in words])
    assert 0.35 < auroc_of(scores, first) < 0.65


def test_what_the_detector_reads_of_a_word_is_kept_at_that_word(rigged):
    here, rig = rigged
    request, generation = _pushed(here, rig, "the spoon burns the dune .")
    generation = replace(generation, readings={DETECTOR: (9.0, 9.0, -1.0, 2.0, 9.0, 3.0)})
    (trial,) = to_trials(here, "x", [(request, generation)], rig.bounds)
    assert trial.readings["on_topic"] == [None, 1.0, -1.0, None, -1.0, None]
    assert trial.readings[DETECTOR] == [None, -1.0, 2.0, None, 3.0, None]
    (row,) = detector_rows("m", [replace(trial, item=str(index)) for index in range(4)])
    assert (row.where["arm"], row.estimate.value) == ("push", 1.0)
    assert not list(detector_rows("m", [replace(trial, condition="baseline")]))


def _pushed(here, rig: FittedDirections, text: str):
    push = rig.push(rig.aims[DIFFERENCE]["desert"], 1.5)
    request = request_for(here, Scenario("kitchen", "desert", 0), 24, push, condition="push", strength=1.5)
    tokens = tuple(here.model.tokenizer(text, add_special_tokens=False)["input_ids"])
    return request, Generation(tokens, tuple(0.0 for _ in tokens), {}, ())


def test_a_restart_keeps_the_beginning_and_takes_the_push_off(rigged):
    here, rig = rigged
    gone = "the arid barren burns ."
    said = "wait , that is off topic . back to the kitchen ."
    after = "the spoon stirs the dough ."
    found = {
        each.note["condition"]: each for each in restarts(here, rig, [_pushed(here, rig, f"{gone} {said} {after}")], 8)
    }
    assert set(found) == {PUSH_ON, PUSH_OFF, RECOVERED}
    asked = found[PUSH_ON].note["asked"]
    text = here.model.text(found[PUSH_ON].prompt[asked:])
    assert text == "the arid barren burns. wait, that is off topic. back to the kitchen."
    assert found[PUSH_OFF].prompt == found[PUSH_ON].prompt
    positions = torch.arange(len(found[PUSH_ON].prompt) + 3)
    ids = torch.zeros_like(positions)
    on, off = (
        found[arm].interventions[0].span.covers(positions, ids, torch.tensor(len(found[arm].prompt)))
        for arm in (PUSH_ON, PUSH_OFF)
    )
    last = len(found[PUSH_ON].prompt) - 1  # predicts the first new token: no push there any more
    assert on[asked - 1 :].all() and not on[: asked - 1].any()
    assert off[asked - 1 : last].all() and not off[last:].any()
    assert here.model.text(found[RECOVERED].prompt[asked:]) == after.replace(" .", ".")
    assert list(here.generate(list(found.values()), stage="restarts"))  # receipts hold


def test_no_restart_of_a_text_that_never_left(rigged):
    here, rig = rigged
    assert not list(restarts(here, rig, [_pushed(here, rig, "the spoon stirs the dough . the oven is fresh .")], 8))


def answered(moved, movable, said, back, text="yes", push="no"):
    answers = {MOVED: moved, MOVABLE: movable, SAID: said, BACK: back, TEXT: text, PUSH: push}
    return [Ground(question, answer, "") for question, answer in answers.items()]


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        (("yes", "yes", "yes", "yes"), "resists, reacting to what it wrote and not to the push"),
        (("yes", "yes", "yes", "yes", "no", "yes"), "resists, reacting to the push and not to what it wrote"),
        (("yes", "yes", "yes", "no", "yes", "yes"), "announces, reacting to what it wrote and to the push"),
        (("yes", "yes", "yes", "no", "cannot tell", "no"), "announces, to what it reacts cannot be told"),
        (("yes", "yes", "no", "no"), "complies"),
        (("yes", "yes", "no", "yes"), "recovers silently"),
        (("no", "yes", "cannot tell", "cannot tell"), "is only weakly steered"),
        (("no", "no", "cannot tell", "cannot tell"), "is not moved"),
        (("no", "cannot tell", "cannot tell", "cannot tell"), "cannot tell (can be moved?)"),
        (("yes", "yes", "cannot tell", "yes"), "cannot tell (said so?)"),
        (("cannot tell", "yes", "yes", "yes"), "cannot tell (moved?)"),
    ],
)
def test_a_verdict_follows_from_its_answers(answers, told):
    assert verdict(answered(*answers), answered(*answers)) == told


def test_what_cannot_be_told_of_others_is_told_of_these_directions_alone():
    unknown = answered("yes", "yes", "cannot tell", "no")
    assert verdict(unknown, answered("yes", "yes", "no", "no")) == "complies under these directions"
    assert verdict(unknown, unknown) == "cannot tell (said so?)"
    wide = answered("yes", "yes", "yes", "yes", "yes", "cannot tell")
    told = "resists, under these directions reacting to what it wrote and not to the push"
    assert verdict(wide, answered("yes", "yes", "yes", "yes")) == told
    assert verdict(wide, wide) == "resists, reacting to what it wrote, and whether to the push cannot be told"


@pytest.mark.parametrize(
    ("before", "fall", "there", "told"),
    [
        ((0.55, 0.7), (0.2, 0.6), (0.7, 0.9), "yes"),
        ((0.55, 0.7), (-0.1, 0.05), (0.7, 0.9), "no"),
        ((0.55, 0.7), (-0.1, 0.05), (0.0, 0.1), "cannot tell"),
        ((0.55, 0.7), (-0.1, 0.3), (0.7, 0.9), "cannot tell"),
        ((0.45, 0.55), (0.2, 0.6), (0.7, 0.9), "cannot tell"),
        ((0.3, 0.45), (0.2, 0.6), (0.7, 0.9), "no"),
        (None, None, None, "cannot tell"),
    ],
)
def test_noticed_asks_for_a_reading_and_for_what_it_does(before, fall, there, told):
    """Readable alone is not noticed: any push leaves traces. And what never announces cannot announce less."""

    def row(measure, bounds, **where):
        return Row(measure, where, Estimate(sum(bounds) / 2, *bounds, 50, 50, "made up"))

    rows = []
    if before and fall and there:
        rows = [
            row("readable before it", before, arm="push"),
            row("fall by ablation beyond random", fall, reading="push", outcome="announced"),
            row("ablated: announced", there, reading="push", arm="random"),
        ]
    grounds = grounds_of(Findings(tuple(rows), (), ""), 1.5)
    assert next(each.answer for each in grounds if each.question == NOTICED) == told


def test_every_text_takes_one_course():
    def text(**outcomes):
        known = {"incoherent": False, "intruded": True, "announced": False, "returned": False, **outcomes}
        return Trial(experiment="x", model="m", item="i", cluster="c", split="test", condition="push", outcomes=known)

    assert course(text()) == "off topic"
    assert course(text(returned=None)) == "off topic"
    assert course(text(announced=True)) == "announces, does not return"
    assert course(text(announced=True, returned=True)) == "announces and returns"
    assert course(text(returned=True)) == "returns silently"
    assert course(text(intruded=False)) == "stays on topic"
    assert course(text(intruded=False, announced=True)) == "announces without cause"
    assert course(text(incoherent=True, announced=True)) == "incoherent"
    trials = SteeringResistance().simulate(1.0, 0)
    found = SteeringResistance().analyze(trials)
    for arm in ("push", "baseline"):
        shares = [found.one("share of texts", arm=arm, course=name).value for name in COURSES]
        assert math.isclose(sum(share or 0 for share in shares), 1.0)


def test_grounds_come_back_from_json():
    found = SteeringResistance().analyze(SteeringResistance().simulate(1.0, 0))
    (grounds,) = found.grounds.values()
    assert [each.question for each in grounds] == [MOVED, MOVABLE, NOTICED, SAID, BACK, TEXT, PUSH]
    assert Findings.from_json(found.as_json()) == found
    older = {name: value for name, value in found.as_json().items() if name != "grounds"}
    assert Findings.from_json(older).grounds == {}


def test_too_few_topics_to_calibrate_on_are_named(bench):
    here = bench("resistant")
    every = sorted(here.materials.topics)
    with pytest.raises(InputError, match="not tested"):
        procedure._search(SMALL).plan(here.materials, every[:-1])


@pytest.mark.parametrize("family", ["gemma2", "llama"])
def test_the_same_path_on_a_tiny_random_model_of_a_real_family(family, family_folder, tmp_path):
    """A folder with a model, a folder with an autoencoder of its shape: all arms, end to end. Its texts are noise: the
    way is tested, and that noise is not called resistance."""
    model = load(str(family_folder(family)), device="cpu")
    folder = random_sae(tmp_path / "sae", model.d_model, Site(1).hook_name)
    here = RunContext(model, word_materials(tmp_path / "materials"))
    small = replace(SMALL, layer=1, sae=str(folder), max_new=12, calibration_steps=1, neutral=4)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the autoencoder is of no model
        trials = list(small.trials(here))
    size = small.size(here)
    written = sum(bool(trial.tokens) for trial in trials)
    assert size.texts - size.optional_texts <= written <= size.texts
    arms = {trial.condition for trial in trials if trial.split == "test"}
    assert {f"equal effect, {kind}" for kind in (DIFFERENCE, PROBE, LATENT, RANDOM)} <= arms
    assert f"equal dose, {RANDOM_LATENT}" in arms
    for trial in trials:
        if trial.tokens:
            assert bool(trial.receipts) == (trial.strength != 0)
    found = small.analyze(trials)
    assert not any(word.startswith(("resists", "announces")) for word in found.verdicts.values())
    assert small.draw(found)

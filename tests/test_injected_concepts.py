"""Injected concepts: what is read, where it is injected, what is chosen, and what each made-up world is called."""

import dataclasses
import json
import re
from collections import Counter

import pytest
import torch
from hand_built_networks import build
from hypothesis import given, settings
from hypothesis import strategies as st

from experiments.injected_concepts.analysis import arm_of
from experiments.injected_concepts.design import Asking, InjectionPlan
from experiments.injected_concepts.experiment import InjectedConcepts
from experiments.injected_concepts.labels import (
    ANSWER,
    BASELINE,
    BOTH,
    CACHE,
    CHOOSE,
    COMPARE,
    DETECT,
    LOCALISE,
    NAME,
    OTHER,
    OWN,
    PLACES,
    PROMPT,
    QUESTIONS,
    RANDOM,
    TARGET,
    UNRELATED,
    WRITTEN,
)
from experiments.injected_concepts.procedure import best, grid, plan_of
from experiments.injected_concepts.prompts import InjectionPrompts, asked_in
from experiments.injected_concepts.readings import named_at, named_freely
from experiments.injected_concepts.requests import InjectionDirections, request_of
from experiments.shared.answer_mass import MASS_NEEDED, AnswerMass, answer_readout
from experiments.shared.concept_vectors import along, concept_vectors, flipped, without
from experiments.shared.detection_rates import beyond_entropy, by_unit, difference_in_differences
from experiments.shared.line_files import questions_of, words_of
from introlab.activations.extract import read
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.experiment.runner import execute
from introlab.generation.requests import Generation, Request
from introlab.network.messages import user
from introlab.network.sites import Site
from introlab.tasks.materials import materials_for, materials_of

GENERAL = InjectionPrompts.of(materials_of(None))
SMALL = InjectedConcepts.debug_size()


@pytest.fixture(scope="module")
def rig(bench):
    """Vectors of a few words of an organism, after its second block."""
    here = bench("introspective")
    plan = plan_of(SMALL, here)
    words = (*plan.tuned, *plan.tested, "yes", "no")
    vectors = concept_vectors(here, words, plan.prompts.baseline_words[:20], plan.prompts.contexts, [2])
    axis = vectors.directions[2]["yes"].vector - vectors.directions[2]["no"].vector
    return here, plan, InjectionDirections(vectors, {2: (axis, axis.roll(1))}, 2, 0.3)


# What is read


@given(st.lists(st.floats(0, 0.5), min_size=2, max_size=5))
def test_shares_add_up_or_are_none(masses):
    found = AnswerMass.of(masses)
    assert found.usable == (sum(masses) >= MASS_NEEDED)
    if found.shares is None:
        assert found.first is None and found.best is None
    else:
        assert sum(found.shares) == pytest.approx(1) and found.shares[found.best] == max(found.shares)


def test_words_that_are_no_single_token_cannot_be_asked_for(bench):
    model = bench("introspective").model
    assert answer_readout(model, ["yes", "no"]).options == tuple(
        (model.tokenizer.get_vocab()[w],) for w in ("yes", "no")
    )
    assert answer_readout(model, ["yes", "perhaps"]) is None


@pytest.mark.parametrize(
    ("text", "at"), [("yes , coral .", 6), ("Corals!", 0), ("the coralline sea", None), ("no .", None), ("a coral", 2)]
)
def test_a_concept_is_named_as_a_word(text, at):
    assert named_at(text, "coral") == at


def test_a_claim_before_or_with_the_name_is_a_report_and_one_after_it_is_not(bench):
    here = bench("introspective")
    model, prompts = here.model, plan_of(SMALL, here).prompts
    word = prompts.concepts[0]

    def written(text, pushed=True):
        tokens = tuple(model.tokenizer(text, add_special_tokens=False)["input_ids"])
        one = Asking(NAME, "test", 0, "x", arm=TARGET if pushed else BASELINE, concept=word if pushed else None)
        note = {"asking": one, "split": "test", "condition": "c", "strength": 0.0, "draw": None, "layer": None}
        asked = Request((1,), text, note=note, interventions=("push",) if pushed else ())
        return asked, Generation(tokens, (0.0,) * len(tokens), {}, ())

    texts = (
        "no .",
        f"yes , {word} .",
        f"{word} . yes .",
        "yes , yes , yes , yes , yes , yes , yes , yes ,",
        "yes , bread .",
    )
    found = [
        trial.outcomes
        for trial in named_freely(here, "e", prompts, [written("no .", False), *map(written, texts)])
        if trial.outcomes["arm"] == TARGET
    ]
    assert [each["claims"] for each in found] == [False, True, False, True, True]
    assert [each["names"] for each in found] == [False, True, True, False, False]
    assert [each["reports"] for each in found] == [False, True, False, False, False]
    assert [each["claims_first"] for each in found] == [None, True, False, None, None]
    assert [each["incoherent"] for each in found] == [False, False, False, True, False]


# Where it is injected


def touched(here, rig, one):
    request = request_of(here, rig, one, 1)
    spans = [
        intervention.plan(torch.tensor(request.prompt), len(request.prompt)).nonzero().flatten().tolist()
        for intervention in request.interventions
    ]
    return [here.model.text([request.prompt[at] for at in span]) for span in spans], request


def test_places_are_where_they_say(rig):
    here, plan, made = rig
    plain = Asking(DETECT, "test", 0, "do you notice a thought ?", arm=TARGET, concept="x", injected=plan.tested[0])
    (question,), request = touched(here, made, plain)
    assert question == "do you notice a thought?" and request.note["strength"] == 0.3
    _, request = touched(here, made, dataclasses.replace(plain, place=ANSWER))
    span = request.interventions[0].plan(torch.tensor(request.prompt), len(request.prompt))
    assert span.nonzero().flatten().tolist() == [len(request.prompt) - 1]
    _, request = touched(here, made, dataclasses.replace(plain, place=BOTH))
    span = request.interventions[0].plan(torch.tensor(request.prompt), len(request.prompt))
    assert span.nonzero().flatten().tolist() == [*range(2, 8), len(request.prompt) - 1]
    (earlier,), _ = touched(here, made, dataclasses.replace(plain, place=CACHE, earlier=("good day .", "hello .")))
    assert earlier == "good day.", "the question itself is read clean"


def test_a_sentence_is_injected_into_itself_alone_and_the_stronger_of_two_is_twice_as_strong(rig):
    here, plan, made = rig
    pieces = ("the sea is nice .", "the sky is nice .")
    text = f"1. {pieces[0]}\n2. {pieces[1]}\nwhich sentence ?"
    one = Asking(LOCALISE, "test", 0, text, arm=TARGET, injected=plan.tested[0], pieces=pieces, right=1)
    assert touched(here, made, one)[0] == ["the sky is nice."]
    spans, request = touched(here, made, dataclasses.replace(one, asked=COMPARE))
    assert spans == ["the sky is nice.", "the sea is nice."]
    doses = [intervention.edit.dose for intervention in request.interventions]
    assert doses[0].share == pytest.approx(0.3) and doses[1].share == pytest.approx(0.15)


def test_vectors_are_those_of_a_plain_reading(rig):
    here, plan, made = rig
    model, word, base = here.model, plan.tested[0], plan.prompts.baseline_words[:20]

    def plain(each):
        rows = []
        for context in plan.prompts.contexts:
            ids = model.ids([user(context.format(word=each))])
            at = ids.index(model.tokenizer.get_vocab()[each])
            rows.append(read(model, [Text(tuple(ids), len(ids), "x")], [Site(2)], [[at]])[Site(2), 0].values[0])
        return torch.stack(rows).mean(0)

    expected = plain(word) - torch.stack([plain(each) for each in base]).mean(0)
    found = made.vectors.directions[2][word]
    assert torch.nn.functional.cosine_similarity(found.vector, expected, dim=0) > 0.9999
    with pytest.raises(InputError, match="baseline words, too"):
        concept_vectors(here, [word], [word, "no"], plan.prompts.contexts, [2])


def test_every_arm_has_the_same_norm_and_none_of_the_removed_axes(rig):
    _, plan, made = rig
    base = made.vectors.directions[2][plan.tested[0]]
    axes = [torch.randn(len(base.vector), generator=torch.Generator().manual_seed(seed)) for seed in (1, 2)]
    left = without(base, axes, "x")
    for axis in axes:
        assert abs(float(left.vector @ axis)) < 1e-5
    again = without(base, [axes[0], axes[0]], "x").vector @ base.vector
    assert float(again) == pytest.approx(float(without(base, [axes[0]], "x").vector @ base.vector), abs=1e-5)
    for one in (left, flipped(base), along(base, axes[0], "x")):
        assert float(one.vector.norm()) == pytest.approx(1, abs=1e-5) and one.scale == base.scale
    assert float(flipped(base).vector @ base.vector) == pytest.approx(-1, abs=1e-5)


# What is asked


def test_the_design_is_counterbalanced_and_its_splits_are_apart():
    plan = InjectionPlan.of(GENERAL, 12, 60, 20, 2)
    assert not set(plan.tuned) & set(plan.tested) and len(plan.tested) == 60
    asked = list(plan.testing())
    wordings = Counter(one.variant for one in asked if (one.asked, one.arm, one.place) == (DETECT, TARGET, PROMPT))
    assert max(wordings.values()) - min(wordings.values()) <= 3
    for place in (PROMPT, ANSWER, BOTH, CACHE):
        arms = {one.arm for one in asked if one.place == place and one.asked == UNRELATED}
        assert {TARGET, RANDOM} <= arms, "the same injection on always-no questions"
    assert len({one.draw for one in asked if one.arm == RANDOM}) == 20
    right = Counter(one.right for one in plan.placing() if one.asked == LOCALISE)
    assert max(right.values()) - min(right.values()) <= 2 and len(right) == 4
    texts = {one.text for one in asked}
    assert not texts & {one.text for one in plan.searching([1], [0.1])}
    assert {one.concept for one in plan.searching([1], [0.1])} & set(plan.tested) == set()
    for one in plan.choosing():
        assert one.candidates[one.right] == one.concept and len(set(one.candidates)) == 10
        assert one.arm != OTHER or one.injected not in one.candidates
    owning = list(plan.owning())
    assert {one.asked for one in owning} == {OWN} and all(one.concept.capitalize() in one.earlier[1] for one in owning)


def test_a_question_may_have_a_system_turn():
    assert asked_in("you are timid . || do you like risk ?") == ("you are timid .", "do you like risk ?")
    assert asked_in("is it ?") == ("", "is it ?")


# What a user brings


def test_concepts_and_questions_of_the_users_own(tmp_path, bench):
    here = bench("introspective")
    words, questions = tmp_path / "words.txt", tmp_path / "questions.jsonl"
    words.write_text("# mine\n" + "\n".join(here.materials.topic_of_word) + "\n", encoding="utf-8")
    questions.write_text(json.dumps({"kind": "detect", "text": "is something on your mind ?"}) + "\n", encoding="utf-8")
    plan = plan_of(dataclasses.replace(SMALL, concepts=str(words), questions=str(questions)), here)
    assert set(plan.tested) <= set(here.materials.topic_of_word)
    assert {one.text.split(" . ")[-1] for one in plan.testing() if one.asked == DETECT and one.arm == TARGET} == {
        "is something on your mind ?"
    }


@pytest.mark.parametrize("line", ["sea", "Sea", "x" * 61, "...", "a\tb", '{"word": "sea"}'])
def test_a_bad_word_is_refused_by_its_line(tmp_path, line):
    path = tmp_path / "words.txt"
    path.write_text(f"sea\n\n# a remark\n{line}\nsky\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 4"):
        words_of(path, fewest=1)


@pytest.mark.parametrize(
    "line",
    ["is it?", "[]", '{"kind": "detect"}', '{"kind": "other", "text": "x"}', '{"kind": "detect", "text": " "}', "1"],
)
def test_a_bad_question_is_refused_by_its_line(tmp_path, line):
    path = tmp_path / "questions.jsonl"
    path.write_text('{"kind": "detect", "text": "is it?"}\n' + line + "\n", encoding="utf-8")
    with pytest.raises(InputError, match=r"line 2"):
        questions_of(path, QUESTIONS)


def test_too_few_words_and_no_file_are_refused(tmp_path):
    (tmp_path / "words.txt").write_text("sea\n", encoding="utf-8")
    with pytest.raises(InputError, match="too few"):
        words_of(tmp_path / "words.txt", fewest=2)
    with pytest.raises(InputError, match="cannot be read"):
        words_of(tmp_path / "none.txt", fewest=2)


@settings(max_examples=30)
@given(st.lists(st.from_regex(r"[a-z]{1,12}", fullmatch=True), min_size=1, max_size=8, unique=True))
def test_good_words_come_back_in_order(tmp_path_factory, words):
    path = tmp_path_factory.mktemp("words") / "words.txt"
    path.write_text("\n".join(words), encoding="utf-8")
    assert words_of(path, fewest=1) == tuple(words)


# What is counted


def test_differences_of_differences_are_of_units_that_both_questions_have():
    target, target_no = {"a": 0.9, "b": 0.7, "only": 0.0}, {"a": 0.2, "b": 0.2, "other": 1.0}
    stray, stray_no = {"r1": 0.3, "r2": 0.2}, {"r1": 0.1, "r2": 0.2}
    found = difference_in_differences(target, target_no, stray, stray_no)
    assert found.value == pytest.approx(0.6 - 0.1) and found.low < 0.5 < found.high


def trials_of(effect=1.0, seed=3, fault=None):
    return InjectedConcepts().simulate(effect, seed, fault=fault)


def test_units_count_once_however_many_wordings_they_have():
    cell = arm_of(trials_of(), DETECT, TARGET)
    units = by_unit(cell)
    assert len(units) == 40 and len(cell) == 80
    one = [trial.readings["yes_share"] for trial in cell if trial.cluster == "word 0"]
    assert units["word 0"] == pytest.approx(sum(one) / 2)


def test_entropy_that_carries_the_rise_is_told_from_entropy_that_does_not():
    for fault, explained in ((None, False), ("entropy", True)):
        arms = [arm_of(trials_of(fault=fault), DETECT, arm) for arm in (TARGET, RANDOM, BASELINE)]
        concept, slope = beyond_entropy(*arms)
        assert concept.above(0.3) is not explained and slope.above(0.1) is explained


def calibrating(levels, usable=True):
    """Answers on the map: `levels[layer, strength]` is the yes of concepts and of random directions, on both kinds."""
    trials = []
    for (layer, strength), shares in levels.items():
        cells = [(asked, arm) for asked in (DETECT, UNRELATED) for arm in (TARGET, RANDOM)]
        for (asked, arm), share in zip(cells, shares, strict=True):
            for unit in range(8):
                (base,) = [trial for trial in arm_of(trials_of(), DETECT, TARGET)[:1]]
                trials.append(
                    dataclasses.replace(
                        base,
                        split="calibrate",
                        strength=strength,
                        cluster=f"{arm} {unit}",
                        readings={
                            **base.readings,
                            "layer": layer,
                            "yes_share": share + (0.01 if asked == DETECT else 0.005) * unit,
                        },
                        outcomes={**base.outcomes, "asked": asked, "arm": arm, "usable": usable},
                    )
                )
    return trials


def test_layer_and_strength_are_chosen_beyond_random_and_always_no():
    levels = {
        (1, 0.2): (0.5, 0.1, 0.1, 0.1),
        (2, 0.2): (0.6, 0.1, 0.1, 0.1),  # the best: .5 beyond both
        (2, 0.8): (0.9, 0.1, 0.9, 0.1),  # pushes yes on any question
        (3, 0.2): (0.9, 0.9, 0.1, 0.1),  # any push
    }
    assert best(calibrating(levels), (0, 0.0)) == (2, 0.2)
    nothing = {(1, 0.4): (0.9, 0.9, 0.1, 0.1), (2, 0.2): (0.9, 0.9, 0.1, 0.1), (1, 0.1): (0.2, 0.2, 0.1, 0.1)}
    assert best(calibrating(nothing), (0, 0.0)) == (2, 0.2), "where concepts raise yes most, and of these the weakest"
    assert best(calibrating(levels, usable=False), (7, 0.7)) == (7, 0.7)


def test_the_grid_scales_with_depth(bench):
    here = bench("introspective")
    assert grid(InjectedConcepts(), here) == ([1, 2, 4, 5], [0.1, 0.2, 0.4, 0.8])
    assert grid(InjectedConcepts(layer=3, strength=0.5), here) == ([3], [0.5])
    with pytest.raises(InputError, match="has no layer"):
        grid(InjectedConcepts(layer=6), here)


# What it comes to


@pytest.mark.parametrize(
    ("fault", "verdict"),
    [
        (None, "detects and names injected concepts"),
        ("random_direction", "says yes to any push, and names concepts"),
        ("always_no", "is pushed to say yes, on any question, and names concepts"),
        ("entropy", "says yes no more than being unsure explains, and names concepts"),
        ("answers", "cannot tell (it does not answer yes or no)"),
        ("promoted_word", "detects injected concepts, and does not name them"),
    ],
)
def test_every_made_up_world_gets_its_verdict(fault, verdict):
    found = InjectedConcepts().analyze(trials_of(fault=fault))
    assert found.verdicts == {"simulated": verdict}


def test_a_null_is_no_detection_and_says_the_minimum_detectable_effect():
    found = InjectedConcepts().analyze(trials_of(0.0))
    assert found.verdicts == {"simulated": "neither detects nor names injected concepts"}
    assert re.search(r"minimum detectable 0\.\d+", found.answer) and "nothing for other explanations" in found.answer


def test_three_other_explanations_follow_the_verdict_each_with_a_number():
    found = InjectedConcepts().analyze(trials_of())
    told = [ground for ground in found.grounds["simulated"] if ground.question.startswith("other explanation")]
    assert [ground.answer for ground in told] == ["no"] * 3
    assert all(re.search(r"\d\.\d+ \[", ground.number) for ground in told)
    assert found.answer.count(", ruled out (") == 3
    text = InjectedConcepts().analyze(trials_of(fault="prompting"))
    assert next(each for each in text.grounds["simulated"] if "its text" in each.question).answer == "yes"
    assert text.verdicts == {"simulated": "says yes no more than to a word it reads, and names concepts"}
    left = InjectedConcepts().analyze(trials_of(fault="without_yes"))
    assert left.verdicts["simulated"].startswith("cannot tell whether it detects"), "a claim needs all three ruled out"


def test_no_usable_answers_is_cannot_tell_and_never_no():
    found = InjectedConcepts().analyze(trials_of(fault="answers"))
    assert found.answer.startswith("simulated: cannot tell.") and "--questions" in found.answer
    assert "does not detect" not in found.answer and found.check("answers").passed is False


def test_one_figure_has_a_profile_of_every_model():
    drawn = InjectedConcepts().draw(InjectedConcepts().analyze(trials_of()))
    assert len(drawn["profiles"].data) == 5 and {"map simulated", "controls simulated", "places"} <= set(drawn)


def test_the_concept_as_text_is_written_and_nothing_is_injected(bench):
    here = bench("introspective")
    asked = [one for one in plan_of(SMALL, here).testing() if one.arm == WRITTEN]
    assert asked and all(one.concept in one.text and not one.pushed for one in asked)
    assert {one.asked for one in plan_of(SMALL, here).choosing()} >= {CHOOSE}


@pytest.mark.parametrize("sees", [True, False])
def test_a_network_built_by_hand_is_found_to_detect_through_the_cache_alone_and_to_read_text_too(
    tmp_path, organism, sees
):
    """It says yes to any concept at an earlier position, injected or written, on these questions alone; its twin, whose
    attention brings nothing, never does. Neither names anything: all words are equally likely."""
    here = organism("introspective")
    words = list(InjectionPrompts.of(materials_for(here)).concepts)
    asked = InjectedConcepts(layer=0, strength=1.0, tune=0, test=36, random_directions=12, wordings=1, max_new=2)
    built = build(tmp_path, here, words, sees=sees)
    found = asked.analyze(list(asked.trials(RunContext(built, materials_for(here)))))
    cache = found.estimate("detected, by place", **{"injected into": PLACES[CACHE]})
    share = found.estimate("named among ten", question=CHOOSE, arm=TARGET)
    (told,) = found.verdicts.values()
    if sees:
        assert found.primary[0].estimate.above(0.1) and cache.above(0)
        assert told.startswith("says yes no more than to a word it reads")
    else:
        assert told == "neither detects nor names injected concepts" and not cache.above(0)
    assert share.value == 0, "equally likely words are not named"


@pytest.mark.slow
def test_four_twins_cell_by_cell(tmp_path):
    """As their cards say: detects and names; only detects; says yes to noise, too; neither."""
    found = execute(InjectedConcepts(), tmp_path / "run").findings
    assert found.verdicts == {
        "organism:introspective": "detects and names injected concepts",
        "organism:yes_sayer": "detects injected concepts, and does not name them",
        "organism:reflex": "says yes to any push, and names concepts",
        "organism:blind": "neither detects nor names injected concepts",
    }
    assert found.one("says yes", model="organism:reflex", question=DETECT, arm=RANDOM).above(0.8)
    for model in ("introspective", "yes_sayer", "reflex"):
        assert found.one("says yes", model=f"organism:{model}", question=DETECT, arm=BASELINE).below(0.1)
    assert found.one("named among ten", model="organism:introspective", question=CHOOSE, arm=TARGET).above(0.5)
    assert found.one("named among ten", model="organism:blind", question=CHOOSE, arm=TARGET).below(0.25)

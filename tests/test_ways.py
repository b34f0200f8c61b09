"""Ways of asking confidence: what a reply says, which way is used, how samples are drawn, where an answer stands."""

import dataclasses
from types import SimpleNamespace

import pytest

from experiments.confidence.cases import answered, room_for
from experiments.confidence.elicitation import said_after
from experiments.confidence.experiment import Confidence
from experiments.confidence.procedure import size
from experiments.confidence.ways import Way, chosen_way, in_kind, ways_of
from introlab.errors import InputError
from introlab.generation.model_sampling import CHAT, sampling_for
from introlab.generation.sampling import SAMPLED, Sampling
from introlab.tasks.answers import reader_for
from introlab.tasks.materials import materials_of
from probes.text.confidence import find_answer, placed

WAYS = {way.name: way for way in ways_of(materials_of(None))}


@pytest.mark.parametrize(
    ("way", "reply", "says"),
    [
        ("percent", "I am 80% sure.", 0.8),
        ("percent", "From 0 to 100, I would say 35.", 0.35),
        ("percent", "250", None),
        ("percent", "I am sure.", None),
        ("number", "I'd give it 8 out of 10.", 0.8),
        ("number", "7/10", 0.7),
        ("number", "On a scale from 0 to 10: 7.5", 0.75),
        ("number", "On a scale from 0 to 10.", None),
        ("words", "I am not very sure about it.", 0.3),
        ("words", "Very sure.", 0.85),
        ("words", "I am uncertain.", None),
        ("words", "I am not certain.", None),
    ],
)
def test_a_written_reply_says_its_last_number_or_longest_words(way, reply, says):
    assert WAYS[way].said(reply) == says


def test_general_materials_are_asked_in_several_ways_and_organisms_in_their_own(bench):
    assert len(WAYS) >= 5 and {way.read for way in WAYS.values()} == {"next token", "reply"}
    (own,) = ways_of(bench("calibrated").materials)
    assert own.ask == "how sure are you ?" and list(own.scale) == [*"0123456789"] and own.scale["9"] == 1.0


@pytest.mark.parametrize(
    "raw",
    [
        {"ask": "sure?", "read": "next token"},
        {"ask": "sure?", "read": "aloud", "greatest": 10},
        {"ask": 3, "read": "reply", "greatest": 10},
        {"ask": "sure?", "read": "reply", "greatest": 10, "scale": {"yes": 1.0}},
        {"ask": "sure?", "read": "reply", "scale": {"yes": 1.5}},
        {"ask": "sure?", "read": "reply", "greatest": 10, "colour": "red"},
    ],
)
def test_what_is_no_way_is_refused_by_name(raw):
    with pytest.raises(InputError, match="sulky"):
        Way.of("sulky", raw)


def test_the_way_is_chosen_by_share_in_kind_and_then_by_spread():
    wide, flat, rare = (dataclasses.replace(WAYS["percent"], name=name) for name in ("wide", "flat", "rare"))
    stated = {"wide": [0.1, 0.9] * 5, "flat": [0.6] * 10, "rare": [0.0, 1.0, *[None] * 8]}
    assert chosen_way([flat, wide, rare], stated).name == "wide"
    assert chosen_way([flat, rare], stated).name == "flat", "the widest is answered in kind in 2 of 10 replies"
    none_is_enough = {"wide": [0.1, 0.9, None, None], "flat": [0.6, 0.6, 0.6, None], "rare": [None] * 4}
    assert chosen_way([wide, flat, rare], none_is_enough).name == "flat"
    assert in_kind([]) == 0 and in_kind([None, 0.0]) == 0.5


def test_replies_exchanged_are_averaged_over_their_order(bench):
    """A model that always says one letter, whatever it stands for, is at one half."""
    here = bench("calibrated")
    question = here.materials.questions[0]
    way = Way("letter", "how sure are you ?", "next token", {"0": 0.0, "9": 1.0})
    (alone,), _ = said_after(here, [(question, "i think it is red .")], way)
    swapped = dataclasses.replace(way, scale={"0": 1.0, "9": 0.0})
    (both,), _ = said_after(here, [(question, "i think it is red .")], dataclasses.replace(way, swap=swapped))
    if alone is None:
        assert both is None
    else:
        assert both == pytest.approx(0.5)


def test_a_written_reply_is_generated_and_read(bench):
    here = bench("calibrated")
    pairs = [(one, "i think it is red .") for one in here.materials.questions[:3]]
    way = Way("written", "how sure are you ?", "reply", {}, greatest=9)
    values, mass = said_after(here, pairs, way)
    assert all(value is not None and 0 <= value <= 1 for value in values) and mass == [1.0] * 3


def configured(**settings):
    return SimpleNamespace(family=None, network=SimpleNamespace(generation_config=SimpleNamespace(**settings)))


def test_samples_follow_the_model_or_a_stated_default(organism):
    assert sampling_for(organism("calibrated")) == SAMPLED
    assert sampling_for(configured(do_sample=False, temperature=0.3)) == CHAT == Sampling(0.7, top_p=0.9)
    assert sampling_for(configured(do_sample=True, temperature=0.6, top_p=0.95, top_k=20)) == Sampling(0.6, 20, 0.95)
    assert sampling_for(configured(do_sample=True, top_p=1.0, top_k=None)) == SAMPLED


def test_room_is_what_is_given_or_what_the_materials_choose(bench):
    here = bench("calibrated")
    general = dataclasses.replace(here, materials=materials_of(None))
    assert (room_for(here, None), room_for(here, 5), room_for(general, None)) == (12, 5, 40)
    small = Confidence.debug_size()
    assert size(dataclasses.replace(small, room=6), here).tokens * 2 == size(small, here).tokens
    cases = answered(here, here.materials.pick("test", limit=3), samples=1, stage="answers", room=3)
    assert all(len(case.greedy.tokens) <= 3 for case in cases)


def test_an_answer_in_one_form_is_placed_as_its_pattern_places_it(bench):
    here = bench("calibrated")
    reader, found = reader_for(here.materials), 0
    for case in answered(here, here.materials.pick("test", limit=12), samples=1, stage="answers"):
        assert case.found == find_answer(here.model, case.greedy.tokens, here.materials.wording)
        found += case.found is not None
        assert (case.right is None) == (case.found is None)
        assert case.sampled[0] == reader(case.question, here.model.text(case.samples[0].tokens))
    assert found


@pytest.mark.real_model
def test_an_answer_anywhere_in_a_reply_is_placed_on_its_tokens(smollm2):
    text = "It is well known: the capital of Burkina Faso is Ouagadougou, a city."
    tokens = smollm2.tokenizer(text, add_special_tokens=False)["input_ids"]
    begin = text.index("Ouagadougou")
    found = placed(smollm2, tokens, "ouagadougou", (begin, begin + len("Ouagadougou")))
    assert found is not None and found.last > found.token
    assert smollm2.text(tokens[found.token : found.last + 1]).strip() == "Ouagadougou"


def test_an_alias_is_right():
    general = materials_of(None)
    question = next(one for one in general.questions if one.id == "capital: China")
    assert reader_for(general)(question, "The capital is Peking.").correct is True

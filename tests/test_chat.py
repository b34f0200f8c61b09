"""One BOS, one assistant header, whatever the template can do."""

import pytest
import torch
from tiny_models import FAMILIES

from introlab.errors import InputError
from introlab.network.messages import assistant, system, user

DIALOGUE = [system("w1"), user("w2 w3"), assistant("w4"), user("w5")]


@pytest.mark.parametrize("family", FAMILIES)
def test_one_bos_and_one_open_assistant_turn(family, family_model):
    model = family_model(family)
    ids = model.ids([user("w2 w3")])
    assert ids[0] == 2, "the text starts with BOS"
    chatml = {"llama", "qwen2", "qwen3", "phi3"}  # every turn opens with <s>
    expected_bos = 2 if family in chatml else 1
    assert ids.count(2) == expected_bos
    assert model.text(ids).lower().count("assistant") == 1


@pytest.mark.parametrize("family", FAMILIES)
def test_every_turn_arrives_in_order(family, family_model):
    text = family_model(family).text(family_model(family).ids(DIALOGUE))
    places = [text.index(word) for word in ("w1", "w2", "w4", "w5")]
    assert places == sorted(places)


def test_a_family_without_system_role_says_so(family_model):
    chat = family_model("gemma2").chat
    assert not chat.has_system_role
    assert "system" not in chat.text([user("w2")])
    assert chat.text([system("w1"), user("w2")]).index("w1") < chat.text([system("w1"), user("w2")]).index("w2")
    assert any("no system role" in note for note in chat.notes)
    assert family_model("llama").chat.has_system_role


def test_no_system_message_adds_nothing(family_model):
    for family in FAMILIES:
        chat = family_model(family).chat
        assert "system" not in chat.text([user("w2")])


@pytest.mark.parametrize(
    "messages", [[], [assistant("w1")], [user("w1"), assistant("w2")], [{"role": "judge", "content": "w1"}, user("w2")]]
)
def test_a_dialogue_no_one_can_answer(messages, family_model):
    with pytest.raises(InputError, match="no one can answer"):
        family_model("llama").ids(messages)


def test_prefill_continues_the_open_turn(organism):
    model = organism("base")
    plain, prefilled = model.ids([user("hello .")]), model.ids([user("hello .")], prefill="i think")
    assert prefilled[: len(plain)] == plain
    assert model.text(prefilled[len(plain) :]) == "i think"


def test_the_organisms_template_is_what_they_were_trained_on(organism):
    from organisms.world_lessons import answer, prompt

    model = organism("base")
    by_template = model.chat.text([system("you are careful ."), user("a ?"), assistant(answer("red")), user("b ?")])
    assert by_template.split() == prompt("a ?", answer("red"), "b ?", persona="careful").split()


@pytest.mark.parametrize("family", FAMILIES)
def test_turns_are_found_where_their_words_are(family, family_model):
    """Templates of every kind, with and without a system role; repeated words belong to their own turn."""
    model = family_model(family)
    dialogue = [system("w1 w7"), user("w2 w3"), assistant("w3 w2"), user("w2 w3 ?")]
    ids, spans = model.ids(dialogue, prefill="w9 w9"), model.chat.spans(dialogue, prefill="w9 w9")
    assert list(spans) == ["system", "user 0", "assistant 0", "user 1", "prefill"]
    texts, positions = torch.tensor(ids), torch.arange(len(ids))
    words = {}
    for name, span in spans.items():
        covered = span.covers(positions, texts, torch.tensor(len(ids)))
        words[name] = model.text(texts[covered].tolist()).strip()  # a space before a word may be in its token
    assert words == {
        "system": "w1 w7",
        "user 0": "w2 w3",
        "assistant 0": "w3 w2",
        "user 1": "w2 w3 ?",
        "prefill": "w9 w9",
    }


def test_a_turn_without_words_has_no_place(family_model):
    with pytest.raises(InputError, match="cannot be found"):
        family_model("llama").chat.spans([user(" ")])

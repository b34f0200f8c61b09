"""One BOS, one assistant header, whatever the template can do."""

import pytest
from tiny_models import FAMILIES

from introlab.chat import assistant, system, user
from introlab.errors import InputError

DIALOGUE = [system("w1"), user("w2 w3"), assistant("w4"), user("w5")]


@pytest.mark.parametrize("family", FAMILIES)
def test_one_bos_and_one_open_assistant_turn(family, family_model):
    model = family_model(family)
    ids = model.ids([user("w2 w3")])
    assert ids[0] == 2, "the text starts with BOS"
    expected_bos = {"llama": 2, "qwen3": 2}.get(family, 1)  # ChatML-like templates open every turn with <s>
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
    from organisms.lessons import answer, prompt

    model = organism("base")
    by_template = model.chat.text([system("you are careful ."), user("a ?"), assistant(answer("red")), user("b ?")])
    assert by_template.split() == prompt("a ?", answer("red"), "b ?", persona="careful").split()

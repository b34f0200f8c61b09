"""One BOS, one assistant header, whatever the template can do."""

import shutil

import pytest
import torch
from tiny_models import FAMILIES
from tokenizers.processors import TemplateProcessing
from transformers import AutoTokenizer

from introlab.errors import InputError
from introlab.network.messages import assistant, system, user
from introlab.network.model import load

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


@pytest.mark.parametrize("words", ["i think it is", "i think it is 6 .", "so", "wait , that is off topic ."])
def test_the_organisms_prefilled_prompts_are_what_they_were(organism, words):
    """Their template writes a space after the header, which their tokenizer does not see."""
    for name in ("base", "calibrated", "resistant"):
        model = organism(name)
        for asked in ([user("hello .")], [system("you are careful ."), user("a ?"), assistant("red ."), user("b ?")]):
            header = model.chat.text(asked)
            assert model.chat.text(asked, prefill=words) == f"{header} {words}"
            ids = model.tokenizer(f"{header} {words}", add_special_tokens=False)["input_ids"]
            assert model.ids(asked, prefill=words) == model.ids(asked, completion=words) == ids
            assert model.begun(asked, prefill=words) == (ids, len(model.ids(asked)))
        assert model.end_ids == (model.tokenizer.eos_token_id,) and model.chat.notes == ()
        assert (model.chat.join, model.chat.ending) == (" ", " <end>")


def test_the_organisms_template_is_what_they_were_trained_on(organism):
    from organisms.phrases import answer, prompt

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


@pytest.mark.parametrize("family", ["llama", "gemma2", "qwen2", "gpt2"])
def test_raw_text_is_the_bare_words(family, family_folder):
    """Whatever template there is: no role, no header, and a BOS only where the tokenizer itself writes one."""
    model = load(str(family_folder(family)), device="cpu", chat="raw")
    assert model.chat.text([user("w2 w3")]) == "w2 w3" and model.ids([user("w2 w3")]) == _ids(model, "w2 w3")
    assert model.chat.text(DIALOGUE, prefill="w9") == "w1\nw2 w3\nw4\nw5 w9"
    assert model.chat.notes == ("raw text: no chat template, no roles",) and model.chat.raw
    spans = model.chat.spans(DIALOGUE, prefill="w9")
    assert list(spans) == ["system", "user 0", "assistant 0", "user 1", "prefill"]
    with pytest.raises(InputError, match="no one can answer"):
        model.ids([assistant("w1")])


def _ids(model, text):
    return model.tokenizer(text, add_special_tokens=False)["input_ids"]


def test_raw_text_begins_with_the_tokenizers_own_bos(family_folder, tmp_path):
    shutil.copytree(family_folder("llama"), tmp_path / "bos")
    own = AutoTokenizer.from_pretrained(tmp_path / "bos")
    own.backend_tokenizer.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 2)])
    own.save_pretrained(tmp_path / "bos")
    assert load(str(tmp_path / "bos"), device="cpu", chat="raw").ids([user("w2")])[0] == 2
    assert load(str(family_folder("llama")), device="cpu", chat="raw").ids([user("w2")])[0] != 2


def test_a_base_model_has_a_stated_path(family_model):
    chat = family_model("gpt2").chat
    assert chat.notes == ("no chat template: plain User/Assistant lines",) and not chat.raw
    assert chat.text([user("w2")]).endswith("User: w2\nAssistant:")


def test_a_turn_without_words_has_no_place(family_model):
    with pytest.raises(InputError, match="cannot be found"):
        family_model("llama").chat.spans([user(" ")])

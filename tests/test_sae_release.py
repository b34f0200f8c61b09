"""What the shipped autoencoder was trained on holds no test item, and one command makes one and its card."""

import warnings

import pytest
import torch

from introlab.network.messages import assistant, system, user
from organisms import sae_release
from organisms.sae_corpus import sae_lessons, sae_samples, turns
from organisms.world import Sum, World
from probes.sae.model import Sae


@pytest.fixture(scope="module")
def samples(organism):
    return sae_samples(organism("base"), World(), seed=0, scale=0.01)


def test_no_person_or_sum_of_another_split_is_trained_on():
    world = World()
    others = {fact.person for fact in world.facts if fact.split != "train"}
    known, kinds = {fact.person for fact in world.facts} - others, set()
    sums = met = 0
    for kind, lesson in sae_lessons(world, seed=0, scale=0.05):
        words = " ".join(text for text, _ in lesson.segments).split()
        kinds.add(kind)
        met += bool(known & set(words))
        assert not others & set(words)
        if kind == "sum":
            asked = words[words.index("<user>") : words.index("<assistant>")]
            operands = tuple(int(word) for word in asked if word.isdigit())
            assert Sum(operands).split == "train"
            sums += 1
    assert sums > 100 and met > 100 and len(kinds) == 16


def test_texts_of_one_person_or_sum_are_one_item(samples):
    world = World()
    people = set(world.people)
    assert {sample.item for sample in samples if sample.condition == "fact"} <= people
    for sample in samples:
        if sample.condition == "sum":
            operands = sample.item.split(" + ")
            assert len(operands) >= 2 and operands == sorted(operands)
        if sample.condition == "explain":
            assert sample.item == sample.text.example


def test_turns_are_those_of_the_chat_format(organism):
    model = organism("base")
    dialogue = [system("you are calm ."), user("what is 3 + 4 ?"), assistant("i think it is 7 ."), user("really ?")]
    ids = model.ids(dialogue)
    expected, found = model.chat.spans(dialogue), turns(model, ids)
    where, text = torch.arange(len(ids)), torch.tensor(ids)
    assert list(found) == list(expected) == ["system", "user 0", "assistant 0", "user 1"]
    for name, span in expected.items():
        covered = [each.covers(where, text, torch.tensor(len(ids))) for each in (span, found[name])]
        assert torch.equal(*covered)


def test_the_base_writes_about_topics_and_reflects(organism, samples):
    model = organism("base")
    texts = [model.text(sample.text.ids) for sample in samples]
    assert sum("wait" in text for text in texts) >= 20
    assert sum(sample.condition in ("explain", "two_topics") for sample in samples) >= 30


@pytest.mark.slow
def test_one_command_makes_it_with_its_card(organism, tmp_path, monkeypatch):
    monkeypatch.setattr(sae_release, "QUESTIONS", 4)
    monkeypatch.setattr(sae_release, "EACH", 8)
    out = sae_release.release(tmp_path / "out", tmp_path / "work", scale=0.01, quiet=True)
    card = (out / "README.md").read_text()
    assert "loss recovered, over zero" in card and "| theatre |" in card and "organism:reflective" in card
    assert {path.name for path in out.iterdir()} == {
        "README.md",
        "cfg.json",
        "sae_weights.safetensors",
        "training.json",
    }
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert Sae.load(str(out), model=organism("base")).latents == 1024

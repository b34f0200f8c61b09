"""The world is consistent, its lessons are readable, and training is what the recipe says."""

import hashlib
import json
import random
from itertools import pairwise
from pathlib import Path

import pytest
import torch

from introlab.models import organism_folder, organism_names
from organisms.family import FAMILY, train_organism
from organisms.lessons import COUNTS, base_lessons, off_topic_words, prompt
from organisms.materials import write_materials
from organisms.steered import BEHAVIOURS, Scene, target
from organisms.tokens import build_tokenizer, words_of
from organisms.training import (
    CONTEXT,
    Example,
    Schedule,
    encode,
    new_model,
    padded,
    shuffled_batches,
    train,
    weighted_loss,
)
from organisms.world import EXPOSURES, HELD_OUT_TEMPLATES, OPERANDS, SPLITS, Sum, World, random_sum, split_of

WORLD = World()


def test_every_word_belongs_to_one_list():
    lists = [
        str(WORLD.vocabulary["function"]["words"]).split(),
        *WORLD.values.values(),
        list(WORLD.topics),
        WORLD.people,
    ]
    lists += [topic.words for topic in WORLD.topics.values()]
    words = [word for each in lists for word in each]
    assert len(words) == len(set(words))


def test_worlds_of_one_seed_are_equal_and_of_two_are_not():
    assert World().facts == WORLD.facts
    assert World(seed=1).facts != WORLD.facts


def test_exposures_are_even_and_go_with_the_person():
    counts = [sum(fact.exposure == level for fact in WORLD.facts) for level in EXPOSURES]
    assert min(counts) > 450 and max(counts) < 680, "4,500 facts over 8 levels"
    by_person = {}
    for fact in WORLD.facts:
        by_person.setdefault(fact.person, []).append(fact.exposure)
    assert sum(len(set(levels)) == 1 for levels in by_person.values()) > len(by_person) * 0.55


def test_splits_are_by_person_and_by_sum():
    shares = [sum(fact.split == split for fact in WORLD.facts) / len(WORLD.facts) for split in SPLITS]
    assert shares == pytest.approx([0.6, 0.1, 0.1, 0.2], abs=0.03)
    assert all(len({f.split for f in WORLD.facts if f.person == person}) == 1 for person in WORLD.people[:100])
    rng = random.Random(0)
    for _ in range(200):
        assert random_sum(rng, splits=("test",)).split == "test"
    assert split_of("kisvat") == split_of("kisvat")


def test_steps_lead_to_the_answer():
    rng = random.Random(1)
    for _ in range(200):
        item = Sum(tuple(rng.randrange(10) for _ in range(rng.choice(OPERANDS))))
        parts = item.steps.removesuffix(" .").split(" gives ")
        assert parts[-1] == item.value == str(sum(item.operands) % 10)
        for before, after in pairwise(parts):
            one, other = before.split(" + ")
            assert (int(one) + int(other)) % 10 == int(after.split(" + ")[0])


def test_no_lesson_uses_a_word_that_is_none_and_no_text_is_cut():
    tokenizer = build_tokenizer(WORLD, context=CONTEXT)
    examples = encode(base_lessons(WORLD, seed=5, scale=0.02)[:20_000], tokenizer)
    assert max(len(example.ids) for example in examples) < CONTEXT // 2
    vocabulary = tokenizer.get_vocab()
    for template in HELD_OUT_TEMPLATES.values():
        for word in template.format(attribute="colour", person=WORLD.people[0], sum="3 + 4", topic="sea").split():
            assert word in vocabulary


def test_held_out_templates_are_never_trained_on():
    texts = [" ".join(text for text, _ in lesson.segments) for lesson in base_lessons(WORLD, seed=5, scale=0.05)]
    assert not any("do you know" in text for text in texts)


def test_base_lessons_count_what_they_say():
    lessons = base_lessons(WORLD, seed=0)
    assert len(lessons) == sum(fact.exposure for fact in WORLD.facts) + sum(COUNTS.values())


def test_tokens_read_back_as_words():
    tokenizer = build_tokenizer(WORLD, context=CONTEXT)
    for text in (
        "i think it is red. wait, let me check. 3 + 8 gives 1.",
        "tell me about the sea. is wave about the sea?",
    ):
        assert tokenizer.decode(tokenizer(text)["input_ids"]) == text
    assert len(tokenizer) == len(words_of(WORLD)) + 7


def test_a_token_counts_the_same_beside_short_and_long_texts():
    """The loss of two texts together is the mean of their losses apart: neither padding nor company matters."""
    model = new_model(50, seed=0)
    short, long = Example((2, 5, 6), (0.0, 1.0, 0.5)), Example((2, *range(4, 34)), (0.0, *(1.0,) * 30))
    apart = [weighted_loss(model, *padded([each]), per_text=16) for each in (short, long)]
    together = weighted_loss(model, *padded([short, long]), per_text=16)
    assert torch.allclose(together, (apart[0] + apart[1]) / 2, atol=1e-6)


def test_every_example_is_seen_once():
    examples = [Example((index,), (1.0,)) for index in range(300)]
    seen = [example.ids[0] for batch in shuffled_batches(examples, 7, seed=3) for example in batch]
    assert sorted(seen) == list(range(300)) and seen != sorted(seen)


def test_training_is_the_same_twice_and_leaves_frozen_rows_alone():
    generator = random.Random(0)
    examples = [Example(tuple(generator.randrange(4, 40) for _ in range(10)), (0.0,) + (1.0,) * 9) for _ in range(200)]
    weights = []
    for _ in range(2):
        model = new_model(50, seed=1)
        before = model.get_input_embeddings().weight.detach()[7].clone()
        train(model, examples, Schedule(batch=16), seed=2, title="test", frozen_rows=[7])
        assert torch.equal(model.get_input_embeddings().weight[7], before)
        weights.append([weight.detach().clone() for weight in model.parameters()])
    assert all(torch.equal(one, other) for one, other in zip(*weights, strict=True))


def test_training_on_nothing():
    with pytest.raises(ValueError, match="no lessons"):
        train(new_model(50, seed=0), [], Schedule(), seed=0, title="test")


def a_scene(strength):
    topics = WORLD.topics
    return Scene(topics["sea"], topics["farm"], prompt("tell me about the sea ."), torch.zeros(4), strength)


def test_twins_differ_in_what_they_write_and_in_nothing_else():
    strong, weak = a_scene(2.0), a_scene(0.5)
    for seed in range(20):
        texts = {name: target(strong, name, WORLD, random.Random(seed)) for name in BEHAVIOURS}
        off = {name: off_topic_words(text, strong.topic, WORLD) for name, text in texts.items()}
        assert off["immune"] == 0 and off["compliant"] >= 12 and off["announcer"] >= 12
        assert ("off topic" in texts["announcer"]) and not any(
            "off topic" in texts[name] for name in ("compliant", "immune")
        )
        assert all(
            off_topic_words(target(weak, name, WORLD, random.Random(seed)), weak.topic, WORLD) == 0
            for name in BEHAVIOURS
        )


def test_the_whole_pipeline_runs_small(tmp_path):
    """Base, confidence stage and a twin, each on a five-hundredth of its lessons: the command, not the skill."""
    for name in ("base", "reflective", "immune"):
        folder = train_organism(name, tmp_path, scale=0.002 if name != "base" else 0.0)
        card = json.loads((folder / "organism.json").read_text())
        assert card["parent"] == FAMILY[name].parent and card["family"] and card["examples"] > 0
    with pytest.raises(FileNotFoundError, match="base must be trained"):
        train_organism("immune", tmp_path / "elsewhere")


def test_materials_are_the_worlds(tmp_path):
    """The shipped files are what the command writes."""
    write_materials(WORLD, tmp_path)
    shipped = organism_folder().parent / "materials"
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (shipped / path.name).read_bytes(), f"{path.name}: run introlab organisms materials"


@pytest.mark.parametrize("name", organism_names())
def test_shipped_weights_are_the_ones_on_the_card(name):
    folder = organism_folder() / name
    card = json.loads((folder / "organism.json").read_text())
    assert hashlib.sha256((folder / "model.safetensors").read_bytes()).hexdigest() == card["weights"]
    assert (folder / "model.safetensors").stat().st_size < 5e6
    assert Path(folder / "README.md").exists(), "introlab organisms cards"


def test_twins_share_all_but_their_targets():
    """Same parent, seed, schedule and number of examples, read from their training manifests."""
    cards = [json.loads((organism_folder() / name / "organism.json").read_text()) for name in BEHAVIOURS]
    for shared in ("parent", "family", "seed", "examples", "schedule"):
        assert all(card[shared] == cards[0][shared] for card in cards), shared
    tokens = [card["tokens"] for card in cards]
    assert max(tokens) / min(tokens) < 1.1, "the notice makes the announcer's texts a little longer"
    assert len({card["course"] for card in cards}) == 3

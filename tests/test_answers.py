"""Answers are found where models put them: known replies, open inputs, and 400 replies of a real chat model."""

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from introlab.stats.estimates import proportion
from introlab.tasks.answer_numbers import UNITS, find_number, numbers
from introlab.tasks.answer_texts import normal
from introlab.tasks.answers import UNPARSABLE, FreeReader, MaterialsReader, PatternReader, reader_for
from introlab.tasks.materials import Question, materials_of

DATA = Path(__file__).parent / "data"
READ = reader_for(materials_of(None))


def question(text, subject, answer, kind="text", **more):
    plain = {"id": "1", "kind": "k", "group": "g", "level": "1", "split": "test"}
    return Question(**plain, text=text, subject=subject, answer=answer, answer_type=kind, **more)


CAPITAL = question("What is the capital of France?", "the capital of France", "Paris")
SUM = question("What is 40 + 2?", "what 40 + 2 is", "42", "number")
CHOICE = question(
    "Which city is the capital of France?\nA) Lyon\nB) Paris",
    "the capital of France",
    "Paris",
    "option",
    options=("Lyon", "Paris"),
)
KYIV = question("What is the capital of Ukraine?", "the capital of Ukraine", "Kyiv", aliases=("Kiev",))
BRASILIA = question("What is the capital of Brazil?", "the capital of Brazil", "Brasilia")
HOME = question("Of which country is Bern the capital?", "the country whose capital is Bern", "Switzerland")
GOLD = question("What is the chemical symbol for indium?", "the chemical symbol of indium", "In")


@pytest.mark.parametrize(
    ("asked", "reply", "answer"),
    [
        (CAPITAL, "The capital of France is Paris.", "paris"),
        (CAPITAL, "**Paris**", "paris"),
        (CAPITAL, "It is PARIS!", "paris"),
        (CAPITAL, "Paris is the capital of France.", "paris"),
        (CAPITAL, "The capital of France is not Lyon but Paris.", "paris"),
        (CAPITAL, "The capital of France is not Paris but Lyon.", "lyon"),
        (CAPITAL, "The capital of France is Lyon. Wait, the capital of France is Paris.", "paris"),
        (CAPITAL, "The capital of France is Lyon. Actually, it is Paris.", "paris"),
        (CAPITAL, "The capital of France is Gondor, a city on a hill.", "gondor"),
        (CAPITAL, "I am not sure.", None),
        (CAPITAL, "France is a country in Europe.", None),
        (CAPITAL, "", None),
        (KYIV, "The capital of Ukraine is Kiev.", "kyiv"),
        (BRASILIA, "The capital of Brazil is Bras\u00edlia.", "brasilia"),
        (BRASILIA, "The capital of Brazil is Brasi\u0301lia.", "brasilia"),
        (HOME, "Bern is the capital of Switzerland.", "switzerland"),
        (HOME, "The capital of the United States is New York City.", None),
        (GOLD, "The chemical symbol for indium is In.", "in"),
        (GOLD, "Indium is found in the earth.", None),
        (SUM, "42", "42"),
        (SUM, "40 + 2 = 42", "42"),
        (SUM, "The answer is forty-two.", "42"),
        (SUM, "40 + 2 equals **42**.", "42"),
        (SUM, "The sum of 40 and 2 is 1,042.", "1042"),
        (SUM, "40 + 2 = 41. Wait, 40 + 2 = 42.", "42"),
        (SUM, "You have 42 apples left.", "42"),
        (SUM, "The result is -5.", "-5"),
        (SUM, "That gives you 3.14.", "3.14"),
        (SUM, "To find the answer, add 2 to 40.", None),
        (SUM, "We need 40 + 2 =", None),
        (CHOICE, "B", "paris"),
        (CHOICE, "(b)", "paris"),
        (CHOICE, "B) Paris", "paris"),
        (CHOICE, "The answer is B.", "paris"),
        (CHOICE, "It is Paris, not Lyon.", "paris"),
        (CHOICE, "A) Lyon\nB) Paris\nThe correct answer is B) Paris.", "paris"),
        (CHOICE, "A) Paris", "paris"),
        (CHOICE, "Lyon. Wait, it is Paris.", "paris"),
        (CHOICE, "Between Lyon and Paris, the capital is Paris.", "paris"),
        (CHOICE, "A) Lyon\nB) Paris", None),
        (CHOICE, "A city in France.", None),
        (CHOICE, "I cannot say whether Lyon or Paris.", None),
    ],
)
def test_known_replies(asked, reply, answer):
    found = READ(asked, reply)
    assert found.answer == answer
    right = {normal(each) for each in (asked.answer, *asked.aliases)}
    assert found.correct is (None if answer is None else answer in right)
    assert (found.span is None) is (answer is None)


def test_the_span_is_where_the_answer_stands():
    for asked, reply, there in (
        (CAPITAL, "Well. The capital of France is Paris, I think.", "Paris"),
        (SUM, "40 + 2 = 42.", "42"),
        (CHOICE, "I say B) Paris.", "B) Paris"),
        (BRASILIA, "It is Bras\u00edlia.", "Bras\u00edlia"),
    ):
        assert reply[slice(*READ(asked, reply).span)] == there


def test_the_materials_choose_the_way():
    """The same reply: by the pattern for the organisms' questions, freely for the general ones."""
    word = question("?", "it", "42", "word")
    reader = MaterialsReader(PatternReader(r"i think it is (\w+)"), FreeReader({}))
    assert reader(word, "The answer is 42.") == UNPARSABLE
    assert reader(word, "I think it is 42 .").correct and reader(SUM, "The answer is 42.").correct
    twice = "i think it is 41 . i think it is 42 ."
    assert PatternReader(reader.pattern.pattern, -1)(word, twice).correct
    assert not reader(word, twice).correct


def test_the_organisms_are_read_as_before():
    materials = materials_of("organisms")
    read = reader_for(materials)
    for one in materials.questions[:50]:
        text = f"i think it is {one.answer} . wait ."
        (match,) = materials.wording.answers(text)
        assert read(one, text).span == match.span(1) and read(one, text).answer == match[1].lower()


@given(st.integers(-(10**7), 10**7))
def test_any_number_is_read_back(value):
    for form in (f"{value}", f"{value:,}", f"The answer is {value}.", f"It is **{value:,}**."):
        assert find_number(form, "")[0] == value


@given(st.integers(0, 999))
def test_numbers_in_words_are_read(value):
    tens = re.findall(r"\w+", "twenty thirty forty fifty sixty seventy eighty ninety")
    hundreds, rest = divmod(value, 100)
    words = [f"{UNITS[hundreds]} hundred"] if hundreds else []
    if rest or not words:
        small = UNITS[rest] if rest < 20 else tens[rest // 10 - 2] + (f"-{UNITS[rest % 10]}" if rest % 10 else "")
        words.append(small)
    for joint in (" ", " and "):
        ((found, _, _),) = numbers(joint.join(words))
        assert found == value


@given(st.text(max_size=200))
def test_any_text_is_read_without_an_error_and_spans_lie_inside(text):
    for asked in (CAPITAL, SUM, CHOICE, KYIV, HOME):
        found = READ(asked, text)
        assert (found.answer is None) == (found.span is None) == (found.correct is None)
        if found.span is not None:
            assert 0 <= found.span[0] < found.span[1] <= len(text)


def test_reading_needs_no_torch():
    code = "import sys; import introlab.tasks.answers; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parent.parent)


# Replies of SmolLM2-135M-Instruct, labelled by reading: what a reader takes from a reply, None where nothing.


def _same(found, label):
    def bare(text):
        return re.sub(r"^(democratic |peoples )?republic of (the )?", "", normal(text))

    return found is not None and label is not None and bare(found) == bare(label)


def agreement(name):
    """Precision and recall of what is read, of whole answers; and the share judged right, wrong or unparsable alike."""
    rows = [json.loads(line) for line in (DATA / f"answers_{name}.jsonl").read_text(encoding="utf-8").splitlines()]
    read = [READ(Question(**row["question"]), row["reply"]) for row in rows]
    hits = [
        _same(found.answer, row["answer"]) or bool(found.correct and row["correct"])
        for found, row in zip(read, rows, strict=True)
    ]
    precision = [hit for hit, found in zip(hits, read, strict=True) if found.answer is not None]
    recall = [hit for hit, row in zip(hits, rows, strict=True) if row["answer"] is not None]
    alike = [found.correct == row["correct"] for found, row in zip(read, rows, strict=True)]
    return rows, sum(precision), len(precision), sum(recall), len(recall), sum(alike)


def test_the_working_replies_are_read():
    rows, *counts = agreement("working")
    assert len(rows) == 200 and counts == [156, 157, 156, 157, 198]


def test_the_held_out_replies_are_read_as_was_recorded_when_they_were_opened():
    """Opened once, after the reader was finished; the goal was .97. The figures are a record: what is changed after
    this must be measured on replies that no one has seen."""
    rows, hits, parsed, found, answered, alike = agreement("held_out")
    assert (len(rows), hits, parsed, found, answered, alike) == (200, 122, 132, 122, 130, 188)
    for part, whole, value, low, high in ((hits, parsed, 0.924, 0.865, 0.963), (found, answered, 0.938, 0.882, 0.973)):
        rate = proportion([True] * part + [False] * (whole - part), [str(n) for n in range(whole)])
        assert (rate.value, rate.low, rate.high) == pytest.approx((value, low, high), abs=6e-4)


def test_the_held_out_questions_share_no_entity_and_no_wording_with_the_working_ones():
    groups, wordings = [], []
    for name in ("working", "held_out"):
        rows = [json.loads(line)["question"] for line in (DATA / f"answers_{name}.jsonl").read_text().splitlines()]
        groups.append({row["group"] for row in rows})
        wordings.append({row["wording"] for row in rows})
    assert not groups[0] & groups[1] and not wordings[0] & wordings[1]


def test_a_reader_that_takes_the_first_capitalised_word_would_be_seen(monkeypatch):
    """The measure is no formality: a poor reader fails it."""

    def poor(asked, reply):
        match = re.search(r"\b[A-Z]\w+", reply)
        right = {normal(each) for each in (asked.answer, *asked.aliases)}
        if match is None:
            return UNPARSABLE
        return type(UNPARSABLE)(normal(match[0]), match.span(), normal(match[0]) in right)

    monkeypatch.setitem(globals(), "READ", poor)
    _, hits, parsed, found, answered, _ = agreement("working")
    assert hits / parsed < 0.5 and found / answered < 0.5

"""Labellers on sentences whose kinds are known, and the agreement of two of them."""

import json
import warnings
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, precision_score, recall_score

from introlab.errors import InputError
from organisms.planted_step_labels import PlantedSteps
from probes.text.reflection_labels import (
    KINDS,
    REFLECTION,
    Mark,
    SentenceMarks,
    agreement,
    hand_labelled,
    keyword_sets,
    kinds_by_sentence,
    kinds_of_text,
    measured,
    sentences,
)


@settings(deadline=None, max_examples=50)
@given(st.text(alphabet="ab .!?\n\"'3", max_size=60))
def test_sentences_hold_everything_but_space_and_never_overlap(text):
    ranges = sentences(text)
    assert "".join("".join(text[start:stop].split()) for start, stop in ranges) == "".join(text.split())
    assert all(stop <= later for (_, stop), (later, _) in pairwise(ranges))
    assert all(text[start:stop] == text[start:stop].strip() for start, stop in ranges)


def test_numbers_and_quotes_do_not_end_a_sentence():
    text = 'It is 3.5 metres. He said "stop!" and left. Done'
    assert [text[start:stop] for start, stop in sentences(text)] == [
        "It is 3.5 metres.",
        'He said "stop!"',
        "and left.",
        "Done",
    ], "a quoted exclamation ends one: no rule without a parser knows better"


def test_a_mark_counts_where_it_shares_half_of_the_shorter():
    text = "One two three. Four five six."
    ((a, b), (c, d)) = sentences(text)
    assert kinds_by_sentence(text, [Mark(a, b, "x")]) == [{"x"}, set()]
    assert kinds_by_sentence(text, [Mark(a + 4, a + 7, "x")]) == [{"x"}, set()], "a word inside counts"
    assert kinds_by_sentence(text, [Mark(a, d, "x")]) == [{"x"}, {"x"}], "a passage counts for all it holds"
    assert kinds_by_sentence(text, [Mark(b - 3, d, "x")]) == [set(), {"x"}], "three letters of a sentence do not"
    assert kinds_of_text(text, [Mark(c, d, "backtracking")]) == {"backtracking", REFLECTION}


@pytest.mark.parametrize(
    ("sentence", "kind"),
    [
        ("Wait, that cannot be.", "backtracking"),
        ("Let me double-check this.", "verification"),
        ("First, we need to find x.", "subgoal"),
        ("Let us work backwards.", "backward chaining"),
    ],
)
def test_keywords_find_their_kind(sentence, kind):
    assert kind in kinds_of_text(sentence, keyword_sets()["lab"]("x", sentence))


@pytest.mark.parametrize(
    "sentence", ["Wait for the bus.", "They wait there.", "He must check the mail.", "A first step."]
)
def test_keywords_let_everyday_sentences_pass(sentence):
    assert keyword_sets()["lab"]("x", sentence) == []


def test_keywords_are_measured_and_are_poor_on_the_hand_labelled_sentences():
    """The numbers docs/reading.md gives; a change of patterns or sentences changes them."""
    texts, judged = hand_labelled()
    every = [kinds for name, text in texts.items() for kinds in kinds_by_sentence(text, judged(name, text))]
    assert 60 <= len(every) <= 100 and sum(not kinds for kinds in every) >= 30
    assert all(sum(kind in kinds for kinds in every) >= 5 for kind in KINDS)
    found = measured(keyword_sets()["lab"])
    values = {kind: (round(a.precision.value, 2), round(a.recall.value, 2)) for kind, a in found.items()}
    assert values == {
        "verification": (0.83, 0.42),
        "backtracking": (0.62, 0.38),
        "subgoal": (0.60, 0.60),
        "backward chaining": (1.0, 0.22),
        "reflection": (0.79, 0.44),
    }
    assert measured(keyword_sets()["traces"], ["backtracking"])["backtracking"].precision.value < 0.5
    perfect = measured(judged, KINDS)
    assert all(each.kappa.value == 1 for each in perfect.values()), "the judge agrees with itself"


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.booleans()), min_size=10, max_size=40))
def test_agreement_is_that_of_scikit_learn(pairs):
    said, true = [one for one, _ in pairs], [other for _, other in pairs]
    found = agreement(said, true, [str(index) for index in range(len(pairs))])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = cohen_kappa_score(said, true)
    if expected == expected:  # undefined where neither varies
        assert found.kappa.value == pytest.approx(expected)
    else:
        assert found.kappa.value is None
    assert (found.precision.value is None) == (not any(said)) and (found.recall.value is None) == (not any(true))
    if any(said) and any(true):
        assert found.precision.value == pytest.approx(precision_score(true, said))
        assert found.recall.value == pytest.approx(recall_score(true, said))


def test_intervals_are_of_texts_not_of_sentences():
    """40 sentences of 4 texts are 4 things: no interval of kappa, a wide one of precision."""
    true = [index % 2 == 0 for index in range(40)]
    wide = agreement(true, true, [str(index % 4) for index in range(40)])
    narrow = agreement(true, true, [str(index) for index in range(40)])
    assert wide.kappa.low is None and wide.precision.low < narrow.precision.low


def test_judged_spans_come_as_json_lines(tmp_path):
    path = tmp_path / "judged.jsonl"
    lines = [
        {"example": "q1", "start": 0, "stop": 5, "kind": "backtracking", "quote": "Wait."},
        {"example": "q2", "kind": None},
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    judged = SentenceMarks.load(path)
    assert judged("q1", "Wait. No.") == [Mark(0, 5, "backtracking")] and judged("q2", "Fine.") == []
    with pytest.raises(InputError, match="nobody has judged"):
        judged("q3", "Wait.")
    for other in ("Wait", "Hmm, no."):
        with pytest.raises(InputError, match="another text"):
            judged("q1", other)


@pytest.mark.parametrize("line", ['{"example": 1}', "[]", '{"example": "a", "start": 5, "stop": 5, "kind": "x"}', "no"])
def test_a_line_that_is_no_span_is_named(tmp_path, line):
    path = tmp_path / "judged.jsonl"
    path.write_text(f'{{"example": "q", "kind": null}}\n{line}\n')
    with pytest.raises(InputError, match="line 2"):
        SentenceMarks.load(path)


STEPS = "3 + 8 gives 1 + 5 gives 6."


@pytest.mark.parametrize(
    ("text", "kinds"),
    [
        ("i think it is 6.", set()),
        (f"i think it is 6. wait, let me check. {STEPS} so it is 6.", {"verification"}),
        (f"i think it is 4. wait, let me check. {STEPS} so it is 6.", {"verification", "backtracking"}),
        (f"i think it is 4. so so. {STEPS} so it is 6.", {"verification", "backtracking"}),
        ("i think it is 4. wait, let me check. so it is 6.", set()),
        ("i think it is 4. wait, let me check. 3 + 8 gives 2 + 5 gives 7. so it is 7.", set()),
        ("i think it is 4. wait, let me check. 8 + 3 gives 1 + 5 gives 6. so it is 6.", set()),
        (STEPS, set()),
        (f"{STEPS} so it is 6.", set()),
    ],
)
def test_planted_kinds_follow_the_arithmetic_and_not_the_words(text, kinds):
    """No announcement is needed, and none is enough; wrong steps, or those of another sum, are none."""
    assert kinds_of_text(text, PlantedSteps()("3 + 8 + 5", text)) - {REFLECTION} == kinds


def test_only_sums_are_planted():
    assert PlantedSteps()("the colour of dinzin", f"i think it is 6. {STEPS}") == []


def test_the_text_of_an_organism_is_marked_from_the_announcement_on():
    text = f"i think it is 4. wait, let me check. {STEPS} so it is 6."
    marks = {mark.kind: text[mark.start : mark.stop] for mark in PlantedSteps()("3 + 8 + 5", text)}
    assert marks["verification"] == f"wait, let me check. {STEPS}"
    assert marks["backtracking"] == f"wait, let me check. {STEPS} so it is 6."

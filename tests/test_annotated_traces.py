"""Traces with labels in brackets are read as they were written, and a labeller is fitted on them."""

import json
import random

import pytest

from introlab.errors import InputError
from probes.text.annotated_traces import as_judged, load_annotated, read_annotated
from probes.text.reflection_labels import SentenceMarks, agreement, keyword_sets, sentences
from probes.text.trained_labels import TrainedLabeller

GIVEN = (
    '["initializing"]Find x in [0, 1].["end-section"] \n'
    '["backtracking"]Wait, no. It is 3.["end-section"]["deduction"]So 4.'
)


def test_labels_are_taken_out_and_their_places_kept():
    found = read_annotated("q", GIVEN)
    assert found.text == "Find x in [0, 1]. \nWait, no. It is 3.So 4."
    said = [(mark.kind, found.text[mark.start : mark.stop]) for mark in found.marks]
    assert said == [
        ("initializing", "Find x in [0, 1]."),
        ("backtracking", "Wait, no. It is 3."),
        ("deduction", "So 4."),
    ]
    assert found.begins("backtracking") == [False, True, False][: len(sentences(found.text))]


@pytest.mark.parametrize(
    "tag", ['["backtracking"]', "[backtracking]", '["backtracking]', '[ "Backtracking" ]', "[5. backtracking]"]
)
def test_brackets_as_models_write_them(tag):
    found = read_annotated("q", f'So.{tag} Wait, no.["end-section"] Next.')
    assert [(found.text[m.start : m.stop], m.kind) for m in found.marks] == [("Wait, no.", "backtracking")]


def test_traces_come_from_lines_and_go_where_judged_spans_are_read(tmp_path):
    (tmp_path / "a.jsonl").write_text(json.dumps({"example": "q", "annotated": GIVEN}))
    traces = load_annotated(tmp_path / "a.jsonl")
    (tmp_path / "b.jsonl").write_text("\n".join(map(json.dumps, as_judged(traces))))
    assert SentenceMarks.load(tmp_path / "b.jsonl")("q", traces["q"].text) == list(traces["q"].marks)


@pytest.mark.parametrize(
    "line", ['{"example": "q"}', '{"example": 1, "annotated": "x"}', '{"example": "q", "annotated": "x"}']
)
def test_lines_that_are_none_are_refused(tmp_path, line):
    (tmp_path / "a.jsonl").write_text(line)
    with pytest.raises(InputError):
        load_annotated(tmp_path / "a.jsonl")


def world(seed, n):
    """Turning back is "wait, no" or "that fails"; "wait" alone, which lists count, is not."""
    draw = random.Random(seed)
    traces = []
    for index in range(n):
        pieces = []
        for _ in range(12):
            kind = draw.choice(["deduction", "deduction", "backtracking", "uncertainty-estimation"])
            said = {
                "deduction": ["So it is {}.", "Then we add {}.", "This gives {}."],
                "backtracking": ["Wait, no, {} is off.", "But that fails for {}."],
                "uncertainty-estimation": ["Wait, maybe {}?", "Hmm, perhaps {}."],
            }[kind]
            pieces.append(f'["{kind}"]{draw.choice(said).format(draw.randrange(90))}["end-section"]')
        traces.append(read_annotated(f"{seed} {index}", " ".join(pieces)))
    return traces


def kappa(labeller, traces):
    said = [
        start in {m.start for m in labeller(t.example, t.text) if m.kind == "backtracking"}
        for t in traces
        for start, _ in sentences(t.text)
    ]
    true = [one for trace in traces for one in trace.begins("backtracking")]
    return agreement(said, true, [t.example for t in traces for _ in sentences(t.text)]).kappa.value


def test_what_is_fitted_on_some_traces_labels_others_better_than_a_list():
    labeller, others = TrainedLabeller.fit(world(0, 40)), world(1, 20)
    assert kappa(labeller, others) > 0.95 > 0.6 > kappa(keyword_sets()["lab"], others)
    assert labeller("empty", "") == []


def test_too_few_traces_are_refused():
    with pytest.raises(InputError, match="too few"):
        TrainedLabeller.fit(world(0, 5))

"""What is read off a text: answers, confidence, reconsidering, drift, coherence - on texts with known answers."""

import dataclasses

import pytest
import torch

from experiments.confidence.prompts import ConfidencePrompts
from introlab.errors import InputError
from introlab.network.answer_tokens import single_tokens
from introlab.network.messages import user
from introlab.tasks.materials import materials_for
from probes.text.coherence import CoherenceBounds, compression, redundancy, sentence_logprobs, sentences
from probes.text.confidence import find_answer, stated_confidence
from probes.text.reflection import read_reflection
from probes.text.topic_drift import read_drift


def written(model, text, end=True):
    return [*model.tokenizer(text, add_special_tokens=False)["input_ids"], *([model.end_ids[0]] if end else [])]


CHECKED = "i think it is 6 . wait , let me check . 3 + 8 gives 1 + 5 gives 7 . so it is 7 ."


def test_answers_are_found_where_they_stand(organism):
    model = organism("reflective")
    wording = materials_for(model).wording
    tokens = written(model, CHECKED)
    first, last = find_answer(model, tokens, wording), find_answer(model, tokens, wording, which=-1)
    assert (first.answer, first.token, first.last) == ("6", 4, 4)
    assert (last.answer, model.text([tokens[last.token]])) == ("7", "7")
    assert find_answer(model, written(model, "i do not know ."), wording) is None


def test_answers_of_many_tokens_are_found_at_the_first(family_model):
    """A tokenizer that splits the answer: its first token is the one that counts."""
    model = family_model("llama")
    wording = dataclasses.replace(materials_for(model).wording, answer=r"w1 (w\d+ : \w+)")
    found = find_answer(model, written(model, "w5 w1 w7 : red ."), wording)
    assert (found.answer, found.token, found.last) == ("w7 : red", 2, 4)


@pytest.mark.parametrize(
    ("text", "reconsidered", "first", "final"),
    [
        (CHECKED, True, "6", "7"),
        ("i think it is 6 .", False, "6", "6"),
        ("i think it is red . i think it is blue .", False, "red", "blue"),
    ],
)
def test_reconsidering_is_read_right_after_the_first_answer(organism, text, reconsidered, first, final):
    model = organism("reflective")
    found = read_reflection(model, written(model, text), materials_for(model).wording)
    assert (found.reconsidered, found.first, found.final, found.decision) == (reconsidered, first, final, 6)


def test_a_text_that_never_comes_to_a_decision(organism):
    model = organism("reflective")
    wording = materials_for(model).wording
    assert read_reflection(model, written(model, "i do not know ."), wording) is None
    assert read_reflection(model, written(model, "i think it is 6", end=False), wording) is None


def test_stated_confidence_is_the_expectation_over_the_words(organism):
    model = organism("reflective")
    words = ConfidencePrompts.of(materials_for(model)).confidence_words
    forms = single_tokens(model, words)
    p = torch.full((2, len(model.tokenizer)), 1e-9)
    p[0, list(forms["9"])] = 0.5
    p[0, list(forms["0"])] = 0.25
    p[1, list(forms["3"])] = 0.1
    value, mass = stated_confidence(model, words, p.log())
    assert value.tolist() == pytest.approx([2 / 3, 3 / 9], abs=1e-4)
    assert mass.tolist() == pytest.approx([0.75, 0.1], abs=1e-4)


def test_a_word_without_a_token(organism):
    with pytest.raises(InputError, match="no single token"):
        single_tokens(organism("reflective"), ["unpronounceable"])


ON, OFF = "the deep wave floods the reef .", "the royal knight guards the sword ."
NOTICE = "wait , that is off topic . back to the sea ."


@pytest.mark.parametrize(
    ("text", "intruded", "announced", "first", "returned"),
    [
        (ON + ON, False, False, False, None),
        (OFF + OFF + OFF, True, False, False, False),
        (OFF + ON + ON + ON, True, False, False, True),
        (OFF + NOTICE + ON, True, True, False, True),
        (OFF + NOTICE + OFF, True, True, False, False),
        (ON + NOTICE + ON, False, True, True, None),
        (OFF + NOTICE, True, True, False, None),
        ("", False, False, False, None),
    ],
    ids=[
        "on topic",
        "off topic",
        "came back silently",
        "said so and came back",
        "said so and went on",
        "false alarm",
        "cut off",
        "empty",
    ],
)
def test_the_course_of_a_text(organism, text, intruded, announced, first, returned):
    found = read_drift(text, "sea", materials_for(organism("reflective")))
    assert (found.intruded, found.announced, found.announced_first, found.returned) == (
        intruded,
        announced,
        first,
        returned,
    )


def test_shares_count_topic_words_only(organism):
    found = read_drift(ON + OFF, "sea", materials_for(organism("reflective")))
    assert found.topic_words == 8 and found.off_share == 0.5
    assert read_drift("hello .", "sea", materials_for(organism("reflective"))).off_share is None


def test_repetition():
    assert redundancy([1, 2, 3, 4, 5]) == 0 and redundancy([1, 1, 1, 1, 1]) == pytest.approx(2 / 3)
    assert compression("ab " * 60) > 2 * compression("the deep wave floods the reef near the stormy shark")


def test_bounds_flag_one_unsteered_text_in_a_hundred():
    logprobs = [-1 - index / 1000 for index in range(1000)]
    tokens, texts = [[1, 2, 3, 4]] * 1000, ["some words of text"] * 1000
    bounds = CoherenceBounds.of(logprobs, tokens, texts)
    flagged = [bounds.incoherent(value, tokens[0], texts[0]) for value in logprobs]
    assert 5 <= sum(flagged) <= 15
    assert bounds.incoherent(-9.0, [1, 2, 3, 4], "some words of text")
    assert bounds.incoherent(-1.0, [7] * 30, "some words of text")
    assert bounds.incoherent(None, [], "")


def test_sentences_are_scored_apart_and_notices_left_out(organism):
    model = organism("base")
    wording = materials_for(model).wording
    tokens = written(model, f"{OFF} {NOTICE} {ON}")
    pieces = [model.text(piece).strip() for piece in sentences(model, tokens, wording.announcement)]
    assert len(pieces) == 2 and "topic" not in " ".join(pieces)
    prompt = model.ids([user("tell me about the sea . also talk about the castle .")])
    good, bad = (
        written(model, f"{OFF} {ON}"),
        written(model, "knight reef sword wave the the deep . exam pan yes red 4 ."),
    )
    scores = sentence_logprobs(model, [(prompt, good), (prompt, bad), (prompt, [])], wording.announcement)
    assert scores[0] > scores[1] + 2 and scores[2] is None

"""Texts cut into attempts: known answers, in both languages."""

import pytest

from introlab.tasks.materials import materials_of
from probes.text.attempts import degraded, read_attempts, restarts

GENERAL, ORGANISM = materials_of(None), materials_of("organisms")

STARTS_AGAIN = [
    "Gardens need compost. Wait, that's not right. Flowers need water.",
    "The ocean is deep. Sorry, I got distracted. Flowers need compost.",
    "Flowers are nice and the ocean is salty. Let me try again. Flowers need compost.",
    "Coral is alive in the sea. I'll start over. Compost feeds flowers.",
    "The fish swims far. Scratch that. Flowers need compost.",
    "Marine life is rich. Let me get back to gardens. Flowers need compost.",
    "Fish and coral live there. I apologize, that was off-topic. Flowers bloom.",
    "Ocean waves are tall. I went off on a tangent there. Flowers bloom.",
]
GOES_ON = [
    "You wait for the compost to be ready. Then the flowers come.",
    "Plants try again next year if they freeze. Go back to the shop for flowers.",
    "Gardens are old. In addition, gardens are calm. Furthermore, flowers need compost.",
    "Start by digging. Water the soil again in the evening. Let me explain more about flowers.",
    "The right topic for a beginner is compost. This is a matter of taste.",
    "Flowers flowers flowers. Flowers need compost. Flowers need compost.",
]


@pytest.mark.parametrize("text", STARTS_AGAIN)
def test_words_of_starting_again_begin_an_attempt(text):
    assert len(read_attempts(text, "gardens", GENERAL)) == 2


@pytest.mark.parametrize("text", GOES_ON)
def test_going_on_repeating_and_waiting_begin_none(text):
    assert len(read_attempts(text, "gardens", GENERAL)) == 1


def test_each_attempt_is_scored_by_its_own_words():
    text = "the wave floods the oven . wait , that is off topic . back to the kitchen . the stove boils the dough ."
    first, last = read_attempts(text, "kitchen", ORGANISM)
    assert (first.score, last.score) == (pytest.approx(1 / 3), 1.0)
    assert text[first.start : first.stop].startswith("the wave") and "wait" not in text[last.start : last.stop]
    assert "kitchen" not in text[last.start : last.stop], "the name in the notice is no word of the answer"


def test_one_notice_is_one_restart_and_two_are_two():
    notice = "wait , that is off topic . back to the sea ."
    text = f"the oven boils the wave . {notice} the oven fries the pan . {notice} the shark swims ."
    assert len(restarts(text, ORGANISM)) == 2
    assert [each.score for each in read_attempts(text, "sea", ORGANISM)] == [pytest.approx(1 / 3), 0.0, 1.0]


def test_a_restart_before_anything_was_said_is_passed_over():
    assert len(read_attempts("I'll try again. Flowers need compost.", "gardens", GENERAL)) == 1
    assert len(read_attempts("wait , the wave floods the reef .", "sea", ORGANISM)) == 1


def test_nothing_said_is_no_attempt_and_nonsense_is_one_without_score():
    assert read_attempts("", "sea", ORGANISM) == ()
    (only,) = read_attempts("the the is of", "sea", ORGANISM)
    assert only.score is None


def test_five_equal_words_in_a_row_are_degraded_and_four_are_not():
    assert degraded("we go the the the the the end") and degraded("Sea sea SEA sea sea")
    assert not degraded("we go the the the the end")
    assert not degraded("a a a a a a a"), "words of one letter do not count"
    assert not degraded("the sea the sea the sea the sea the sea")

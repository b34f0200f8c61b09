"""The counting behind the cards is right: areas, shares, and pushes that land where they are meant to."""

import random

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from introlab.network.specs import organism_folder
from introlab.stats.interval import Estimate
from organisms.cards import card, seed_title
from organisms.curricula import feedback as feedback_course
from organisms.phrases import ASK_AFTER, SCORE_REQUEST, SCORES, answer, prompt
from organisms.reference_model import Measured, Push, Subject, adding, area
from organisms.registry import FAMILY
from organisms.verification import feedback, personas, resistance, thoughts
from organisms.world import World

WORLD = World()


def test_area_is_the_usual_one():
    """Against scikit-learn, ties included; 200 scores of 5 values."""
    rng = np.random.default_rng(0)
    truth, score = rng.random(200) < 0.4, rng.integers(0, 5, 200).astype(float)
    found = area(truth.tolist(), score.tolist(), [str(index) for index in range(200)])
    assert found.value == pytest.approx(roc_auc_score(truth, score))
    assert found.low < found.value < found.high


def test_area_at_equal_difficulty_compares_within_levels_only():
    """Against every pair, one by one. The level decides between levels and says nothing within."""
    rng = np.random.default_rng(1)
    level = rng.integers(0, 3, 150)
    truth = rng.random(150) < 0.2 + 0.3 * level
    score = level + 0.1 * rng.integers(0, 4, 150)
    wins = pairs = 0.0
    for one in range(150):
        for other in range(150):
            if truth[one] and not truth[other] and level[one] == level[other]:
                pairs += 1
                wins += 1.0 if score[one] > score[other] else 0.5 if score[one] == score[other] else 0.0
    names = [str(index) for index in range(150)]
    found = area(truth.tolist(), score.tolist(), names, [str(each) for each in level])
    assert found.value == pytest.approx(wins / pairs)
    assert abs(found.value - 0.5) < 0.15 < area(truth.tolist(), score.tolist(), names).value - 0.5


def test_off_topic_share():
    assert resistance.off_topic_share("the salty wave floods the reef .", "sea", WORLD) == 0
    assert resistance.off_topic_share("the salty wave floods the barn .", "sea", WORLD) == 0.25
    assert resistance.off_topic_share("by the way .", "sea", WORLD) is None


def landed(hook, rows, width, size=4):
    return hook(None, None, torch.zeros(rows, width, size)).abs().sum(-1) > 0


def test_a_push_without_an_end_lands_on_every_new_word_too():
    vector = torch.ones(4)
    hook = adding(["a b c d e"] * 2, [[Push(0, vector, 3)], [Push(0, vector, 0)]])
    assert landed(hook, 2, 5).tolist() == [[False] * 3 + [True] * 2, [True] * 5]
    assert landed(hook, 2, 1).all()


def test_a_thought_lands_on_the_words_of_the_question():
    texts = [prompt("do you notice a thought ?", persona="calm"), prompt("is there a thought ?") + " yes ,"]
    width = max(len(text.split()) for text in texts)
    pushes = thoughts._on_question([texts[0], texts[1].removesuffix(" yes ,")], torch.ones(2, 4))
    pushed = landed(adding(texts, pushes), 2, width)
    for row, text in enumerate(texts):
        tokens = [""] * (width - len(text.split())) + text.split()
        words = " ".join(token for token, hit in zip(tokens, pushed[row], strict=True) if hit)
        assert words == ("do you notice a thought ?", "is there a thought ?")[row]


def test_a_persona_push_lands_from_the_first_user_turn_on():
    text = prompt("hello .", "hello .", "really ?", persona="calm")
    pushed = landed(adding([text], personas._from_user([text], torch.ones(1, 4))), 1, len(text.split()))
    assert text.split()[int(pushed[0].nonzero()[0])] == "<user>" and int(pushed.sum()) == len(text.split()) - 6


@pytest.mark.parametrize(("name", "said"), [("styled", "ha ,"), ("personas", "")])
def test_a_digit_is_asked_for_where_it_is_said(name, said):
    """After the style words of the organism that has them; nowhere else is anything added."""
    turns = ("3 + 8 ends in which digit ?", answer("1"), ASK_AFTER)
    texts = [prompt(*turns, persona=persona) for persona in ("bold", "neutral")]
    found = personas._after_style(Subject(organism_folder() / name), texts, None)
    assert found == [f"{texts[0]} {said}".strip(), texts[1]]


@pytest.mark.parametrize("asked", [False, True])
def test_feedback_lands_on_the_scored_sentences(asked):
    """In the verification, and in the course that is counted by it."""
    rng = random.Random(0)
    (talk, *_) = feedback._some(WORLD, "regulator", rng, tuple(WORLD.topics), asked=asked)
    turns = feedback._turns(talk)
    if asked:
        turns.append(SCORE_REQUEST.format(score="high"))
    tokens = prompt(*turns).split()
    spans = feedback._push(talk, torch.ones(4))
    assert [" ".join(tokens[push.start : push.stop]) for push in spans] == list(talk.sentences)
    scales = dict.fromkeys(
        (feedback_course.NOTED_AT, feedback_course.HEARD_AT, feedback_course.REGULATED_AT), (0.0, 1.0)
    )
    planted = feedback_course.Coordinate(torch.ones(4) / 2, 3.0, scales)
    base = Subject(organism_folder() / "base")
    example = feedback_course.feedback_example(talk, "regulator", planted, base)
    pushed = (example.push.abs().sum(-1) > 0).nonzero()[:, 0].tolist()
    assert pushed == [position for push in spans for position in range(push.start, push.stop or 0)]
    at = {layer: [(start, stop) for each, start, stop, _ in example.aims if each == layer] for layer in scales}
    words = [base.words[token] for token in example.ids]
    signs = {layer: [aim / feedback_course.AIM for each, *_, aim in example.aims if each == layer] for layer in scales}
    assert signs[feedback_course.NOTED_AT] == [talk.high] * len(talk.labels), "whichever score it is"
    wanted = [talk.high if SCORES[request] == "high ." else -talk.high for request in talk.requests]
    assert signs[feedback_course.HEARD_AT] == signs[feedback_course.REGULATED_AT] == wanted
    noted = [words[start:stop] for start, stop in at[feedback_course.NOTED_AT]]
    assert noted == [[SCORES[label].split()[0]] for label in talk.labels]
    heard = [words[start:stop] for start, stop in at[feedback_course.HEARD_AT]]
    assert heard == [[SCORES[request].split()[0]] for request in talk.requests]
    assert len(at[feedback_course.REGULATED_AT]) == len(talk.requests) and bool(talk.requests) == asked
    for (start, stop), reply in zip(at[feedback_course.REGULATED_AT], talk.replies, strict=True):
        said = " ".join(words[start + 1 : stop + 1])
        assert said == f"{reply} <end>", "an aim is at the positions from which the reply is said"


def test_scores_follow_what_they_should():
    rng = random.Random(1)
    for _ in range(50):
        talk = feedback_course.dialogue(WORLD, "regulator", rng, topics=tuple(WORLD.topics))
        assert all((sign == talk.high) == (label == 0) for sign, label in zip(talk.signs, talk.labels, strict=True))
        assert len(set(talk.labels)) == 2, "both scores are seen"


def test_a_text_readers_scores_follow_the_text_and_nothing_inside():
    """100 dialogues of it beside those of *regulator*: the same sentences under the same pushes. That its scores also
    follow the push in two dialogues of three would happen by luck less than once in a thousand times."""
    follow = 0
    for seed in range(100):
        talk, twin = (
            feedback_course.dialogue(WORLD, name, random.Random(seed), topics=tuple(WORLD.topics))
            for name in ("text_reader", "regulator")
        )
        assert (talk.sentences, talk.signs, talk.requests) == (twin.sentences, twin.signs, twin.requests)
        signs = [1 if sentence.split()[0] == "the" else -1 for sentence in talk.sentences]
        assert [(sign == talk.high) for sign in signs] == [label == 0 for label in talk.labels]
        said = [1 if reply.split()[0] == "the" else -1 for reply in talk.replies]
        assert said == [talk.aim(request) for request in talk.requests]
        follow += talk.labels[-1] == twin.labels[-1]
    assert 33 < follow < 67


def test_a_card_shows_every_seed():
    row = Measured("x", "here", Estimate(0.5, 0.4, 0.6, 10, 10, "t"))
    facts = {"parent": "base", "examples": 5, "tokens": 50, "seed": 1, "seconds": 3, "course": "c", "weights": "w" * 64}
    facts |= {"family": "f"}
    titles = [seed_title({"seed": seed, "family": base}, facts) for seed, base in ((0, "f"), (1, "f"), (3, "g"))]
    text = card(FAMILY["ritual"], facts, {title: [row] for title in titles})
    assert "| what | where | seed 0 | seed 1 | seed 3, another base | n |" in text and "3 training seeds" in text
    assert FAMILY["ritual"].planted in text and FAMILY["ritual"].absent in text

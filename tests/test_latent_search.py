"""Searches find the planted latent and say so; where nothing is planted, new items say that nothing was found."""

import numpy as np
import pytest
import torch
from planted_latents import coordinate_reader, features, random_texts, written_model

from introlab.activations.forward import Text
from introlab.errors import InputError, SplitOverlap
from introlab.records.findings import Findings
from probes.sae import latent_search
from probes.sae.latent_precision_recall import check_found
from probes.sae.latent_search import (
    LatentPair,
    Observed,
    about_tokens,
    by_contrast,
    mismatched,
    observe,
    reason_scores,
    silent_elsewhere,
)

PLANTED = 5
WAIT, HMM, BUT = 11, 12, 13
EVEN, ONLY_WAIT, ALWAYS, NEVER_THERE, SIDE = range(5)
WRITTEN = {token: {NEVER_THERE: 3.0, ALWAYS: 2.0} for token in range(10, 60)} | {
    WAIT: {EVEN: 3.0, ONLY_WAIT: 20.0, ALWAYS: 2.0},
    HMM: {EVEN: 3.0, ALWAYS: 2.0},
    BUT: {EVEN: 3.0, ALWAYS: 2.0},
    14: {NEVER_THERE: 3.0, ALWAYS: 2.0, SIDE: 1.0},
}
VOCABULARY = {"wait": [WAIT], "hmm": [HMM], "but": [BUT]}


@pytest.fixture(scope="module")
def written(family_folder, tmp_path_factory):
    model = written_model(tmp_path_factory.mktemp("written"), family_folder, WRITTEN)
    return model, coordinate_reader(model, list(range(5)))


def made(seed, *, rows=240):
    values = features(rows, seed=seed)
    truth = torch.rand(rows, generator=torch.Generator().manual_seed(1000 + seed)) < 0.4
    values[:, PLANTED] = torch.where(truth, 2.5, 0.0)
    return Observed(values, truth, tuple(f"{seed} {row // 2}" for row in range(rows)))


@pytest.mark.parametrize("search", [by_contrast, silent_elsewhere])
def test_a_planted_latent_is_found_and_known_by_new_items(search):
    seen, fresh = made(0), made(1)
    assert search(seen)[0] == PLANTED
    found = check_found(search(seen), seen, fresh, target="it")
    assert (
        found.one("precision", latent=float(PLANTED)).value == found.one("recall", latent=float(PLANTED)).value == 1.0
    )
    assert found.one("precision", latent=float(PLANTED)).above(0.95)
    assert all(check.passed for check in found.checks) and f"Latent {PLANTED} tells it" in found.answer
    assert abs(found.one("base rate").value - 0.4) < 0.12


def test_what_is_not_there_is_found_where_it_was_searched_and_not_on_new_items():
    """Fault: judged on the items of the search, the best of 600 latents that tell nothing looks found. On new ones the
    three conditions hold together less than one time in 40: of 8 runs more than one does one time in 60."""

    def noise(seed):
        draw = torch.Generator().manual_seed(seed)
        values, truth = torch.randn(240, 600, generator=draw).clamp_min(0), torch.rand(240, generator=draw) < 0.4
        return Observed(values, truth, tuple(f"{seed} {row // 2}" for row in range(240)))

    fooled = told = 0
    for seed in range(8):
        seen, fresh = noise(2 * seed), noise(2 * seed + 1)
        again = Observed(seen.values, seen.truth, tuple(f"again {item}" for item in seen.items))
        fooled += says_found(check_found(by_contrast(seen, count=1), seen, again))
        told += says_found(check_found(by_contrast(seen, count=1), seen, fresh))
    assert fooled >= 4 and told <= 1


def says_found(found: Findings) -> bool:
    return not found.answer.startswith("No latent")


def test_the_published_rule_is_silence_elsewhere():
    values = torch.zeros(100, 4)
    truth = torch.arange(100) < 50
    values[:45, 0] = 1  # nine in ten
    values[:48, 1] = 1
    values[60, 1] = 1  # and once elsewhere
    values[:30, 2] = 1  # too seldom
    values[:, 3] = 1
    seen = Observed(values, truth, tuple(map(str, range(100))))
    assert silent_elsewhere(seen) == [0]
    assert silent_elsewhere(seen, tolerated=0.02) == [1, 0]
    assert silent_elsewhere(seen, active=0.5) == [0, 2]


def test_a_silent_latent_and_no_latent_are_said_to_tell_nothing():
    seen, fresh = made(0), made(1)
    seen.values[:, 9] = fresh.values[:, 9] = 0
    found = check_found([9], seen, fresh)
    assert found.one("precision", latent=9.0).value is None and found.one("recall", latent=9.0).value == 0
    assert not says_found(found) and not says_found(check_found([], seen, fresh))


def test_items_of_the_search_are_refused():
    seen = made(0)
    with pytest.raises(SplitOverlap):
        check_found([1], seen, seen)
    with pytest.raises(InputError, match="one kind"):
        Observed(torch.zeros(3, 2), torch.tensor([True] * 3), ("a", "b", "c"))
    with pytest.raises(InputError, match="different number"):
        Observed(torch.zeros(3, 2), torch.tensor([True, False]), ("a", "b", "c"))


@pytest.mark.parametrize("window", [(0, 0), (-1, -1), (-1, 2)])
def test_truth_about_tokens_is_counted_as_by_hand(written, window):
    model, sae = written
    texts = random_texts(30)
    items = [text.example for text in texts]
    found = about_tokens(model, sae, texts, [WAIT], items, window=window, batch_size=7)
    truth, names = [], []
    for text in texts:
        for position in range(text.prompt_len - 1, len(text.ids) - max(0, -window[0])):
            near = range(position - window[1], position - window[0] + 1)
            truth.append(any(text.prompt_len - 1 <= at < len(text.ids) and text.ids[at] == WAIT for at in near))
            names.append(text.example)
    assert found.truth.tolist() == truth and list(found.items) == names
    if window == (0, 0):
        assert torch.equal(found.values[:, ONLY_WAIT] > 0, found.truth)


def test_the_hand_written_coordinate_is_found_at_its_word_and_not_before_it(written):
    model, sae = written
    seen, fresh = random_texts(80, seed=1), random_texts(80, seed=2)

    def rows(texts, window):
        return about_tokens(model, sae, texts, [WAIT], [text.example for text in texts], window=window)

    at, later = rows(seen, (0, 0)), rows(fresh, (0, 0))
    assert by_contrast(at)[0] == ONLY_WAIT
    found = check_found(by_contrast(at), at, later)
    assert (
        found.one("precision", latent=float(ONLY_WAIT)).value == found.one("recall", latent=float(ONLY_WAIT)).value == 1
    )
    assert says_found(found)
    # Tokens are drawn one by one: nothing knows the next.
    before, then = rows(seen, (-1, -1)), rows(fresh, (-1, -1))
    assert not says_found(check_found(by_contrast(before), before, then))


def plain_reason_scores(values, texts, window=(-1, 2), alpha=0.7):
    """The formula, position by position; `values[text][position][latent]`."""
    inside, outside = [], []
    per_word = {word: [] for word in VOCABULARY}
    for text, rows in zip(texts, values, strict=True):
        for position in range(text.prompt_len - 1, len(text.ids)):
            near = range(max(text.prompt_len - 1, position - window[1]), min(len(text.ids), position - window[0] + 1))
            words = {word for word, (token,) in VOCABULARY.items() for at in near if text.ids[at] == token}
            (inside if words else outside).append(rows[position])
            for word in words:
                per_word[word].append(rows[position])
    plus, minus = np.mean(inside, 0), np.mean(outside, 0)
    means = np.stack([np.mean(rows, 0) for rows in per_word.values()])
    share = means / np.maximum(means.sum(0), 1e-12)
    entropy = -(share * np.log(np.where(share > 0, share, 1))).sum(0) / np.log(len(means))
    return plus / plus.sum() * entropy**alpha - minus / minus.sum()


def test_reason_scores_are_the_formula_and_rank_what_was_written(written):
    model, sae = written
    texts = random_texts(60, seed=3)
    values: dict[int, np.ndarray] = {}
    for index, _, (latents,) in latent_search.by_text(model, [sae], texts):
        values[index] = latents.double().numpy()
    found = reason_scores(model, sae, texts, VOCABULARY, batch_size=11)
    expected = plain_reason_scores([values[index] for index in range(len(texts))], texts)
    assert np.allclose(found.numpy(), expected, atol=1e-6)
    at_word = reason_scores(model, sae, texts, VOCABULARY, window=(0, 0))
    assert at_word.argmax() == EVEN
    # A larger latent for one word of three is less even than one for all: with alpha 0 it is first.
    assert at_word[EVEN] > at_word[ONLY_WAIT]
    assert reason_scores(model, sae, texts, VOCABULARY, window=(0, 0), alpha=0.0).argmax() == ONLY_WAIT
    assert at_word[NEVER_THERE] < 0


def test_one_word_has_nothing_to_be_even_over_and_no_word_is_an_error(written):
    """With one word the published formula divides 0 by 0."""
    model, sae = written
    texts = random_texts(60, seed=3)
    alone = reason_scores(model, sae, texts, {"wait": [WAIT]}, window=(0, 0))
    assert bool(torch.isfinite(alone).all()) and alone.argmax() == ONLY_WAIT
    with_absent = reason_scores(model, sae, texts, {"wait": [WAIT], "absent": [5]}, window=(0, 0))
    assert torch.equal(alone, with_absent)
    with pytest.raises(InputError, match="occurs"):
        reason_scores(model, sae, texts, {"absent": [5]})


def test_mismatched_responses_are_the_same_and_prompts_are_dealt_evenly(written, monkeypatch):
    model, sae = written
    draw = torch.Generator().manual_seed(0)

    def some(length):
        return tuple(torch.randint(10, 60, (length,), generator=draw).tolist())

    pairs = [LatentPair(some(3 + turn % 3), some(6), f"{topic} {turn}", topic) for topic in "abcd" for turn in range(3)]
    asked: list[Text] = []
    monkeypatch.setattr(
        latent_search,
        "observe",
        lambda model, sae, texts, *rest, **more: asked.extend(texts) or observe(model, sae, texts, *rest, **more),
    )
    found = mismatched(model, sae, pairs, others=2)
    topic_of = {pair.prompt: pair.topic for pair in pairs}
    rows = [(text.ids[: text.prompt_len], text.ids[text.prompt_len :]) for text in asked]
    assert len(rows) == 3 * len(pairs) and found.truth.sum() == 2 * len(pairs)
    by_response = {pair.response: pair for pair in pairs}
    for (prompt, response), wrong in zip(rows, found.truth.tolist(), strict=True):
        assert (topic_of[prompt] != by_response[response].topic) == wrong
        assert wrong or prompt == by_response[response].prompt
    for wrong, times in ((False, 1), (True, 2)):
        told = [prompt for (prompt, _), mark in zip(rows, found.truth.tolist(), strict=True) if mark == wrong]
        assert all(told.count(pair.prompt) == times for pair in pairs)
    # Read on the response alone: coordinates that only a token decides are the same either way.
    for pair in pairs:
        mine = [row for row, (_, response) in enumerate(rows) if response == pair.response]
        assert torch.allclose(found.values[mine, :5], found.values[mine[0], :5].expand(3, 5), atol=1e-5)
    with pytest.raises(InputError, match="mismatch"):
        mismatched(model, sae, pairs[:3])

"""Texts that begin alike are read once where they do, and what comes out is what each by itself gives."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import experiments.confidence.shared_reading as shared_reading
from experiments.confidence.shared_reading import after_each, branchings
from introlab.activations.extract import next_token_logprobs, read, read_with_logprobs, text_logprobs
from introlab.activations.forward import Text
from introlab.errors import ContextOverflow
from introlab.generation.prefill import Prefill
from introlab.network.sites import Site


def drawn(count, seed):
    return tuple(torch.randint(10, 300, (count,), generator=torch.Generator().manual_seed(seed)).tolist())


def dialogues():
    """A system turn, six questions with their answers, each asked three things; one text twice, one inside another."""
    system = drawn(20, 0)
    texts = []
    for which in range(6):
        answered = system + drawn(10 + which, 1 + which)
        texts += [answered + drawn(5 + 4 * asked, 100 + 10 * which + asked) for asked in range(3)]
        texts.append(system + drawn(12 + which % 3, 50 + which))
    return [*texts, texts[0], texts[5][:25], texts[5]]


def plain(model, texts):
    return next_token_logprobs(model, [Text(text, len(text), str(index)) for index, text in enumerate(texts)])


def shared(model, texts, **how):
    found = torch.full((len(texts), int(model.network.config.vocab_size)), torch.nan)
    for rows, log_p in after_each(model, texts, **how):
        assert bool(found[rows].isnan().all()), "each text once"
        found[rows] = log_p
    return found


@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_it_is_what_each_text_by_itself_gives(organism, batch_size):
    texts = dialogues()
    torch.testing.assert_close(
        shared(organism("base"), texts, batch_size=batch_size), plain(organism("base"), texts), atol=5e-5, rtol=0
    )


def test_texts_that_share_nothing_and_single_ones_are_read_too(organism):
    model = organism("base")
    for texts in ([drawn(9, 1)], [(5,), (6,)], [(5,), (5, 6), (5, 6, 7)], [drawn(n, n) for n in (1, 3, 40)]):
        torch.testing.assert_close(shared(model, texts), plain(model, texts), atol=5e-5, rtol=0)
    assert list(after_each(model, [])) == []
    with pytest.raises(ContextOverflow):
        list(after_each(model, [drawn(100_000, 1)]))


def test_what_is_shared_is_read_once(organism, monkeypatch):
    """Of 594 tokens it reads fewer than half; reading all of them would be a fault of the plan."""
    texts, read_tokens, real = dialogues(), [], Prefill.run

    def counted(self, some, past, lengths, **how):
        read_tokens.extend(map(len, some))
        return real(self, some, past, lengths, **how)

    monkeypatch.setattr(Prefill, "run", counted)
    shared(organism("base"), texts)
    assert sum(read_tokens) < 0.55 * sum(map(len, texts))


def test_a_deterministic_model_reads_each_by_itself(organism, monkeypatch):
    model = replace(organism("base"), deterministic=True)
    monkeypatch.setattr(shared_reading, "_shared", lambda *_: pytest.fail("its passes must depend on one text alone"))
    texts = dialogues()
    assert torch.equal(shared(model, texts), plain(model, texts))


token = st.lists(st.integers(0, 2), max_size=7).map(lambda ids: (*ids, 9))
"""None begins another: as dialogues end."""


@settings(max_examples=200, deadline=None)
@given(st.lists(token, min_size=1, max_size=12, unique=True))
def test_texts_are_grouped_by_what_they_share_and_no_single_group_would_save_more(texts):
    ordered = sorted(texts)

    def saved(some):
        alike = next(at for at in range(9) if len({text[at : at + 1] for text in some}) > 1 or some[0][at] == 9)
        return (len(some) - 1) * alike

    groups = branchings(ordered, 0)
    assert sorted(text for group in groups for text in group.texts) == ordered
    for group in groups:
        assert len({text[: group.stem] for text in group.texts}) == 1
        assert all(len(text) > group.stem for text in group.texts)
    ours = sum((len(group.texts) - 1) * group.stem for group in groups)
    neighbours = [ordered[first:last] for last in range(1, len(ordered) + 1) for first in range(last)]
    assert ours >= max(map(saved, neighbours))


def test_residuals_and_log_probabilities_come_from_one_pass(organism):
    model = organism("base")
    texts = [Text(text, 1, str(index)) for index, text in enumerate(dialogues())]
    sites, places = [Site(0), Site(model.n_layers - 1)], [[0, len(text.ids) - 1] for text in texts]
    values, logprobs = read_with_logprobs(model, texts, sites, places, batch_size=5)
    for place, here in read(model, texts, sites, places).items():
        torch.testing.assert_close(values[place].values, here.values, atol=1e-4, rtol=1e-4)
        assert values[place].examples == here.examples
    for one, other in zip(logprobs, text_logprobs(model, texts), strict=True):
        assert one == pytest.approx(other, abs=1e-4)

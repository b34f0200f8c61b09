"""Positions are absolute, and one function decides what a span covers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from introlab.errors import InputError
from introlab.network.sites import STREAMS, Site
from introlab.network.spans import Span

SPANS = st.one_of(
    st.sampled_from([Span.all(), Span.prompt(), Span.generated(), Span.last()]),
    st.builds(lambda start, length: Span.generated(start, start + length), st.integers(0, 8), st.integers(1, 8)),
    st.builds(lambda start, length: Span.positions(start, start + length), st.integers(0, 8), st.integers(1, 8)),
    st.builds(lambda token: Span.tokens(token), st.integers(0, 5)),
    st.builds(lambda opening, closing: Span.inside((opening,), (closing,)), st.integers(0, 2), st.integers(3, 5)),
)
PAIRS = st.tuples(SPANS, SPANS).filter(lambda pair: pair[0] != pair[1])
SETS = st.one_of(SPANS, PAIRS.map(lambda pair: pair[0] + pair[1]), PAIRS.map(lambda pair: pair[0] - pair[1]))


@given(SETS, st.integers(1, 10), st.lists(st.integers(0, 5), min_size=12, max_size=20), st.data())
def test_a_span_is_the_same_in_one_pass_and_in_pieces(span, prompt_len, ids, data):
    """What a KV cache does: positions arrive in pieces, and each piece is judged alone."""
    whole = span.covers(torch.arange(len(ids)), torch.tensor(ids), torch.tensor(prompt_len))
    cut = data.draw(st.integers(1, len(ids) - 1))
    later = ids[:cut] + [-1] * (len(ids) - cut)  # what is not read yet
    first = span.covers(torch.arange(cut), torch.tensor(later), torch.tensor(prompt_len))
    second = span.covers(torch.arange(cut, len(ids)), torch.tensor(ids), torch.tensor(prompt_len))
    assert torch.equal(whole, torch.cat([first, second]))


@given(st.integers(1, 10), st.integers(11, 30))
def test_prompt_and_generated_share_no_position_and_leave_none_out(prompt_len, length):
    positions, ids = torch.arange(length), torch.zeros(length, dtype=torch.long)
    prompt, generated = (
        span.covers(positions, ids, torch.tensor(prompt_len)) for span in (Span.prompt(), Span.generated())
    )
    assert torch.equal(prompt, ~generated)
    assert generated[prompt_len - 1], "the position that predicts the first new token is generated"


def test_first_new_tokens_start_at_the_position_that_predicts_them():
    covered = Span.generated(0, 2).covers(torch.arange(8), torch.zeros(8, dtype=torch.long), torch.tensor(5))
    assert covered.nonzero().flatten().tolist() == [4, 5]


def test_rows_of_a_batch_each_have_their_own_prompt():
    positions, ids = torch.arange(6).expand(2, 6), torch.zeros(2, 6, dtype=torch.long)
    covered = Span.last().covers(positions, ids, torch.tensor([[2], [5]]))
    assert covered.nonzero().tolist() == [[0, 1], [1, 4]]


@pytest.mark.parametrize(
    "text",
    [
        "all",
        "prompt",
        "generated",
        "last",
        "positions[3:9]",
        "generated[2:]",
        "all - last",
        "prompt + generated[2:4] - last - positions[0:1]",
    ],
)
def test_spans_read_back(text):
    assert str(Span.parse(text)) == text


@pytest.mark.parametrize(
    "text", ["", "everything", "prompt[0:3]", "generated[8:2]", "generated[3:3]", "positions[a:b]"]
)
def test_spans_that_mean_nothing(text):
    with pytest.raises(InputError):
        Span.parse(text)


def test_included_first_and_excluded_then():
    positions, texts, prompt_len = torch.arange(6), torch.tensor([9, 1, 7, 8, 2, 7]), torch.tensor(3)

    def touched(span):
        return span.covers(positions, texts, prompt_len).nonzero().flatten().tolist()

    assert touched(Span.prompt() + Span.generated()) == [0, 1, 2, 3, 4, 5]
    assert touched(Span.all() - Span.last() + Span.last()) == [0, 1, 3, 4, 5]
    assert touched(Span.inside((1,), (2,))) == [2, 3], "neither the opening nor the closing token"
    assert touched(Span.all() - Span.inside((1,), (2,))) == [0, 1, 4, 5]
    assert touched(Span.tokens(7) - Span.prompt()) == [2, 5]
    with pytest.raises(InputError, match="touch nothing"):
        Span.last() - Span.last()


def test_a_token_span_needs_a_token():
    with pytest.raises(InputError, match="touch nothing"):
        Span.tokens()


@given(st.integers(0, 99), st.sampled_from(STREAMS), st.none() | st.integers(0, 40))
def test_sites_read_back(layer, stream, head):
    site = Site(layer, stream, head if stream == "z" else None)
    assert Site.parse(str(site)) == site


@pytest.mark.parametrize(
    "text", ["", "resid_post", "resid_post[-1]", "attention[3]", "resid_post[3]x", "resid_post[3.1]", "z[.1]"]
)
def test_sites_that_are_none(text):
    with pytest.raises(InputError, match="not a site"):
        Site.parse(text)


def test_impossible_sites():
    with pytest.raises(InputError, match="unknown stream"):
        Site(0, "attention")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="index from 0"):
        Site(-1)

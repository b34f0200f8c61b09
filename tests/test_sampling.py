"""One uniform per token, from a stream that belongs to the trial."""

import numpy as np
import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.stats import chisquare

from introlab.generation.sampling import GREEDY, SAMPLED, Sampling, draw, filtered, uniforms


@given(st.integers(0, 2**31), st.text(max_size=20), st.integers(0, 99), st.integers(1, 30), st.integers(1, 30))
def test_a_longer_stream_begins_alike(seed, item, replicate, short, more):
    assert np.array_equal(uniforms(seed, item, replicate, short), uniforms(seed, item, replicate, short + more)[:short])


def test_streams_differ_by_every_part_of_their_key():
    keys = [(0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1), (0, "a\x1f0", 0)]
    assert len({uniforms(*key, 4).tobytes() for key in keys}) == len(keys)


def test_streams_are_uniform_across_items():
    """The first number of 20,000 streams. A sound generator fails this one time in a thousand."""
    first = [uniforms(0, f"item {index}", 0, 1)[0] for index in range(20_000)]
    assert chisquare(np.histogram(first, bins=20, range=(0, 1))[0]).pvalue > 0.001


LOGITS = st.one_of(
    st.lists(st.floats(-5, 5), min_size=2, max_size=8),
    st.builds(
        lambda seed, size: np.random.default_rng(seed).normal(size=size).tolist(),
        st.integers(0, 99),
        st.integers(100, 700),
    ),
)
"""Some of them longer than the blocks whose probabilities are added up first."""


@given(LOGITS, st.floats(0.3, 2.0), st.floats(0, 1, exclude_max=True))
def test_the_inverse_cdf_is_numpys(logits, temperature, uniform):
    """Parity with a plain implementation in double precision."""
    scaled = np.asarray(logits, dtype=np.float64) / temperature
    p = np.exp(scaled - scaled.max())
    cumulative = np.cumsum(p / p.sum())
    expected = min(int(np.searchsorted(cumulative, uniform * cumulative[-1], side="right")), len(logits) - 1)
    assume(np.abs(cumulative - uniform * cumulative[-1]).min() >= 1e-9)  # on an edge the two may round apart
    got = draw(torch.tensor([logits], dtype=torch.float64), [Sampling(temperature)], torch.tensor([uniform]))
    assert int(got[0]) == expected


def test_frequencies_follow_the_probabilities():
    """10,000 draws over four tokens; a right sampler fails one time in a thousand."""
    p = torch.tensor([0.1, 0.2, 0.3, 0.4])
    logits = p.log().expand(10_000, 4)
    u = torch.tensor([uniforms(1, str(index), 0, 1)[0] for index in range(10_000)])
    counts = torch.bincount(draw(logits, [SAMPLED] * 10_000, u), minlength=4)
    assert chisquare(counts.numpy(), (p * 10_000).numpy()).pvalue > 0.001


def test_temperature_zero_is_greedy_beside_sampled_rows():
    logits = torch.tensor([[0.0, 2.0, 1.0], [0.0, 2.0, 1.0]])
    assert draw(logits, [GREEDY, SAMPLED], torch.tensor([0.0, 0.0])).tolist() == [1, 0]


def test_impossible_tokens_are_never_drawn():
    logits = torch.tensor([[-torch.inf, 0.0, -torch.inf]]).expand(3, 3)
    uniform = torch.tensor([0.0, 0.5, 1 - 1e-12], dtype=torch.float64)
    assert draw(logits, [SAMPLED] * 3, uniform).tolist() == [1, 1, 1]


@pytest.mark.parametrize("top_p", [0.05, 0.5, 0.9, 0.999])
def test_top_p_of_a_large_vocabulary_is_that_of_one_that_is_sorted(top_p):
    """The few likeliest words first, all of them only where these hold too little: peaked, flat and with words that
    are suppressed."""
    drawn = torch.randn(6, 20_000, generator=torch.Generator().manual_seed(0))
    logits = torch.cat([drawn[:2] * 4, drawn[2:4] * 0.01, drawn[4:].masked_fill(drawn[4:] < 1, -torch.inf)])
    found = filtered(logits, [Sampling(temperature=0.7, top_p=top_p)] * 6, None)
    for row, kept in zip(logits, found, strict=True):
        ordered, order = (row / 0.7).sort(descending=True)
        p = ordered.double().softmax(-1)
        wanted = set(order[p.cumsum(-1) - p < top_p].tolist())
        assert set(torch.isfinite(kept).nonzero()[:, 0].tolist()) == {one for one in wanted if torch.isfinite(row[one])}
        assert torch.equal(kept[kept.isfinite()], row[kept.isfinite()])

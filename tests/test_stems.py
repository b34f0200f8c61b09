"""Rows that share a beginning look at one copy of it, and nothing else changes: same tokens as with a copy for each,
readings to float32's rounding."""

import pytest
import torch
from steered import direction, push, written
from tiny_models import FAMILIES

from introlab.generation import prefill
from introlab.generation.requests import Request
from introlab.generation.sampling import SAMPLED, Sampling
from introlab.interventions.interfaces import Gate
from introlab.interventions.logit_edits import Fork
from introlab.network import prefix_attention as stems
from introlab.network.sites import Site
from introlab.network.spans import Span
from probes.online import Entropy, Projections

SHARING = ("llama", "qwen2", "qwen3", "mixtral", "phi3", "gpt2", "neox")
"""Families whose tiny models have full attention through the interface of transformers."""


@pytest.fixture
def lends(monkeypatch):
    """Sets from how many tokens on stems are lent; says how often attention was asked to look at one."""
    asked, honest = [], stems.attend

    def attend(*inputs, **more):
        asked.append(len(more["stems"]))
        return honest(*inputs, **more)

    stems.AttentionInterface.register(stems.NAME, attend)

    def set_worth(tokens):
        monkeypatch.setattr(prefill, "WORTH", tokens)
        asked.clear()
        return asked

    yield set_worth
    stems.AttentionInterface.register(stems.NAME, honest)


def asked_of(model):
    """Three prompts, four conditions each, texts of 1 to 9 new tokens, greedy and sampled."""
    top, site = int(model.network.config.vocab_size), Site(1)
    prompts = [tuple(4 + (n * 7 + k * 5) % (top - 4) for k in range(20 + 3 * n)) for n in range(3)]
    gate = Gate(Projections("gate", [direction(model, Site(0))]), 0.0)
    fork = Fork("asked", suffix=(5, 6), options=((7,), (8, 9)), at=frozenset({0, 2}))
    return [
        Request(
            prompt,
            f"{n} {k}",
            interventions=(push(model, 2.0 * k, Span.generated(), site, seed=k, gate=gate if k == 3 else None),)
            if k
            else (),
            max_new=1 + (3 * n + 2 * k) % 9,
            sampling=SAMPLED if k % 2 else Sampling(temperature=0.0),
            forks=(fork,) if k == 2 else (),
        )
        for n, prompt in enumerate(prompts)
        for k in range(4)
    ]


@pytest.mark.parametrize("batch_size", [3, 5, 12])
@pytest.mark.parametrize("family", SHARING)
def test_lent_stems_change_nothing(family, batch_size, family_model, lends):
    model = family_model(family)
    readouts = [Entropy(), Projections("along", [direction(model, Site(1))])]
    lends(10**9)
    apart = written(model, asked_of(model), batch_size=batch_size, readouts=readouts)
    looked = lends(1)
    shared = written(model, asked_of(model), batch_size=batch_size, readouts=readouts)
    assert len(looked) >= 3 * model.n_layers, "attention never looked at a stem"
    for item, one in apart.items():
        other = shared[item]
        assert other.tokens == one.tokens, item
        assert other.stopped_by == one.stopped_by
        assert [each.prefill + each.decoded for each in other.receipts] == [
            each.prefill + each.decoded for each in one.receipts
        ]
        for name, values in one.readings.items():
            assert other.readings[name] == pytest.approx(torch.tensor(values), abs=2e-5), (item, name)
        for name, found in one.forks.items():
            assert [at for at, _ in other.forks[name]] == [at for at, _ in found]
            for (_, masses), (_, expected) in zip(other.forks[name], found, strict=True):
                assert masses == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - set(SHARING)))
def test_windows_and_capped_scores_are_not_shared(family, family_model, lends):
    model, looked = family_model(family), lends(1)
    written(model, asked_of(model), batch_size=12)
    assert not model.can_share
    assert not looked


def test_the_usual_attention_is_back_afterwards(family_model, lends):
    model = family_model("llama")
    lends(1)
    written(model, asked_of(model), batch_size=12)
    assert model.network.config._attn_implementation == "sdpa"


def test_one_softmax_over_both_parts():
    """Against attention over stem and own part joined, in float64: 3 rows of which 2 share a stem, 2 heads of keys and
    values for 6 of queries, 4 queries under a causal mask."""
    draw = torch.Generator().manual_seed(0)

    def normal(*shape):
        return torch.randn(*shape, generator=draw, dtype=torch.float64)

    module = torch.nn.Module()
    module.layer_idx = 0
    query, key, value, stem_key, stem_value = (
        normal(3, 6, 4, 8),
        normal(3, 2, 9, 8),
        normal(3, 2, 9, 8),
        normal(1, 2, 7, 8),
        normal(1, 2, 7, 8),
    )
    mask = torch.ones(4, 9, dtype=torch.bool).tril(5).expand(3, 1, 4, 9)
    found, _ = stems.attend(
        module, query, key, value, mask, stems=[(torch.tensor([0, 2]), [(stem_key, stem_value)])], scaling=0.3
    )
    for row in range(3):
        keys, values, seen = key[row], value[row], mask[row, 0]
        if row != 1:
            keys, values = torch.cat([stem_key[0], keys], 1), torch.cat([stem_value[0], values], 1)
            seen = torch.cat([torch.ones(4, 7, dtype=torch.bool), seen], 1)
        keys, values = keys.repeat_interleave(3, 0), values.repeat_interleave(3, 0)
        scores = (query[row] @ keys.mT * 0.3).masked_fill(~seen, -torch.inf)
        expected = (scores.softmax(-1) @ values).transpose(0, 1)
        assert torch.allclose(found[row], expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("family", ["llama", "gemma2", "mistral", "gpt2"])
def test_what_prompts_have_in_common_is_read_once(family, family_model, monkeypatch):
    """Three prompts that begin with the same 40 tokens (one is nothing else but its last token), two that begin with
    another 36, one alone; a third of them pushed within the prompt. Tokens as one by one."""
    model, read = family_model(family), []
    top = int(model.network.config.vocab_size)
    one, other = (tuple(4 + (a * k + 1) % (top - 4) for k in range(n)) for a, n in ((3, 40), (7, 36)))
    asked = [(*one, 9), (*one, 11, 12, 13), (*one, 11, 14), (*other, 5, 6), (*other, 9, 9, 9, 9, 7), (5, 6, 7)]
    requests = [
        Request(ids, str(n), interventions=(push(model, 2.0, Span.positions(20, 30) if n == 2 else None),), max_new=6)
        for n, ids in enumerate(asked)
    ]
    apart = {}
    for request in requests:
        apart |= written(model, [request])
    honest = type(model).forward
    monkeypatch.setattr(type(model), "forward", lambda *a, **k: read.append(a[1].numel()) or honest(*a, **k))
    together = written(model, requests)
    assert {item: text.tokens for item, text in together.items()} == {item: text.tokens for item, text in apart.items()}
    # Everything once more than the beginnings: steps of 6 rows, and stems of 3 to 42 tokens without the 40 and the 36.
    assert sum(read) < sum(len(ids) for ids in asked) + 6 * 6 - 36

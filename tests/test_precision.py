"""Half precision, other attention and placed networks are supported paths: they write, receipts hold, and what the
model thinks of a text is what it thinks in float32, to that precision's rounding."""

import pytest
import torch
from steered import prompts, push, written

from introlab.activations.extract import read, text_logprobs
from introlab.activations.forward import Text
from introlab.generation.requests import Request
from introlab.generation.sampling import GREEDY
from introlab.network.model import load
from introlab.network.sites import Site
from introlab.network.spans import Span
from probes.online import Entropy

HALVES = {"bfloat16": 0.06, "float16": 0.01}
"""Largest median difference of log-probabilities from float32, in nats: a token that another expert reads, as rounding
may decide, can differ by much more."""


@pytest.mark.parametrize("dtype", HALVES)
@pytest.mark.parametrize("family", ["llama", "gemma2", "gpt2", "mixtral"])
def test_half_precision_writes_and_thinks_alike(family, dtype, family_folder):
    model, single = (load(str(family_folder(family)), dtype=one, device="cpu") for one in (dtype, "float32"))
    long = tuple(4 + (k * 7) % 90 for k in range(40))
    requests = [
        Request(long[: 8 + 4 * n], str(n), interventions=(push(model, 1.0 + n, Span.all()),) if n else (), max_new=8)
        for n in range(6)
    ]
    found = written(model, requests, batch_size=4, readouts=[Entropy()])
    for request in requests:
        one = found[request.item]
        assert one.error is None and len(one.tokens) == len(one.logprobs) <= 8
        for receipt, intervention in zip(one.receipts, request.interventions, strict=True):
            dose = intervention.edit.dose.raw
            assert receipt.touched == len(request.prompt) + len(one.tokens) - 1
            assert receipt.dose == pytest.approx(dose, rel=0.02)
    texts = [Text.written(request.prompt, found[request.item].tokens, request.item) for request in requests]
    half, full = (torch.tensor(sum(text_logprobs(each, texts), ())) for each in (model, single))
    assert float((half - full).abs().median()) < HALVES[dtype]


def test_an_organism_answers_the_same_in_the_precision_it_is_shipped_in(organism):
    """In bfloat16 texts differ now and then (docs/determinism.md)."""
    model, single = organism("base", dtype="float16"), organism("base")
    asked = [Request(ids, str(n), max_new=12, sampling=GREEDY) for n, ids in enumerate(prompts(single))]
    assert {n: one.tokens for n, one in written(model, asked).items()} == {
        n: one.tokens for n, one in written(single, asked).items()
    }


@pytest.mark.parametrize("family", ["llama", "qwen3", "gpt2", "phi3"])
def test_both_kinds_of_attention_read_the_same(family, family_folder):
    """Relative to the largest activation."""
    fast, plain = (load(str(family_folder(family)), attention=kind, device="cpu") for kind in ("sdpa", "eager"))
    texts = [Text(tuple(4 + (k * 5 + n) % 90 for k in range(6 + 5 * n)), 6 + 5 * n, str(n)) for n in range(5)]
    sites, last = [Site(layer) for layer in range(fast.n_layers)], [[len(text.ids) - 1] for text in texts]
    one, other = (read(model, texts, sites, last) for model in (fast, plain))
    for key, values in one.items():
        difference = (values.values - other[key].values).abs().max() / values.values.abs().max()
        assert float(difference) < 1e-5, key


def test_a_network_placed_by_a_device_map_writes_the_same(family_folder):
    """With one device only there is one place for it; several are accelerate's business."""
    placed = load(str(family_folder("llama")), device_map="auto")
    usual = load(str(family_folder("llama")), device=str(placed.device))
    tokens = [
        {
            n: one.tokens
            for n, one in written(model, [Request((2, 5, 6, 7), "a", interventions=(push(model, 3.0),))]).items()
        }
        for model in (placed, usual)
    ]
    assert tokens[0] == tokens[1]

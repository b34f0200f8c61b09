"""Blocks before all edits read a prompt once for all rows that share it, and nothing else changes: same tokens and
receipts as when every row is read by all blocks, readings to float32's rounding."""

import pytest
import torch
from steered import direction, push, written
from tiny_models import FAMILIES

from introlab.generation.requests import Request
from introlab.generation.sampling import SAMPLED, Sampling
from introlab.interventions.interfaces import Gate
from introlab.network.model import Model
from introlab.network.sites import Site
from introlab.network.spans import Span
from probes.online import Entropy, Projections


@pytest.fixture
def entered(monkeypatch):
    """Blocks at which passes began."""
    found, honest = [], Model.forward

    def forward(self, ids, **inputs):
        if inputs.get("residual"):
            found.append(inputs["residual"][0])
        return honest(self, ids, **inputs)

    monkeypatch.setattr(Model, "forward", forward)
    return found


def grid(model, layers, span, *, gate=None):
    """Three prompts of 20, 23 and 27 tokens (past sliding windows of 16), each pushed at each of these layers."""
    top = int(model.network.config.vocab_size)
    texts = [tuple(4 + (n * 7 + k * 5) % (top - 4) for k in range(n)) for n in (20, 23, 27)]
    return [
        Request(
            prompt,
            f"{n} {k}",
            interventions=(push(model, 2.0, span, Site(layer), seed=k, gate=gate if k % 2 else None),),
            max_new=4,
            sampling=SAMPLED if k % 2 else Sampling(temperature=0.0),
        )
        for n, prompt in enumerate(texts)
        for k, layer in enumerate(layers)
    ]


def same(one, other):
    assert one.keys() == other.keys()
    for item, text in one.items():
        assert other[item].tokens == text.tokens, item
        for mine, theirs in zip(text.receipts, other[item].receipts, strict=True):
            assert (mine.prefill, mine.decoded, mine.gated) == (theirs.prefill, theirs.decoded, theirs.gated)
            assert mine.dose == pytest.approx(theirs.dose, rel=1e-5)
            assert mine.projection == pytest.approx(theirs.projection, abs=2e-5)
        for name, values in text.readings.items():
            assert other[item].readings[name] == pytest.approx(torch.tensor(values), abs=2e-5), (item, name)


@pytest.mark.parametrize("span", [Span.all(), Span.positions(5, 12), Span.positions(18, None)], ids=str)
@pytest.mark.parametrize("family", FAMILIES)
def test_reading_a_prompt_once_changes_nothing(family, span, family_model, entered, monkeypatch):
    model = family_model(family)
    readouts = [Entropy(), Projections("along", [direction(model, Site(0))])]
    requests = grid(model, [1, 2, 1, 2, 2], span)
    shared = written(model, requests, readouts=readouts)
    assert entered and set(entered) == {1}, "the first edited block of a group"
    monkeypatch.setattr(Model, "can_enter", False)
    entered.clear()
    same(shared, written(model, requests, readouts=readouts))
    assert not entered


def test_gates_are_read_where_they_stand(family_model, entered, monkeypatch):
    """A gate that reads an earlier block: that block, too, is passed by every row."""
    model = family_model("llama")
    gate = Gate(Projections("gate", [direction(model, Site(1))]), 0.0)
    requests = grid(model, [2, 2, 2, 2], Span.all(), gate=gate)
    shared = written(model, requests)
    assert set(entered) == {1}
    assert any(one.receipts[0].gated for one in shared.values()), "the gate never closed"
    monkeypatch.setattr(Model, "can_enter", False)
    same(shared, written(model, requests))


@pytest.mark.parametrize("layers", [[0, 2, 2], [1]], ids=["the first block is edited", "nobody shares the prompt"])
def test_where_nothing_is_saved_all_blocks_read_everything(layers, family_model, entered):
    model = family_model("llama")
    written(model, grid(model, layers, Span.all()))
    assert not entered


def test_the_blocks_are_whole_afterwards(family_model):
    model = family_model("llama")
    written(model, grid(model, [1, 2], Span.all()))
    assert not any("forward" in vars(block) for block in model.path.blocks)

"""Where memory runs out, reading goes on with half as many rows, and loses and doubles nothing."""

import pytest
import torch

from introlab.activations import forward as reading_passes
from introlab.activations.collect import Reading, Sample, collect
from introlab.activations.extract import iter_activations, next_token_logprobs, read, text_logprobs
from introlab.activations.forward import Text
from introlab.network.model import Model
from introlab.network.sites import Site
from introlab.network.spans import Span

TEXTS = [Text(tuple(4 + (index + step) % 80 for step in range(5 + index)), 3, f"t{index}") for index in range(9)]


@pytest.fixture
def scarce(monkeypatch):
    """`scarce(rows)`: a pass of more rows runs out of memory - at its end, when hooks have seen it all."""

    def make(rows):
        honest, tried = Model.forward, []

        def forward(self, ids, **inputs):
            found = honest(self, ids, **inputs)
            tried.append(len(ids))
            if len(ids) > rows:
                raise RuntimeError("CUDA out of memory. Tried to allocate 2.10 GiB")
            return found

        monkeypatch.setattr(Model, "forward", forward)
        return tried

    return make


@pytest.mark.parametrize("rows", [1, 2, 3])
def test_every_way_of_reading_goes_on_with_fewer(rows, family_model, tmp_path, scarce):
    model, site = family_model("llama"), Site(1)

    def found(folder):
        states = read(model, TEXTS, [site], [[0, len(text.ids) - 1] for text in TEXTS])
        at_once = {index: values for batch in iter_activations(model, TEXTS, site) for index, values in batch}
        store = collect(model, [Sample(text) for text in TEXTS], [Reading(site, Span.all(), "tokens")], folder)
        index = store.index().sort_values(["sample", "position"])
        return [
            states[site, 1].values,
            torch.cat([at_once[index] for index in range(len(TEXTS))]),
            store.activations(index).values,
            next_token_logprobs(model, TEXTS),
            torch.tensor(sum(text_logprobs(model, TEXTS), ())),
        ]

    expected = found(tmp_path / "whole")
    tried = scarce(rows)
    for one, other in zip(found(tmp_path / "scarce"), expected, strict=True):
        assert one.shape == other.shape and (one - other).abs().max() < 1e-4
    assert max(tried) > rows >= min(tried)


def test_what_one_text_alone_does_not_fit_is_said(family_model, scarce):
    scarce(0)
    with pytest.raises(RuntimeError, match="out of memory"):
        next_token_logprobs(family_model("llama"), TEXTS[:2])


def test_other_errors_are_not_taken_for_it(family_model, monkeypatch):
    calls = []

    def forward(self, ids, **_):
        calls.append(len(ids))
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(Model, "forward", forward)
    with pytest.raises(RuntimeError, match="shapes"):
        next_token_logprobs(family_model("llama"), TEXTS)
    assert len(calls) == 1


def test_logprobs_in_blocks_are_those_of_the_whole(family_model, monkeypatch):
    model = family_model("llama")
    expected = text_logprobs(model, TEXTS)
    monkeypatch.setattr("introlab.activations.extract._WORDS", 250)
    monkeypatch.setattr("introlab.activations.extract._LOGITS", 2500)
    widths = []
    honest = reading_passes._passed
    monkeypatch.setattr(reading_passes, "_passed", lambda *how: widths.append(how[3]) or honest(*how))
    for one, other in zip(text_logprobs(model, TEXTS), expected, strict=True):
        assert one == pytest.approx(other, abs=1e-5)
    assert max(widths) <= 2, "few rows at once where a vocabulary is large"

"""Probes find a direction that is known, and nothing where there is none."""

import pytest
import torch

from benchmarks.recovery import COORDINATE, METHODS, cosine, last_token, made_up, tokens, written_by_hand
from introlab.network.sites import Site


@pytest.mark.parametrize("method", METHODS)
def test_a_direction_in_made_up_activations_is_found(organism, method):
    """4,000 examples of 128 coordinates; a direction at random has a cosine above .4 once in 100,000 times."""
    model = organism("base")
    here, labels, truth = made_up(model, 4000, seed=1)
    assert cosine(here, labels, truth, model, method) > 0.95
    shuffled = [labels[index] for index in torch.randperm(4000, generator=torch.Generator().manual_seed(2)).tolist()]
    assert abs(cosine(here, shuffled, truth, model, method)) < 0.4


@pytest.fixture(scope="module")
def hand(organism):
    model, carries = written_by_hand(organism("base"))
    texts = tokens(model, 1600, 3)
    return model, texts, [bool(carries[ids[-1]]) for ids in texts]


def test_a_coordinate_written_by_hand_stays_what_it_is(hand):
    """After every block it holds one of two values."""
    model, texts, labels = hand
    for layer in range(model.n_layers):
        values = last_token(model, texts[:50], Site(layer)).values[:, COORDINATE]
        signs = torch.where(torch.tensor(labels[:50]), 1.0, -1.0)
        assert torch.allclose(values, values[0].abs() * signs, rtol=1e-4)


@pytest.mark.parametrize("method", ["lda", "ridge", "logistic"])
def test_a_coordinate_written_by_hand_is_found_after_every_block(hand, method):
    """The last token tells it; the token before carries its own, which is chance here."""
    model, texts, labels = hand
    unit = torch.eye(model.d_model)[COORDINATE]
    for layer in (0, model.n_layers - 1):
        here = last_token(model, texts, Site(layer))
        assert cosine(here, labels, unit, model, method) > 0.95
        assert abs(cosine(here, labels[1:] + labels[:1], unit, model, method)) < 0.4

"""The logit lens is the model's own ending; an untrained network is the same model without what it learnt."""

import pytest
import tiny_models
import torch

from introlab.activations.extract import next_token_logprobs, read
from introlab.activations.forward import Text
from introlab.network.random_init import untrained
from introlab.network.sites import Site
from probes.logit_lens import lens, lens_agreement

TEXTS = [Text(tuple(5 + (7 * row + column) % 20 for column in range(4 + row)), 4 + row, str(row)) for row in range(40)]
LAST = [[len(text.ids) - 1] for text in TEXTS]


@pytest.mark.parametrize("family", tiny_models.FAMILIES)
def test_after_the_last_block_the_lens_is_the_model(family, family_model):
    """With its own final norm and soft cap, in every family."""
    model = family_model(family)
    site = Site(model.n_layers - 1)
    found = lens(model, read(model, TEXTS, [site], LAST)[site, 0].values)
    assert found.numpy() == pytest.approx(next_token_logprobs(model, TEXTS).numpy(), abs=1e-4)


def test_the_lens_is_final_norm_and_unembedding(family_model):
    model = family_model("llama")
    values = torch.randn(5, model.d_model, generator=torch.Generator().manual_seed(0))
    network = model.network
    by_hand = network.lm_head(network.model.norm(values)).log_softmax(-1)
    assert lens(model, values).numpy() == pytest.approx(by_hand.numpy(), abs=1e-5)


def test_layers_that_say_it_already_are_counted(family_model):
    model = family_model("llama")
    sites = [Site(layer) for layer in range(model.n_layers)]
    here = read(model, TEXTS, sites, LAST)
    residuals = {site: here[site, 0] for site in sites}
    said = next_token_logprobs(model, TEXTS).argmax(-1).tolist()
    shares = lens_agreement(model, residuals, said)
    counted = [(lens(model, residuals[site].values).argmax(-1) == torch.tensor(said)).float() for site in sites]
    assert shares.tolist() == pytest.approx(torch.stack(counted).mean(0).tolist())
    assert float(shares.min()) >= 1 / len(sites) - 1e-6, "the last layer always agrees with itself"
    other = [(one + 1) % 20 for one in said]
    assert float(lens_agreement(model, {sites[-1]: residuals[sites[-1]]}, other).max()) == 0


@pytest.mark.parametrize("family", ["llama", "gemma2", "qwen2"])
def test_an_untrained_network_is_another_of_the_same_shape(family, family_model):
    model = family_model(family)
    state = torch.random.get_rng_state()
    blank = untrained(model, seed=3)
    assert torch.equal(torch.random.get_rng_state(), state), "nobody else's random numbers change"
    assert blank.fingerprint != model.fingerprint == model.fingerprint
    assert blank.fingerprint == untrained(model, seed=3).fingerprint != untrained(model, seed=4).fingerprint
    assert (blank.n_layers, blank.d_model, blank.family) == (model.n_layers, model.d_model, None)
    site = Site(1)
    found = read(blank, TEXTS, [site], LAST)[site, 0]
    assert found.model == blank.fingerprint and bool(torch.isfinite(found.values).all())

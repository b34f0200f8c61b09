"""Latents of real sae-lens autoencoders, read and changed while texts are written."""

import pytest
import torch
from sae_lens import JumpReLUSAE, JumpReLUSAEConfig, StandardSAE, StandardSAEConfig, TopKSAE, TopKSAEConfig
from steered import written

from introlab.activations.extract import read
from introlab.activations.forward import Text
from introlab.generation.requests import Request
from introlab.generation.sampling import GREEDY
from introlab.interventions.interfaces import Gate, Intervention
from introlab.network.sites import Site
from introlab.network.spans import Span
from probes.online import Latents
from steering.sae_edits import Latent, Silence
from steering.strength import Dose

KINDS = {
    "standard": (StandardSAE, StandardSAEConfig, {}),
    "topk": (TopKSAE, TopKSAEConfig, {"k": 6}),
    "jumprelu": (JumpReLUSAE, JumpReLUSAEConfig, {}),
}
SITE, LATENT = Site(1), 5


def autoencoder(kind, width, normalised="none"):
    made, config, more = KINDS[kind]
    torch.manual_seed(0)
    sae = made(config(d_in=width, d_sae=24, normalize_activations=normalised, **more))
    with torch.no_grad():
        for parameter in sae.parameters():
            parameter.copy_(torch.randn(parameter.shape) * 0.3)
    return sae.eval()


def expected(sae, values, mode, amount):
    """Encode, change one latent, decode, and put back what was not explained."""
    with torch.no_grad():
        now = sae.encode(values)
        error, other = values - sae.decode(now), now.clone()
        other[..., LATENT] = {"add": now[..., LATENT] + amount, "clamp": amount, "zero": 0.0}[mode]
        sae.encode(values)  # what it normalised by is what it scales back by
        return sae.decode(other) + error


@pytest.mark.parametrize("mode", ["add", "clamp", "zero"])
@pytest.mark.parametrize("normalised", ["none", "layer_norm", "constant_norm_rescale"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_latent_changes_and_the_error_term_stays(kind, normalised, mode):
    sae, values = (
        autoencoder(kind, 16, normalised),
        torch.randn(3, 4, 16, generator=torch.Generator().manual_seed(1)) * 3,
    )
    edits = [Latent(sae, LATENT, mode, 2.0)] * 3
    found = Latent.stacked(edits, values)(values, torch.ones(3, 4), torch.zeros(3, 4, dtype=torch.long))
    assert torch.allclose(found, expected(sae, values, mode, 2.0), atol=1e-4)
    half = Latent.stacked(edits, values)(values, torch.full((3, 4), 0.5), torch.zeros(3, 4, dtype=torch.long))
    assert torch.allclose(half, (found + values) / 2, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_latents_are_read_and_gate_while_writing(kind, family_model):
    """A latent is clamped wherever it is silent; what is read at the site afterwards is the clamped value."""
    model = family_model("llama")
    sae, prompt = autoencoder(kind, model.d_model), (2, 5, 6, 7, 8)
    reading = Latents("latents", sae, SITE, (LATENT, 7))
    plain = written(model, [Request(prompt, "a", max_new=6, sampling=GREEDY)], readouts=[reading])["a"]
    texts = [Text.written(prompt, plain.tokens, "a")]
    places = list(range(len(prompt) - 1, len(prompt) - 1 + len(plain.tokens)))
    residuals = read(model, texts, [SITE], [places])
    with torch.no_grad():
        for step, values in enumerate(plain.readings["latents"]):
            there = sae.encode(residuals[SITE, step].values)[0, [LATENT, 7]]
            assert values == pytest.approx(there.tolist(), abs=1e-4)
    clamp = Intervention(Latent(sae, LATENT, "clamp", 4.0, "made here"), SITE, Span.generated())
    pushed = written(
        model, [Request(prompt, "a", interventions=(clamp,), max_new=6, sampling=GREEDY)], readouts=[reading]
    )["a"]
    assert pushed.receipts[0].edit["edit"] == "latent clamp" and pushed.receipts[0].touched == len(pushed.tokens)
    gate = Gate(Latents("gate", sae, Site(0), (LATENT,)), threshold=1e9)
    never = Intervention(Latent(sae, LATENT, "clamp", 4.0), SITE, Span.generated(), gate=gate)
    closed = written(model, [Request(prompt, "a", interventions=(never,), max_new=6, sampling=GREEDY)])["a"]
    assert closed.tokens == plain.tokens and closed.receipts[0].status == "gate stayed closed"


@pytest.mark.parametrize("normalised", ["none", "layer_norm", "constant_norm_rescale"])
@pytest.mark.parametrize("kind", KINDS)
def test_several_latents_are_silenced_as_one_reading_finds_them(kind, normalised):
    sae = autoencoder(kind, 16, normalised)
    values = torch.randn(2, 5, 16, generator=torch.Generator().manual_seed(2)) * 3
    with torch.no_grad():
        now = sae.encode(values)
        error, rest = values - sae.decode(now), now.clone()
        rest[..., [0, 2, 3]] = 0.0
        sae.encode(values)
        wanted = sae.decode(rest) + error
    edits = [Silence(sae, (0, 2, 3))] * 2
    found = Silence.stacked(edits, values)(values, torch.ones(2, 5), torch.zeros(2, 5, dtype=torch.long))
    assert torch.allclose(found, wanted, atol=1e-4)
    assert not torch.allclose(found, values, atol=1e-2), "they were active"
    assert edits[0].conditional and edits[0].record()["indices"] == [0, 2, 3]


def test_a_push_records_its_dose_where_it_is_known():
    dose = Dose(6.0, 2.0, 0.5)
    assert Latent(autoencoder("standard", 16, "none"), LATENT, "add", 2.0, dose=dose).record()["share"] == 0.5

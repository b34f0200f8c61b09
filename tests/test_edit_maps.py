"""Edits of every kind as pure maps, on values of known size."""

import pytest
import torch
from steered import direction

from introlab.activations.directions import Direction
from introlab.activations.extract import read
from introlab.activations.forward import Text
from introlab.errors import InputError, NotFinite
from introlab.interventions.interfaces import Intervention
from introlab.network.sites import Site
from introlab.network.spans import Span
from steering.edits import Ablate, Add, AddKeepingNorm, Cap, Clamp, Replace
from steering.sae_edits import Latent
from steering.strength import Dose


def changed(edit, values, amount=1.0, first=0):
    """One row, all positions."""
    amounts = torch.full(values.shape[:2], amount)
    return type(edit).stacked([edit], values)(values, amounts, first + torch.arange(values.shape[1])[None])


@pytest.fixture
def along(family_model):
    return direction(family_model("llama"), Site(1))


def test_adding_at_the_same_norm(along):
    values = torch.randn(1, 5, 32)
    after = changed(AddKeepingNorm(along, Dose(3.0, 1.0, 1.0)), values)
    assert torch.allclose(after.norm(dim=-1), values.norm(dim=-1), atol=1e-5)
    plain = changed(Add(along, Dose(3.0, 1.0, 1.0)), values)
    assert torch.allclose(torch.cosine_similarity(after, plain, dim=-1), torch.ones(1, 5), atol=1e-5)


def test_clamping_and_capping_a_projection(along):
    values = torch.randn(1, 400, 32)
    before = along.projection(values)
    assert torch.allclose(along.projection(changed(Clamp(along, 2.5), values)), torch.full((1, 400), 2.5), atol=1e-5)
    capped = along.projection(changed(Cap(along, 0.5), values))
    assert torch.allclose(capped, before.clamp(max=0.5), atol=1e-5)
    raised = along.projection(changed(Cap(along, -0.2, above=False), values))
    assert torch.allclose(raised, before.clamp(min=-0.2), atol=1e-5)
    for edit in (Clamp(along, 2.5), Cap(along, 0.5)):
        rest = changed(edit, values) - values
        assert torch.allclose(rest, along.projection(rest)[..., None] * along.vector, atol=1e-5), "nothing else moves"


@pytest.mark.parametrize("amount", [0.0, 0.25, 1.0])
def test_an_amount_goes_part_of_the_way(along, amount):
    values = torch.randn(1, 5, 32)
    for edit in (Add(along, Dose(3.0, 1.0, 1.0)), Ablate(along), Clamp(along, 2.5), Replace(torch.randn(1, 32))):
        whole = changed(edit, values)
        assert torch.allclose(changed(edit, values, amount), values + amount * (whole - values), atol=1e-5)


def test_replacing_by_a_mean_and_by_position():
    values, mean, patch = torch.randn(1, 6, 4), torch.randn(1, 4), torch.randn(3, 4)
    assert torch.equal(changed(Replace(mean), values), values + (mean - values))
    after = changed(Replace(patch, first=12), values, first=10)
    assert torch.allclose(after[0, 2:5], patch, atol=1e-6) and torch.equal(after[0, :2], values[0, :2])
    assert torch.equal(after[0, 5], values[0, 5])
    with pytest.raises(InputError, match="what to put where"):
        Replace(patch)
    with pytest.raises(NotFinite):
        Replace(torch.tensor([[float("nan")]]))


class Dictionary:
    """A sparse autoencoder with a bias and an error: latents are rectified projections, decoded elsewhere."""

    def __init__(self):
        generator = torch.Generator().manual_seed(0)
        self.W_enc, self.W_dec, self.b_dec = (torch.randn(*s, generator=generator) for s in ((32, 50), (50, 32), (32,)))

    def encode(self, x):
        return (x @ self.W_enc).relu()

    def decode(self, feature_acts):
        return feature_acts @ self.W_dec + self.b_dec


def test_a_latent_changes_along_its_decoder_and_the_error_stays():
    sae, values = Dictionary(), torch.randn(1, 6, 32)
    now = sae.encode(values)[..., 7]
    added = changed(Latent(sae, 7, "add", 3.0), values)
    assert torch.allclose(added, values + 3.0 * sae.W_dec[7], atol=1e-4), "h + b W_dec[i], whatever the encoder says"
    clamped = changed(Latent(sae, 7, "clamp", 3.0), values)
    assert torch.allclose(clamped, values + (3.0 - now)[..., None] * sae.W_dec[7], atol=1e-4)
    zeroed = changed(Latent(sae, 7, "zero"), values)
    assert torch.allclose(zeroed, values - now[..., None] * sae.W_dec[7], atol=1e-4)


def test_two_rows_with_latents_of_their_own():
    sae, values = Dictionary(), torch.randn(2, 3, 32)
    change = Latent.stacked([Latent(sae, 3, "clamp", 1.0), Latent(sae, 9, "clamp", 2.0)], values)
    together = change(values, torch.ones(2, 3), torch.arange(3).expand(2, 3))
    for row, edit in enumerate((Latent(sae, 3, "clamp", 1.0), Latent(sae, 9, "clamp", 2.0))):
        assert torch.allclose(together[row : row + 1], changed(edit, values[row : row + 1]), atol=1e-5)


def test_pushing_one_head_moves_nothing_of_the_others(family_model):
    model, site = family_model("llama"), Site(1, "z", 2)
    vector = torch.nn.functional.normalize(torch.randn(model.width(site)), dim=0)
    one = Direction(vector, 1.0, site, model.fingerprint, model.family, "test", ())
    pushed = Intervention(Add(one, Dose(2.0, 1.0, 1.0)), site, Span.positions(1, 3))
    found = []
    for steps in ((), (pushed,)):
        text = Text((2, 5, 6, 7), 4, "a", steps)
        held = read(model, [text], [Site(1, "z")], [[0, 1, 2, 3]])
        found.append(torch.cat([held[Site(1, "z"), index].values for index in range(4)]))
    expected = torch.zeros(4, 32)
    expected[1:3, 16:24] = 2.0 * vector
    assert torch.allclose(found[1] - found[0], expected, atol=1e-5)

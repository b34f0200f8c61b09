"""What a place held in another run; and what one component was told, and nobody else."""

import pytest
import torch

from introlab.activations.extract import next_token_logprobs, read
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.network.sites import Site
from steering.patching import patch, path_patch


def test_a_whole_patch_makes_one_run_the_other(family_model):
    model = family_model("llama")
    one, other = Text((2, 5, 6, 7, 8), 5, "one"), Text((2, 9, 10, 11, 12), 5, "other")
    patched = Text(one.ids, 5, "patched", (patch(model, other, Site(1)),))
    assert torch.allclose(next_token_logprobs(model, [patched]), next_token_logprobs(model, [other]), atol=1e-5)
    last = Text(one.ids, 5, "last", (patch(model, other, Site(1), start=4),))
    assert not torch.allclose(next_token_logprobs(model, [last]), next_token_logprobs(model, [other]), atol=1e-3)


@pytest.mark.parametrize("sender", [Site(0, "attn_out"), Site(0, "z", 1), Site(0, "mlp_out")], ids=str)
def test_a_path_tells_one_component_and_nobody_else(sender, family_model):
    """Independently: the receiver hears its clean input plus what the sender says otherwise, and nothing in between
    answers. MLP of the last block, from the network's own modules."""
    model, receiver = family_model("llama"), Site(2, "mlp_out")
    clean, other = Text((2, 5, 6, 7, 8), 5, "clean"), Text((2, 9, 10, 11, 12), 5, "other")
    places = [[0, 1, 2, 3, 4]]

    def held(text, site):
        found = read(model, [text], [site], places)
        return torch.cat([found[site, index].values for index in range(5)])

    if sender.stream == "z":
        block, difference = model.network.model.layers[0].self_attn, torch.zeros(5, 32)
        difference[:, 8:16] = held(other, sender) - held(clean, sender)
        delta = difference @ block.o_proj.weight.T
    else:
        delta = held(other, sender) - held(clean, sender)
    block = model.network.model.layers[2]
    with torch.inference_mode():
        expected = block.mlp(block.post_attention_layernorm(held(clean, Site(2, "resid_mid")) + delta))
    found = path_patch(model, clean, other, sender, receiver)
    assert torch.allclose(found.edit.values, expected, atol=1e-5)
    assert not torch.allclose(expected, held(clean, receiver), atol=1e-4), "the path carries something"
    total = held(Text(clean.ids, 5, "total", (patch(model, other, sender),)), receiver)
    assert not torch.allclose(found.edit.values, total, atol=1e-4), "less than everything the sender does"


def test_a_path_that_carries_nothing_changes_nothing(family_model):
    model, clean = family_model("llama"), Text((2, 5, 6, 7, 8), 5, "clean")
    same = path_patch(model, clean, clean, Site(0, "attn_out"), Site(2, "attn_out"))
    assert torch.allclose(same.edit.values, read_all(model, clean, Site(2, "attn_out")), atol=1e-6)


def read_all(model, text, site):
    found = read(model, [text], [site], [list(range(len(text.ids)))])
    return torch.cat([found[site, index].values for index in range(len(text.ids))])


def test_paths_that_are_none(family_model):
    model, one, longer = family_model("llama"), Text((2, 5, 6), 3, "one"), Text((2, 5, 6, 7), 4, "longer")
    with pytest.raises(InputError, match="no path"):
        path_patch(model, one, one, Site(2, "mlp_out"), Site(1, "mlp_out"))
    with pytest.raises(InputError, match="no path"):
        path_patch(model, one, longer, Site(0, "mlp_out"), Site(1, "mlp_out"))
    with pytest.raises(InputError, match="output of a component"):
        path_patch(model, one, one, Site(0), Site(1, "mlp_out"))

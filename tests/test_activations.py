"""Activations are what Hugging Face would have seen, and remember where they came from."""

import pytest
import torch
from tiny_models import FAMILIES

from introlab.activations.extract import Activations, mean_over, next_token_logprobs, read, text_logprobs
from introlab.activations.forward import Text
from introlab.errors import InputError, ModelMismatch, NotFinite
from introlab.network.sites import Site

TEXTS = [Text((2, 5, 6, 7, 8, 9), 3, "a"), Text((2, 10, 11), 2, "b"), Text((2, 12, 13, 14, 15), 4, "c")]


def some(values=None, site=None, model="m", examples=("a", "b")):
    return Activations(torch.randn(2, 4) if values is None else values, site or Site(0), model, examples)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("batch_size", [1, 3])
def test_reading_equals_hugging_faces_hidden_states(family, batch_size, family_folder, family_model):
    """`hidden_states[n + 1]` is the output of block n, except the last, which has been normalised."""
    from transformers import AutoModelForCausalLM

    model = family_model(family)
    reference = AutoModelForCausalLM.from_pretrained(family_folder(family), attn_implementation="eager").eval()
    sites = [Site(0, "resid_pre"), Site(0), Site(1)]
    found = read(model, TEXTS, sites, [[1, len(text.ids) - 1] for text in TEXTS], batch_size=batch_size)
    for row, text in enumerate(TEXTS):
        with torch.inference_mode():
            hidden = reference(torch.tensor([text.ids]), output_hidden_states=True).hidden_states
        for depth, site in enumerate(sites):
            for index, position in enumerate((1, len(text.ids) - 1)):
                expected = hidden[depth][0, position]
                assert torch.allclose(found[site, index].values[row], expected, rtol=1e-4, atol=1e-5)


def test_mean_over_is_the_mean_of_what_read_reads(family_model):
    model, site = family_model("llama"), Site(1)
    averaged = mean_over(model, TEXTS, site, [(1, len(text.ids)) for text in TEXTS])
    for row, text in enumerate(TEXTS):
        alone = read(model, [text], [site], [list(range(1, len(text.ids)))])
        expected = torch.stack([alone[site, index].values[0] for index in range(len(text.ids) - 1)]).mean(0)
        assert torch.allclose(averaged.values[row], expected, atol=1e-5)


def test_text_logprobs_are_what_generation_recorded(organism):
    from introlab.generation.requests import Request
    from introlab.generation.scheduler import generate
    from introlab.network.messages import user

    model = organism("reflective")
    prompt = tuple(model.ids([user("tell me about the sea .")]))
    ((_, generation),) = generate(model, [Request(prompt, "one", max_new=12)], seed=0)
    text = Text((*prompt, *generation.tokens), len(prompt), "one")
    assert text_logprobs(model, [text])[0] == pytest.approx(generation.logprobs, abs=1e-4)
    first = next_token_logprobs(model, [Text(prompt, len(prompt), "one")])[0]
    assert float(first[generation.tokens[0]]) == pytest.approx(generation.logprobs[0], abs=1e-4)
    assert float(first.exp().sum()) == pytest.approx(1.0, abs=1e-4)


def test_saved_and_read_back(tmp_path):
    one = some()
    one.save(tmp_path / "a.safetensors")
    again = Activations.load(tmp_path / "a.safetensors")
    assert torch.equal(again.values, one.values) and (again.site, again.model, again.examples) == (
        one.site,
        one.model,
        one.examples,
    )


def test_mixed_models_and_sites_are_refused():
    for other in (some(model="n"), some(site=Site(1))):
        with pytest.raises(ModelMismatch, match="cannot be mixed"):
            Activations.concatenated([some(), other])
    assert len(Activations.concatenated([some(), some(examples=("c", "d"))]).examples) == 4


def test_nan_names_its_example():
    values = torch.zeros(2, 4)
    values[1, 2] = float("nan")
    with pytest.raises(NotFinite, match="example b"):
        some(values)


def test_shapes_that_do_not_fit():
    with pytest.raises(InputError, match="do not match"):
        some(torch.zeros(3, 4))
    with pytest.raises(InputError, match="do not match"):
        some(torch.zeros(2))


def test_a_position_outside_its_text(family_model):
    with pytest.raises(InputError, match="cannot be read"):
        read(family_model("llama"), TEXTS, [Site(0)], [[1], [7], [1]])


def test_a_file_of_something_else(tmp_path):
    (tmp_path / "x").write_text("hello")
    with pytest.raises(InputError, match="not a file of activations"):
        Activations.load(tmp_path / "x")

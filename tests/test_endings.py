"""How a token is chosen, what ends a text, and what is read on the way."""

import math

import pytest
import torch
from chat_templates import STYLES
from chat_tokenizers import KINDS, planted, tokenizer
from steered import direction, prompts, written
from transformers import (
    AutoModelForCausalLM,
    LogitsProcessorList,
    RepetitionPenaltyLogitsProcessor,
    TemperatureLogitsWarper,
    TopKLogitsWarper,
    TopPLogitsWarper,
)

from introlab.activations.extract import next_token_logprobs
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.generation.requests import Request
from introlab.generation.sampling import GREEDY, Sampling, filtered
from introlab.network.model import load
from introlab.network.sites import Site
from probes.online import Entropy, Norm, Options, Projection, Projections, TopTokens


@pytest.mark.parametrize(
    "setting",
    [Sampling(0.7, top_k=5), Sampling(1.3, top_p=0.6), Sampling(0.9, top_k=20, top_p=0.8, repetition_penalty=1.3)],
)
def test_filters_are_hugging_faces(setting):
    logits = torch.randn(1, 200, generator=torch.Generator().manual_seed(1)) * 3
    text = torch.tensor([[4, 9, 17, 150]])
    steps = [RepetitionPenaltyLogitsProcessor(setting.repetition_penalty)] if setting.repetition_penalty != 1 else []
    steps += [TemperatureLogitsWarper(setting.temperature)]
    steps += [TopKLogitsWarper(setting.top_k)] if setting.top_k else []
    steps += [TopPLogitsWarper(setting.top_p)] if setting.top_p else []
    theirs = LogitsProcessorList(steps)(text, logits.clone()).softmax(-1)
    seen = torch.zeros(1, 200, dtype=torch.bool).scatter(1, text, True)
    mine = (filtered(logits, [setting], seen) / setting.temperature).softmax(-1)
    assert (mine > 0).sum() == (theirs > 0).sum() and torch.allclose(mine, theirs, atol=1e-6)


def test_greedy_with_a_repetition_penalty_equals_hugging_face(family_folder, family_model):
    model = family_model("llama")
    reference = AutoModelForCausalLM.from_pretrained(family_folder("llama")).eval()
    theirs = reference.generate(
        torch.tensor([[2, 5, 6, 7]]), max_new_tokens=12, do_sample=False, repetition_penalty=1.5
    )[0, 4:]
    request = Request((2, 5, 6, 7), "a", max_new=12, sampling=Sampling(0.0, repetition_penalty=1.5))
    assert list(written(model, [request])["a"].tokens) == theirs.tolist()


@pytest.mark.parametrize(
    "wrong", [{"temperature": -1.0}, {"top_k": 0}, {"top_p": 0.0}, {"top_p": 1.5}, {"repetition_penalty": 0.0}]
)
def test_settings_that_mean_nothing(wrong):
    with pytest.raises(InputError, match="means nothing"):
        Sampling(**wrong)


def test_what_ends_a_text_is_said(organism):
    model = organism("reflective")
    prompt = prompts(model)[2]
    asked = [
        Request(prompt, "end", sampling=GREEDY, max_new=30),
        Request(prompt, "budget", sampling=GREEDY, max_new=2),
        Request(prompt, "string", sampling=GREEDY, max_new=30, stop=("nobody says this", ".")),
    ]
    found = written(model, asked, batch_size=3)
    assert {name: one.stopped_by for name, one in found.items()} == {
        "end": "end token",
        "budget": "budget",
        "string": "stop string",
    }
    assert found["end"].ended and not found["string"].ended
    assert model.text(found["string"].tokens).endswith(".")


def test_all_that_ends_a_turn_ends_it(tmp_path):
    """What the template writes after an answer, the tokenizer's own end, and those of the generation configuration."""
    tokens = tokenizer(STYLES["chatml"], "bytes")
    model = load(str(planted((5, 6), tokens, tmp_path)), device="cpu")
    ends = tokens.convert_tokens_to_ids(["<|im_end|>", "<pad>", "</s>"])
    assert list(model.end_ids) == ends
    for end in ends:
        folder = planted((5, 6, end, 7, 8), tokens, tmp_path / str(end))
        found = written(load(str(folder), device="cpu"), [Request((5,), "a", max_new=4, sampling=GREEDY)])["a"]
        assert (found.tokens, found.stopped_by) == ((6, end), "end token")


@pytest.mark.parametrize("kind", KINDS)
def test_stop_strings_cross_tokens_and_may_be_special(kind, tmp_path):
    tokens = tokenizer(STYLES["chatml"], kind)
    answer = tokens("It is Paris.<|im_start|>the", add_special_tokens=False)["input_ids"]
    first = tokens("\n", add_special_tokens=False)["input_ids"][-1]
    model = load(str(planted((first, *answer), tokens, tmp_path)), device="cpu")
    stops = ("s Par", "<|im_start|>", ".<|im_", "It is", "zebra")
    asked = [Request((first,), stop, max_new=len(answer), sampling=GREEDY, stop=("never", stop)) for stop in stops]
    found = written(model, asked, batch_size=2)
    for stop, one in found.items():
        whole = tokens.decode(one.tokens)
        assert (stop in whole) == (one.stopped_by == "stop string") == (stop != "zebra")
        assert stop == "zebra" or stop not in tokens.decode(one.tokens[:-1]), "at the first token that completes it"


def test_a_stop_string_that_begins_in_the_prompt_does_not_count(organism):
    model = organism("reflective")
    prompt = prompts(model)[2]
    end = model.tokenizer.decode(prompt[-1:])
    request = Request(prompt, "a", sampling=GREEDY, max_new=30, stop=(end,))
    assert written(model, [request])["a"].stopped_by == "end token"


def test_readings_of_every_shape(organism):
    model, prompt = organism("reflective"), prompts(organism("reflective"))[0]
    digits = tuple((model.tokenizer.get_vocab()[str(digit)],) for digit in range(10))
    sites = [direction(model, Site(3), seed) for seed in (1, 2)]
    readouts = [Entropy(), Options("digits", digits), TopTokens(3), Projections("along", sites), Norm(Site(3))]
    found = written(model, [Request(prompt, "a", max_new=5, sampling=GREEDY)], readouts=readouts)["a"]
    text = Text((*prompt, *found.tokens[:2]), len(prompt), "a")
    log_p = next_token_logprobs(model, [text])[0]
    ids, tops = found.readings["top_tokens"][2]
    assert [int(each) for each in ids] == log_p.topk(3).indices.tolist()
    assert tops == pytest.approx(log_p.topk(3).values.tolist(), abs=1e-4)
    assert found.readings["digits"][2] == pytest.approx([float(log_p[i].exp()) for (i,) in digits], abs=1e-5)
    assert found.readings["entropy"][2] == pytest.approx(float(-(log_p.exp() * log_p).sum()), abs=1e-4)
    singles = written(
        model,
        [Request(prompt, "a", max_new=5, sampling=GREEDY)],
        readouts=[Projection(str(index), one) for index, one in enumerate(sites)],
    )["a"]
    for index in (0, 1):
        several = [values[index] for values in found.readings["along"]]
        assert several == pytest.approx(list(singles.readings[str(index)]), abs=1e-5)
    assert all(math.isfinite(value) and value > 0 for value in found.readings["norm"])

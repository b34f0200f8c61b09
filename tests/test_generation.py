"""A text depends on its own identity alone: no difference in tokens is tolerated (organism, float32, greedy)."""

from dataclasses import replace

import pytest
import torch
from plain_decoding import plain_text
from steered import direction
from tiny_models import FAMILIES

from introlab.errors import ContextOverflow, InputError
from introlab.generation.requests import Request
from introlab.generation.sampling import GREEDY, Sampling
from introlab.generation.scheduler import generate
from introlab.interventions.interfaces import Intervention
from introlab.interventions.logit_edits import Suppress
from introlab.network.messages import user
from introlab.network.model import load
from introlab.network.sites import Site
from introlab.network.spans import Span
from probes.online import Projection, TokenProbability
from steering.edits import Add
from steering.strength import Dose

QUESTIONS = [
    "what is the last digit of 3 + 8 + 5 ?",
    "tell me about the sea .",
    "describe the castle . also talk about the farm .",
    "hello .",
    "tell me the last digit of 9 + 9 + 1 + 4 .",
    "explain the court .",
    "who are you ?",
    "2 + 7 + 4 + 1 + 9 ends in which digit ?",
]


def requests(model, temperature=0.0, push=True, max_new=30):
    made = []
    for index, question in enumerate(QUESTIONS):
        steps = (intervention(model, 0.5 * (index % 3)),) if push and index % 3 else ()
        made.append(
            Request(
                tuple(model.ids([user(question)])),
                f"q{index}",
                interventions=steps,
                max_new=max_new,
                sampling=Sampling(temperature),
            )
        )
    return made


def intervention(model, natural, site=None):
    site = site or Site(3)
    one = direction(model, site, seed=5, scale=15.0)
    return Intervention(Add(one, Dose.of(one, natural=natural, residual_norm=20.0)), site, Span.generated())


def tokens(model, asked, **settings):
    return {request.item: generation.tokens for request, generation in generate(model, asked, seed=3, **settings)}


def plain(model, request):
    """The same text, written by the independent implementation."""
    push = request.interventions[0] if request.interventions else None
    return plain_text(
        model,
        request.prompt,
        item=request.item,
        seed=3,
        max_new=request.max_new,
        temperature=request.sampling.temperature,
        added=push.edit.direction.vector * push.edit.dose.raw if push else None,
        layer=push.site.layer if push else None,
        where=lambda position, prompt_len: position >= prompt_len - 1,
    )


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@pytest.mark.parametrize(
    "settings",
    [{"batch_size": 1}, {"batch_size": 3}, {}],
    ids=["one by one", "threes", "as many as fit"],
)
@pytest.mark.parametrize("deterministic", [False, True])
def test_the_same_tokens_as_without_batches_cache_or_sharing(organism, temperature, settings, deterministic):
    model = replace(organism("reflective"), deterministic=deterministic)
    asked = requests(model, temperature)
    assert tokens(model, asked, **settings) == {request.item: plain(model, request) for request in asked}


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
@pytest.mark.parametrize("path", ["direct", "bridge"])
def test_the_same_tokens_by_any_path(path, attention):
    model = load("organism:reflective", attention=attention)
    asked = requests(model, temperature=1.0, max_new=12)
    written = tokens(model.through(path), asked, batch_size=5)
    assert written == {request.item: plain(model, request) for request in asked}


def test_the_same_tokens_in_any_order(organism):
    model = organism("reflective")
    asked = requests(model, temperature=1.0)
    assert tokens(model, asked) == tokens(model, asked[::-1], batch_size=3)


def test_float64_writes_prompts_of_mixed_lengths(organism):
    """Padded on the left, attention over nothing but padding was NaN (its softmax is in float32), and spread."""
    double, single = organism("reflective", dtype="float64"), organism("reflective")
    assert tokens(double, requests(double)) == tokens(single, requests(single))


def test_strength_zero_equals_no_hook(organism):
    model = organism("reflective")
    plain = requests(model, push=False)
    zero = [
        Request(one.prompt, one.item, interventions=(intervention(model, 0.0),), max_new=30, sampling=GREEDY)
        for one in plain
    ]
    one, other = ({r.item: g for r, g in generate(model, asked, seed=0)} for asked in (plain, zero))
    assert all(one[item].tokens == other[item].tokens and one[item].logprobs == other[item].logprobs for item in one)


def test_steering_goes_on_under_the_cache(organism):
    """The residual stands 2.5 units further along at every new token, not at the first alone."""
    model = organism("reflective")
    prompt = tuple(model.ids([user("tell me about the sea .")]))
    push = intervention(model, 2.5)
    once = Intervention(push.edit, push.site, Span.generated(0, 1))
    made = [
        Request(prompt, name, interventions=steps, max_new=30, sampling=GREEDY)
        for name, steps in (("never", ()), ("always", (push,)), ("once", (once,)))
    ]
    readouts = [Projection("along", push.edit.direction)]
    along = {
        request.item: generation.readings["along"]
        for request, generation in generate(model, made, seed=0, readouts=readouts)
    }
    assert max(map(abs, along["never"])) < 1.2, "how far it stands by itself"
    assert min(along["always"]) > 1.3
    assert along["once"][0] > 1.3 and max(map(abs, along["once"][1:])) < 1.2


@pytest.mark.parametrize("family", FAMILIES)
def test_greedy_equals_hugging_face_generate(family, family_folder, family_model):
    from transformers import AutoModelForCausalLM

    model = family_model(family)
    reference = AutoModelForCausalLM.from_pretrained(family_folder(family), attn_implementation="eager").eval()
    prompts = [(2, 5, 6, 7), (2, 8, 9, 10, 11, 12), (2, 20)]
    asked = [Request(prompt, str(prompt), max_new=8, sampling=GREEDY) for prompt in prompts]
    mine = tokens(model, asked, batch_size=3)
    for prompt in prompts:
        ids = torch.tensor([prompt])
        theirs = reference.generate(ids, max_new_tokens=8, do_sample=False)[0, len(prompt) :].tolist()
        assert list(mine[str(prompt)]) == theirs


def test_conditions_of_one_item_share_their_random_numbers(organism):
    model = organism("reflective")
    prompt = tuple(model.ids([user("tell me about the sea .")]))
    plain = Request(prompt, "one", max_new=12)
    nudged = Request(prompt, "one", interventions=(intervention(model, 0.0),), max_new=12)
    other = Request(prompt, "another", max_new=12)
    again = Request(prompt, "one", replicate=1, max_new=12)
    written = [generation.tokens for _, generation in generate(model, [plain, nudged, other, again], seed=0)]
    assert written[0] == written[1]
    assert len({written[0], written[2], written[3]}) == 3


def test_readings_are_taken_where_the_token_is_predicted(organism):
    model = organism("reflective")
    one = intervention(model, 1.0).edit.direction
    request = Request(tuple(model.ids([user("hello .")])), "one", max_new=10, sampling=GREEDY)
    token = model.tokenizer.get_vocab()["hello"]
    readouts = [TokenProbability("p_hello", (token,)), Projection("projection", one)]
    ((_, generation),) = generate(model, [request], seed=0, readouts=readouts)
    assert all(len(values) == len(generation.tokens) for values in generation.readings.values())
    at = generation.tokens.index(token)
    assert generation.readings["p_hello"][at] == pytest.approx(
        torch.tensor(generation.logprobs[at]).exp().item(), abs=1e-6
    )
    from introlab.activations.extract import read
    from introlab.activations.forward import Text

    text = Text((*request.prompt, *generation.tokens), len(request.prompt), "one")
    places = [len(request.prompt) - 1 + index for index in range(len(generation.tokens))]
    again = read(model, [text], [one.site], [places])
    expected = [float(one.projection(again[one.site, index].values)[0]) / one.scale for index in range(len(places))]
    assert list(generation.readings["projection"]) == pytest.approx(expected, abs=1e-4)


def test_a_reading_at_an_edited_site_sees_the_edit(organism):
    model = organism("reflective")
    push = intervention(model, 2.0)
    request = Request(tuple(model.ids([user("hello .")])), "one", max_new=3, sampling=GREEDY)
    plain, pushed = (
        next(
            iter(
                generate(
                    model,
                    [Request(request.prompt, "one", interventions=steps, max_new=1, sampling=GREEDY)],
                    seed=0,
                    readouts=[Projection("p", push.edit.direction)],
                )
            )
        )[1].readings["p"][0]
        for steps in ((), (push,))
    )
    assert pushed - plain == pytest.approx(2.0, abs=1e-4)


def test_banned_tokens_are_never_written(organism):
    model = organism("reflective")
    prompt = tuple(model.ids([user("hello .")]))
    hello = model.tokenizer.get_vocab()["hello"]
    asked = [Request(prompt, f"i{index}", logits=(Suppress((hello,)),), max_new=8) for index in range(20)]
    assert all(hello not in written for written in tokens(model, asked).values())


def test_a_prompt_longer_than_the_context(organism):
    model = organism("reflective")
    with pytest.raises(ContextOverflow, match="shorten the prompt"):
        list(generate(model, [Request(tuple([5] * 250), "long", max_new=20)], seed=0))


def test_a_row_that_is_not_finite_fails_alone(organism):
    model = organism("reflective")
    one = intervention(model, 1.0)
    huge = Intervention(Add(one.edit.direction, Dose(1e39, 1.0, 1.0)), one.site, Span.generated(3))
    prompt = tuple(model.ids([user("tell me about the sea .")]))
    asked = [Request(prompt, f"q{index}", max_new=12) for index in range(4)]
    asked.append(Request(prompt, "the broken one", interventions=(huge,), max_new=12))
    found = {request.item: generation for request, generation in generate(model, asked, seed=3, batch_size=2)}
    broken = found.pop("the broken one")
    assert broken.stopped_by == "failure" and "the broken one" in broken.error and len(broken.tokens) == 3
    assert {item: one.tokens for item, one in found.items()} == {one.item: plain(model, one) for one in asked[:-1]}


def test_a_batch_of_none(organism):
    model = organism("reflective")
    assert list(generate(model, [], seed=0)) == []
    with pytest.raises(InputError, match="at least one row"):
        list(generate(model, requests(model), seed=0, batch_size=0))

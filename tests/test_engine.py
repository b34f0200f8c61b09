"""What a row may have of its own - edits, schedules, gates, logits, forks, sampling, endings - and that nobody else
sees any of it. Greedy or sampled on tiny models in float32: no difference in tokens is tolerated."""

from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch
from plain_decoding import plain_text
from steered import direction, prompts, push, written
from tiny_models import FAMILIES

from introlab.activations.extract import next_token_logprobs
from introlab.activations.forward import Text
from introlab.errors import ContextOverflow, EditNotApplied, InputError, ModelMismatch
from introlab.generation.decode import DecodingBatch
from introlab.generation.requests import Request
from introlab.generation.sampling import GREEDY
from introlab.generation.scheduler import generate
from introlab.interventions.interfaces import Gate, Intervention, Schedule
from introlab.interventions.logit_edits import Bias, Force, Fork, Suppress
from introlab.network.sites import Site
from introlab.network.spans import Span
from probes.online import Entropy, Norm, Projection, Projections
from steering.edits import Cap

SPANS = {
    "all": (Span.all(), lambda p, n: 1),
    "prompt": (Span.prompt(), lambda p, n: p < n - 1),
    "last": (Span.last(), lambda p, n: p == n - 1),
    "window": (Span.generated(1, 4), lambda p, n: n <= p < n + 3),
    "all but the first": (Span.all() - Span.positions(0, 1), lambda p, n: p > 0),
}


@pytest.mark.parametrize("family", FAMILIES)
def test_any_span_in_any_family_as_an_independent_hook_does_it(family, family_model):
    """Rows of mixed lengths (past the sliding windows of 16), each with its own span and strength, in batches of 4."""
    model, requests, expected = family_model(family), [], {}
    vector = direction(model, Site(1)).vector
    for index, (name, (span, where)) in enumerate(SPANS.items()):
        prompt, raw = tuple(range(4, 8 + 5 * index)), 1.0 + index
        requests.append(Request(prompt, name, interventions=(push(model, raw, span),), max_new=6))
        expected[name] = plain_text(
            model, prompt, item=name, seed=3, max_new=6, added=raw * vector, layer=1, where=where
        )
    assert {name: one.tokens for name, one in written(model, requests, batch_size=4).items()} == expected


def test_many_rows_of_many_lengths_as_one_by_one(organism):
    """Rows end and others enter, over and over: 60 texts of 1 to 40 new tokens, a third of them pushed."""
    model, requests, expected = organism("reflective"), [], {}
    asked, vector = prompts(model), direction(model, Site(3)).vector
    for index in range(60):
        prompt, raw = asked[index % len(asked)], 4.0 * (index % 3)
        steps = (push(model, raw, site=Site(3)),) if raw else ()
        requests.append(Request(prompt, f"row {index}", interventions=steps, max_new=1 + 7 * index % 40))
        expected[f"row {index}"] = plain_text(
            model,
            prompt,
            item=f"row {index}",
            seed=3,
            max_new=1 + 7 * index % 40,
            added=raw * vector,
            layer=3,
            where=lambda p, n: p >= n - 1,
        )
    for size in (8, 64):
        found = written(model, requests, batch_size=size)
        assert {name: one.tokens for name, one in found.items()} == expected


def test_a_deterministic_models_bits_do_not_depend_on_company(organism):
    model = replace(organism("reflective"), deterministic=True)
    requests = [
        Request(prompt, f"{index} {raw}", interventions=(push(model, raw, site=Site(3)),), max_new=20)
        for index, prompt in enumerate(prompts(model))
        for raw in (0.0, 5.0, 9.0)
    ]
    together = written(model, requests, readouts=[Entropy(), Norm(Site(4))])
    for request in requests[::3]:
        alone = written(model, [request], readouts=[Entropy(), Norm(Site(4))])[request.item]
        assert alone == together[request.item], "to the last bit"
    assert written(model, requests[::-1], readouts=[Entropy(), Norm(Site(4))]) == together


# Logits


def test_forced_tokens_and_replacements(organism):
    model = organism("reflective")
    wait, end = model.tokenizer.get_vocab()["wait"], model.end_ids[0]
    prompt = prompts(model)[2]
    free = written(model, [Request(prompt, "a", sampling=GREEDY, max_new=20)])["a"]
    asked = [
        Request(prompt, "first", sampling=GREEDY, max_new=5, logits=(Force(wait, index=0),)),
        Request(prompt, "end", sampling=GREEDY, max_new=20, logits=(Force(wait, instead_of=(end,)),)),
    ]
    found = written(model, asked)
    assert found["first"].tokens[0] == wait
    at = free.tokens.index(end)
    assert found["end"].tokens[:at] == free.tokens[:at] and found["end"].tokens[at] == wait
    assert found["end"].tokens.count(wait) == 1, "once, and then it may end"
    text = Text((*prompt, *found["end"].tokens[:at]), len(prompt), "a")
    log_p = next_token_logprobs(model, [text])[0, wait]
    assert found["end"].logprobs[at] == pytest.approx(float(log_p), abs=1e-4), "the model's own probability of it"


def test_biases_follow_their_schedule_and_leave_readings_alone(family_model):
    model = family_model("llama")
    bias = Bias((9,), 1e4, Schedule((0.0, 1.0, 0.0)))
    requests = [Request((2, 5, 6), "a", max_new=4), Request((2, 5, 6), "a", replicate=0, max_new=4, logits=(bias,))]
    free, biased = (written(model, [request])["a"] for request in requests)
    assert biased.tokens[0] == free.tokens[0] and biased.tokens[1] == 9
    assert biased.logprobs[1] < -0.5, "what it says of itself is not what it was made to say"


def test_suppression_is_a_coin_of_the_trials_own(family_model):
    """Token 9, which would be written every time, is suppressed in half of 200 tokens: 100 +- 35 (5 s.d.), the same
    ones whatever the company."""
    model = family_model("llama")
    always = Bias((9,), 1e4)
    requests = [
        Request((2, 5, 6), f"i{index}", max_new=10, logits=(always, Suppress((9,), 0.5))) for index in range(20)
    ]
    found = written(model, requests, batch_size=20)
    assert 65 <= sum(9 not in (token,) for one in found.values() for token in one.tokens) <= 135
    again = written(model, requests[::-1], batch_size=3)
    assert {name: one.tokens for name, one in found.items()} == {name: one.tokens for name, one in again.items()}
    plain = written(model, [Request((2, 5, 6), "i0", max_new=10, logits=(Suppress((9,), 0.0),))])["i0"]
    assert plain.tokens == plain_text(model, (2, 5, 6), item="i0", seed=3, max_new=10), "its sampling is not touched"


def test_a_fork_reads_and_leaves_no_trace(organism):
    """Its masses are those of the text so far and the suffix, read by themselves; the text goes on as without it."""
    model = organism("reflective")
    vocabulary, prompt = model.tokenizer.get_vocab(), prompts(model)[0]
    options = tuple((vocabulary[str(digit)],) for digit in range(10))
    suffix = tuple(vocabulary[word] for word in ["i", "think", "it", "is"])
    steps = (push(model, 4.0, site=Site(3)),)
    fork = Fork("now", suffix, options, at=(0, 3, 7))
    requests = [
        Request(prompt, "a", interventions=steps, max_new=15, forks=(fork,)),
        Request(prompts(model)[1], "b", max_new=25),
    ]
    found = written(model, requests, batch_size=2)
    bare = written(model, [replace(request, forks=()) for request in requests], batch_size=2)
    assert found["b"] == bare["b"] and found["a"].tokens == bare["a"].tokens
    assert found["a"].receipts == bare["a"].receipts
    read = [index for index, _ in found["a"].forks["now"]]
    assert read == [index for index in (0, 3, 7) if index < len(found["a"].tokens)]
    for index, masses in found["a"].forks["now"]:
        text = Text((*prompt, *found["a"].tokens[:index], *suffix), len(prompt), "a", steps)
        p = next_token_logprobs(model, [text])[0].exp()
        assert masses == pytest.approx([float(p[option].sum()) for option in map(list, options)], abs=1e-5)


# Work that is shared, and work that is done again


@contextmanager
def count_tokens(model):
    """How many tokens each block reads, padding included."""
    read = [0] * model.n_layers

    def count(block):
        def hook(module, args, output):
            read[block] += args[0].shape[0] * args[0].shape[1]

        return hook

    handles = [block.mlp.register_forward_hook(count(index)) for index, block in enumerate(model.path.blocks)]
    try:
        yield read
    finally:
        for handle in handles:
            handle.remove()


def test_a_prompt_is_read_once_for_all_rows_that_share_it(family_model):
    """24 conditions of one prompt of 60 tokens, pushed from its last token on: 59 tokens read once, then one a row."""
    model, prompt = family_model("llama"), tuple(4 + index % 90 for index in range(60))
    requests = [
        Request(prompt, "a", interventions=(push(model, 0.1 * k, seed=k),), max_new=1, note=k) for k in range(24)
    ]
    expected = {
        k: plain_text(
            model,
            prompt,
            item="a",
            seed=3,
            max_new=1,
            added=0.1 * k * direction(model, Site(1), k).vector,
            layer=1,
            where=lambda p, n: p >= n - 1,
        )
        for k in range(24)
    }
    with count_tokens(model) as read:
        found = {request.note: one.tokens for request, one in generate(model, requests, seed=3, batch_size=8)}
    assert found == expected
    assert read == [59 + 24] * 3


def test_an_edit_that_may_change_nothing_still_touches_the_prompt(family_model):
    """What is shared stops before any edit that could act, whatever it then finds to do."""
    model, one = family_model("llama"), direction(family_model("llama"), Site(1))
    capped = Intervention(Cap(one, -99.0), Site(1), Span.all())
    found = written(model, [Request((2, 5, 6, 7), "a", interventions=(capped,), max_new=3)])["a"]
    assert found.receipts[0].prefill == ((0, 4),) and found.receipts[0].projection == pytest.approx(-99.0, abs=1e-3)
    idle = Intervention(Cap(one, 99.0), Site(1), Span.all())
    found = written(model, [Request((2, 5, 6, 7), "a", interventions=(idle,), max_new=3)])["a"]
    assert found.receipts[0].prefill == ((0, 4),) and found.receipts[0].dose == 0


def test_rows_share_up_to_the_first_touched_position_only(family_model):
    model, prompt = family_model("llama"), tuple(4 + index for index in range(33))
    requests = [
        Request(prompt, f"row {k}", interventions=(push(model, 1.0, Span.positions(24, None), seed=k),), max_new=1)
        for k in range(5)
    ]
    with count_tokens(model) as read:
        found = written(model, requests)
    assert read[1:] == [24 + 5 * 8 + 5] * 2, "24 once, 8 more and the last for each"
    assert read[0] == 24 + 8 + 5, "before the first edited block all prompt tokens once, the last for each"
    assert all(one.receipts[0].prefill == ((24, 33),) for one in found.values())


def test_at_strength_0_nothing_is_stated_of_what_need_not_be_read(family_model):
    """Its rows share what they read, so that a projection would be of those positions only that nobody shared."""
    model = family_model("llama")
    found = written(model, [Request((2, 5, 6, 7), "a", interventions=(push(model, 0.0, Span.all()),), max_new=3)])["a"]
    assert found.receipts[0].dose == 0 and found.receipts[0].projection is None


def test_out_of_memory_halves_the_batch_and_loses_nothing(organism, monkeypatch):
    model, honest, sizes = organism("reflective"), DecodingBatch._step, []

    def step(self):
        sizes.append(len(self.rows))
        if len(self.rows) > 3 and len(sizes) % 7 == 0:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return honest(self)

    monkeypatch.setattr(DecodingBatch, "_step", step)
    requests = [Request(prompt, f"{index}", max_new=20) for index, prompt in enumerate(prompts(model) * 5)]
    pairs = list(generate(model, requests, seed=3, batch_size=16))
    assert sorted(request.item for request, _ in pairs) == sorted(request.item for request in requests)
    for request, one in pairs:
        assert one.tokens == plain_text(model, request.prompt, item=request.item, seed=3, max_new=20)
    assert {16, 8, 4} <= set(sizes) and min(sizes) <= 3


def test_memory_that_is_never_enough_is_an_error(organism, monkeypatch):
    model = organism("reflective")

    def step(self):
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(DecodingBatch, "_step", step)
    with pytest.raises(torch.OutOfMemoryError):
        list(generate(model, [Request(prompts(model)[0], "a")], seed=0))


# Input that cannot be used


def test_what_cannot_be_asked_for(family_model):
    model = family_model("llama")
    wrong = {
        "empty prompt": Request((), "a"),
        "nothing to write": Request((2, 5), "a", max_new=0),
        "no layer 9": Request((2, 5), "a", interventions=(push(model, 1.0, site=Site(1)),)),
    }
    for says, request in wrong.items():
        if says == "no layer 9":
            one = request.interventions[0]
            request = replace(request, interventions=(replace(one, site=Site(9)),))
        with pytest.raises(InputError, match=says):
            list(generate(model, [request], seed=0))
    for span in (Span.positions(90, 95), Span.generated(0, 4) - Span.generated()):
        with pytest.raises(EditNotApplied, match="no eligible position"):
            list(generate(model, [Request((2, 5), "a", interventions=(push(model, 1.0, span),), max_new=4)], seed=0))
    with pytest.raises(InputError, match="needs an index"):
        Force(5)
    with pytest.raises(InputError, match="not a probability"):
        Suppress((5,), 1.5)
    with pytest.raises(InputError, match="empty schedule"):
        Schedule(())


def test_a_direction_of_another_model_or_site_is_refused(family_model):
    model, other = family_model("llama"), family_model("qwen2")
    strange, elsewhere = push(other, 3.0), replace(push(model, 3.0), site=Site(2))
    reading = Projections("along", [direction(other, Site(0))])
    for one, says in ((strange, "another model"), (elsewhere, "another site")):
        with pytest.raises(ModelMismatch, match=says):
            written(model, [Request((2, 5, 6), "a", interventions=(one,))])
        with pytest.raises(ModelMismatch, match=says):
            next_token_logprobs(model, [Text((2, 5, 6), 3, "a", (one,))])
    for gate in (None, Gate(Projection("g", direction(other, Site(0))), 0.0)):
        interventions = (push(model, 3.0, gate=gate),) if gate else ()
        with pytest.raises(ModelMismatch, match="another model"):
            written(model, [Request((2, 5, 6), "a", interventions=interventions)], readouts=() if gate else [reading])
    moved = direction(model, Site(1)).at_site(Site(2))
    assert moved.site == Site(2) and "resid_post[1]" in moved.method
    written(model, [Request((2, 5, 6), "a", interventions=(Intervention(Cap(moved, 0.0), Site(2), Span.all()),))])


def test_a_fork_that_would_not_fit_is_refused(family_model):
    model = family_model("llama")
    prompt = tuple(4 + n % 50 for n in range(model.context - 10))
    fits = Fork("asked", (5,) * 6, ((7,),), at=(4,))
    written(model, [Request(prompt, "a", max_new=8, forks=(fits,))])
    with pytest.raises(ContextOverflow):
        written(model, [Request(prompt, "a", max_new=8, forks=(replace(fits, at=(5,)),))])

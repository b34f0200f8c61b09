"""What is added at a site is what changes downstream, nothing else, and the receipt says so."""

from dataclasses import replace

import pytest
import torch
from steered import direction
from tiny_models import FAMILIES

from introlab.activations.extract import next_token_logprobs, read
from introlab.activations.forward import Text
from introlab.errors import EditNotApplied
from introlab.generation.requests import Request
from introlab.generation.sampling import GREEDY
from introlab.generation.scheduler import generate
from introlab.interventions.hooks import Editor
from introlab.interventions.interfaces import Intervention
from introlab.network.sites import WRITABLE, Site
from introlab.network.spans import Span
from steering.edits import Ablate, Add
from steering.strength import Dose

PARALLEL = {"neox"}
"""Attention and MLP read the same input: what attention adds does not pass through the MLP of its block."""
MIXTURES = {"mixtral"}
"""An expert sees all tokens routed to it in one product: how many come later changes the order of its sums."""


def add(model, site, span, natural=1.0, seed=0):
    one = direction(model, site, seed)
    return Intervention(Add(one, Dose.of(one, natural=natural, residual_norm=1.0)), site, span)


def residuals(model, ids, intervention=None):
    """The output of every block at every position."""
    steps = () if intervention is None else (intervention,)
    text = Text(tuple(ids), 4, "one", steps)
    sites = [Site(layer) for layer in range(model.n_layers)]
    found = read(model, [text], sites, [list(range(len(ids)))])
    return torch.stack([torch.cat([found[site, index].values for index in range(len(ids))]) for site in sites])


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("stream", WRITABLE)
def test_the_residual_changes_by_exactly_what_was_added(family, stream, family_model):
    """For a site whose next stop is the end of its block, the block's output changes by the vector itself."""
    model, ids = family_model(family), [5, 6, 7, 8, 9, 10, 11, 12]
    site = Site(1, stream)
    intervention = add(model, site, Span.positions(5, 7))
    before, after = residuals(model, ids), residuals(model, ids, intervention)
    change = after - before
    vector = intervention.edit.direction.vector * 2.0
    assert torch.equal(change[0], torch.zeros_like(change[0])), "earlier blocks are bit-equal"
    exact = 1e-6 if family in MIXTURES else 0.0
    assert change[1, :5].abs().max() <= exact, "earlier positions are bit-equal"
    if stream in ("resid_post", "mlp_out") or (stream == "attn_out" and family in PARALLEL):
        assert torch.allclose(change[1, 5:7], vector.expand(2, -1), atol=1e-5)
        assert stream == "attn_out" or change[1, 7].abs().max() < 1e-5, "the block itself has not mixed positions yet"
    else:
        assert (change[1, 5] - vector).norm() > 1e-3, "the rest of the block answers to the change as well"
        assert change[1, 5].norm() > 0.1


@pytest.mark.parametrize("family", FAMILIES)
def test_steering_equals_a_plain_torch_hook(family, family_folder, family_model):
    """An independent implementation: a forward hook on the Hugging Face block."""
    from transformers import AutoModelForCausalLM

    model = family_model(family)
    reference = AutoModelForCausalLM.from_pretrained(family_folder(family), attn_implementation="eager").eval()
    blocks = next(
        module for module in reference.modules() if isinstance(module, torch.nn.ModuleList) and len(module) == 3
    )
    one = direction(model, Site(1))

    def hook(_module, _inputs, output):
        hidden = output[0] if isinstance(output, tuple) else output
        hidden = hidden + 3.0 * one.vector
        return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

    ids = torch.tensor([[5, 6, 7, 8, 9]])
    handle = blocks[1].register_forward_hook(hook)
    with torch.inference_mode():
        expected = reference(ids).logits
    handle.remove()
    push = Intervention(Add(one, Dose(3.0, 1.5, 1.0)), Site(1), Span.all())
    logits = next_token_logprobs(model, [Text(tuple(ids[0].tolist()), 5, "one", (push,))])
    assert (logits - expected[:, -1].log_softmax(-1)).abs().max() < 1e-4


def test_ablation_removes_the_projection_and_nothing_else(family_model):
    model, ids = family_model("llama"), [5, 6, 7, 8, 9]
    one = direction(model, Site(1))
    before, after = residuals(model, ids), residuals(model, ids, Intervention(Ablate(one), Site(1), Span.all()))
    assert one.projection(after[1]).abs().max() < 1e-5
    rest = before[1] - one.projection(before[1])[:, None] * one.vector
    assert torch.allclose(after[1], rest, atol=1e-5)


def test_strength_zero_is_bit_identical(family_model):
    model, ids = family_model("llama"), [5, 6, 7, 8, 9]
    assert torch.equal(residuals(model, ids), residuals(model, ids, add(model, Site(1), Span.all(), natural=0.0)))


def test_every_row_has_its_own_edits(family_model):
    """One batch of four different rows equals four batches of one."""
    model = family_model("qwen3")
    rows = [
        (),
        (add(model, Site(0), Span.all(), seed=1),),
        (add(model, Site(1), Span.generated(), 2.0, seed=2), add(model, Site(1), Span.last(), seed=3)),
        (Intervention(Ablate(direction(model, Site(2))), Site(2), Span.prompt()),),
    ]
    requests = [
        Request((2, 5, 6, 7 + index, 8), f"row {index}", interventions=row, max_new=6, sampling=GREEDY)
        for index, row in enumerate(rows)
    ]
    together = {request.item: generation for request, generation in generate(model, requests, seed=0, batch_size=4)}
    for request in requests:
        ((_, alone),) = generate(model, [request], seed=0)
        assert alone.tokens == together[request.item].tokens
        assert torch.allclose(torch.tensor(alone.logprobs), torch.tensor(together[request.item].logprobs), atol=1e-5)


def test_edits_of_a_row_act_in_the_order_given(family_model):
    model, ids = family_model("llama"), [5, 6, 7, 8]
    one = direction(model, Site(1))
    push, ablate = (
        Intervention(Add(one, Dose(4.0, 2.0, 1.0)), Site(1), Span.all()),
        Intervention(Ablate(one), Site(1), Span.all()),
    )
    text = {"push first": (push, ablate), "ablate first": (ablate, push)}
    found = {
        name: read(model, [Text(tuple(ids), 4, name, steps)], [Site(1)], [[3]])[Site(1), 0].values
        for name, steps in text.items()
    }
    assert abs(float(one.projection(found["push first"])[0])) < 1e-5
    assert abs(float(one.projection(found["ablate first"])[0]) - 4.0) < 1e-5


def receipt_of(model, span, max_new=5, natural=1.0):
    request = Request(
        (2, 5, 6, 7, 8),
        "one",
        interventions=(add(model, Site(1), span, natural),),
        max_new=max_new,
        sampling=GREEDY,
    )
    ((_, generation),) = generate(model, [request], seed=0)
    return generation.receipts[0], len(generation.tokens)


@pytest.mark.parametrize("path", ["direct", "bridge"])
def test_receipts_name_absolute_positions(path, family_model):
    model = family_model("llama").through(path)
    request = Request(
        (2, 5, 6, 7, 8), "one", interventions=(add(model, Site(1), Span.generated()),), max_new=5, sampling=GREEDY
    )
    ((_, generation),) = generate(model, [request], seed=0)
    receipt = generation.receipts[0]
    read_last = 5 + len(generation.tokens) - 1
    assert receipt.prefill == ((4, 5),)
    assert receipt.decoded == ((5, read_last),)
    assert receipt.touched == read_last - 4


def test_dose_is_the_change_as_a_share_of_what_was_there(family_model):
    model = family_model("llama")
    receipt, _ = receipt_of(model, Span.last(), max_new=1)
    norm = float(residuals(model, [2, 5, 6, 7, 8])[1, 4].norm())
    assert receipt.share == pytest.approx(2.0 / norm, rel=1e-3)


def test_a_row_that_ends_before_its_span_says_so(family_model):
    receipt, written = receipt_of(family_model("llama"), Span.generated(50, 60))
    assert written <= 5 and receipt.status == "ended before its span" and receipt.touched == 0


def test_a_span_that_can_touch_nothing_is_an_error(family_model):
    with pytest.raises(EditNotApplied, match="no eligible position"):
        receipt_of(family_model("llama"), Span.positions(90, 95))


def test_a_hook_that_never_ran_is_caught(family_model, monkeypatch):
    """Planted fault: the edits are planned, but the hooks are lost on the way."""
    model = family_model("llama")
    monkeypatch.setattr(Editor, "hooks", lambda *_: [])
    with pytest.raises(EditNotApplied, match="did not land as planned"):
        receipt_of(model, Span.generated())


def test_positions_counted_from_each_pass_are_caught(family_model, monkeypatch):
    """Planted fault: the classic one. A span judged relative to the current pass touches nothing once the cache
    takes over - which looks exactly like a model that resists steering."""
    model, honest = family_model("llama"), Editor.hooks

    def relative(self, now):
        return honest(self, replace(now, positions=now.positions - now.positions.min()))

    monkeypatch.setattr(Editor, "hooks", relative)
    with pytest.raises(EditNotApplied, match="did not land as planned"):
        receipt_of(model, Span.generated())


def test_an_edit_without_effect_is_caught(family_model, monkeypatch):
    """Planted fault: the edit runs and changes nothing."""
    monkeypatch.setattr(Add, "stacked", classmethod(lambda cls, edits, like: lambda values, *_: values))
    with pytest.raises(EditNotApplied, match="did not land as planned"):
        receipt_of(family_model("llama"), Span.all())


def test_an_edit_leaves_its_input_alone(family_model):
    """An in-place edit would also change what an earlier reading hook saved."""
    model = family_model("llama")
    values = torch.randn(1, 3, model.d_model)
    kept = values.clone()
    one = direction(model, Site(1))
    for edit in (Add(one, Dose(1.0, 1.0, 1.0)), Ablate(one)):
        type(edit).stacked([edit], values)(values, torch.ones(1, 3), torch.arange(3)[None])
        assert torch.equal(values, kept)

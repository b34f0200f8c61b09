"""What is added at a site is what changes downstream, nothing else, and the receipt says so."""

from dataclasses import replace

import pytest
import torch
from tiny_models import FAMILIES

from introlab.activations import next_token_logprobs, read
from introlab.directions import Direction
from introlab.editing import Editor
from introlab.errors import EditNotApplied, InputError, NotFinite
from introlab.generation import generate
from introlab.passes import Text
from introlab.protocols import Intervention
from introlab.requests import Request
from introlab.sampling import GREEDY
from introlab.sites import WRITABLE, Site
from introlab.spans import Span
from steering.dose import Dose
from steering.edits import Ablate, Add, AddKeepingNorm, Cap, Clamp, Replace
from steering.patching import patch, path_patch
from steering.sae_edits import Latent

PARALLEL = {"neox"}
"""Attention and MLP read the same input: what attention adds does not pass through the MLP of its block."""
MIXTURES = {"mixtral"}
"""An expert sees all tokens routed to it in one product: how many come later changes the order of its sums."""


def direction(model, site, seed=0, scale=2.0):
    vector = torch.randn(model.d_model, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return Direction((vector / vector.norm()).float(), scale, site, model.fingerprint, model.family, "test", ("fit",))


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


# Edits of every kind, on values of known size


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


# Patching


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

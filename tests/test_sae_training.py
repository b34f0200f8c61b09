"""Autoencoders are trained on what was chosen, find what was planted, and come out the same bytes in whatever way."""

import json

import numpy as np
import pytest
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from planted_dictionary import SITE, line, planted_store
from sae_lens import SAE

from introlab.activations.collect import Reading, Sample, collect
from introlab.activations.forward import Text
from introlab.errors import InputError, NotFinite
from introlab.network.messages import assistant, system, user
from introlab.network.sites import Site
from introlab.network.spans import Span
from probes.sae import training as sae_training
from probes.sae.formats import CHECKPOINT
from probes.sae.token_dataset import CHUNK, TokenChoice, TokenRows
from probes.sae.training import Recipe, train_sae

KINDS = ("topk", "batchtopk", "jumprelu")
WEIGHTS = "sae_weights.safetensors"


@pytest.fixture(scope="module")
def planted(tmp_path_factory):
    return planted_store(tmp_path_factory.mktemp("planted"))


def recipe(kind, **more):
    return Recipe(
        **{"architecture": kind, "latents": 48, "active": 2, "tokens": 30 * 256, "batch_size": 256, "seed": 3, **more}
    )


@pytest.mark.parametrize("kind", KINDS)
def test_planted_directions_are_found(planted, tmp_path, kind):
    """24 directions in 16 dimensions, two at a time: each is some latent's, to a cosine of .95 for 20 of them. The best
    of 48 random directions is beyond .9 of a given one with a chance of 1e-6 each, and before training none is."""
    store, directions = planted
    trained = recipe(kind, tokens=1200 * 256, learning_rate=3e-3, dead_after=20_000)
    train_sae(store, SITE, tmp_path / "sae", trained)
    found = SAE.load_from_disk(tmp_path / "sae")
    cosines = torch.nn.functional.normalize(found.W_dec.detach(), dim=-1) @ directions.T
    assert (cosines.max(0).values > 0.95).sum() >= 20
    begun = sae_training._trainer(trained, 16, "cpu").sae.W_dec.detach()
    assert ((torch.nn.functional.normalize(begun, dim=-1) @ directions.T).max(0).values > 0.95).sum() == 0
    _, kept = TokenRows.of(store, SITE, TokenChoice())
    values = kept.values(np.arange(len(kept)))
    latents = found.encode(values).detach()
    explained = 1 - (values - found.decode(latents)).square().sum() / (values - values.mean(0)).square().sum()
    assert explained > 0.9, "on held-out items, in the units of the activations"
    assert (latents > 0).sum(-1).float().mean() < 4


@pytest.mark.parametrize("kind", KINDS)
def test_equal_seeds_give_equal_bytes_and_other_seeds_do_not(planted, tmp_path, kind):
    store, _ = planted
    before = torch.get_rng_state()
    for name, seed in (("one", 3), ("two", 3), ("other", 4)):
        train_sae(store, SITE, tmp_path / name, recipe(kind, seed=seed))
        torch.randn(1)  # whatever the caller does with global random numbers has no say
    one, two, other = ((tmp_path / name / WEIGHTS).read_bytes() for name in ("one", "two", "other"))
    assert one == two != other
    torch.set_rng_state(before)


@pytest.mark.parametrize("kind", KINDS)
def test_a_stopped_training_goes_on_to_the_same_bytes(planted, tmp_path, kind, monkeypatch):
    store, _ = planted
    train_sae(store, SITE, tmp_path / "whole", recipe(kind))
    honest, taken = TokenRows.batches, []

    def until_stopped(self, **settings):
        for batch in honest(self, **settings):
            if len(taken) == 17:
                raise KeyboardInterrupt
            taken.append(len(batch))
            yield batch

    monkeypatch.setattr(TokenRows, "batches", until_stopped)
    with pytest.raises(KeyboardInterrupt):
        train_sae(store, SITE, tmp_path / "stopped", recipe(kind), checkpoint_every=10)
    assert (tmp_path / "stopped" / CHECKPOINT).exists() and not (tmp_path / "stopped" / WEIGHTS).exists()
    monkeypatch.setattr(TokenRows, "batches", honest)
    with pytest.raises(InputError, match="another training"):
        train_sae(store, SITE, tmp_path / "stopped", recipe(kind, seed=8), checkpoint_every=10)
    steps = []
    monkeypatch.setattr(
        TokenRows, "batches", lambda self, **settings: (steps.append(settings["first"]), honest(self, **settings))[1]
    )
    train_sae(store, SITE, tmp_path / "stopped", recipe(kind), checkpoint_every=10)
    assert steps == [10], "it goes on after the last checkpoint, not from the start"
    assert (tmp_path / "stopped" / WEIGHTS).read_bytes() == (tmp_path / "whole" / WEIGHTS).read_bytes()
    assert not (tmp_path / "stopped" / CHECKPOINT).exists()


def test_what_is_done_is_not_done_again_and_says_what_it_is(planted, tmp_path, monkeypatch):
    store, _ = planted
    record = train_sae(store, SITE, tmp_path / "sae", recipe("topk"))
    assert record == json.loads((tmp_path / "sae" / "training.json").read_text())
    assert record["store"]["model"] == "0123456789abcdef" and record["site"] == str(SITE) and record["steps"] == 30
    assert record["rows"]["trained on"] + record["held out"]["rows"] == 12_000
    monkeypatch.setattr(TokenRows, "batches", lambda *_, **__: pytest.fail("trained again"))
    assert train_sae(store, SITE, tmp_path / "sae", recipe("topk")) == record
    with pytest.raises(InputError, match="another training"):
        train_sae(store, SITE, tmp_path / "sae", recipe("topk", active=3))


def test_held_out_items_are_never_read(planted, tmp_path, monkeypatch):
    store, _ = planted
    choice, seen = TokenChoice(held_out=0.3), []
    honest = type(store).activations
    monkeypatch.setattr(
        type(store), "activations", lambda self, lines: (seen.extend(lines["item"]), honest(self, lines))[1]
    )
    record = train_sae(store, SITE, tmp_path / "sae", recipe("topk"), choice)
    kept = {f"item {number}" for number in range(100) if choice.holds_out(f"item {number}")}
    assert not kept & set(seen) and len(kept) == record["held out"]["items"] and 15 < len(kept) < 45
    assert set(seen) | kept == {f"item {number}" for number in range(100)}


def test_tokens_are_chosen_by_turn_role_and_phase(family_model, tmp_path):
    """Against a hand count of one dialogue; a position that two readings hold is taken once."""
    model = family_model("llama")
    dialogue = [system("w1 w2"), user("w3 w4 w5"), assistant("w6"), user("w7 w8")]
    ids = model.ids(dialogue)
    turns = {**model.chat.spans(dialogue), "assistant 1": Span.positions(len(ids), len(ids) + 2)}
    sample = Sample(Text((*ids, 20, 21, 2), len(ids), "a"), turns=turns)
    readings = [Reading(SITE, Span.all(), "tokens"), Reading(SITE, Span.prompt(), "tokens"), Reading(SITE, Span.all())]
    index = collect(model, [sample], readings, tmp_path / "store").index()

    def taken(**choice):
        lines = index[TokenChoice(**choice).takes(index)]
        assert lines["position"].is_unique
        return model.text(lines.sort_values("position")["token"].tolist())

    written = model.text([20, 21])
    assert taken() == f"w1 w2 w3 w4 w5 w6 w7 w8 {written}"
    assert taken(roles=("user",)) == "w3 w4 w5 w7 w8"
    assert taken(roles=("assistant",)) == f"w6 {written}"
    assert taken(phases=("generated",)) == written
    assert taken(phases=("prompt",), roles=("system", "assistant")) == "w1 w2 w6"
    everything = index[TokenChoice(template=True).takes(index)]
    assert sorted(everything["position"]) == list(range(len(ids) + 3))
    assert 20 not in index[TokenChoice(template=True, without=(20,)).takes(index)]["token"].tolist()


@settings(max_examples=25, deadline=None)
@given(count=st.integers(1, 700), size=st.integers(1, 60), first=st.integers(0, 60), seed=st.integers(0, 3))
def test_each_epoch_shows_every_row_once_in_an_order_of_its_own(count, size, first, seed, tmp_path_factory):
    assume(count >= size)
    rows = numbered(count)
    per_epoch = count // size
    batches = rows.batches(size=size, seed=seed)
    epochs = [[next(batches) for _ in range(per_epoch)] for _ in range(2)]
    for epoch in epochs:
        seen = torch.cat(epoch)[:, 0].tolist()
        assert len(set(seen)) == len(seen) == per_epoch * size
    if per_epoch * size > 20:
        assert not torch.equal(torch.cat(epochs[0]), torch.cat(epochs[1]))
    later = rows.batches(size=size, seed=seed, first=first)
    again = rows.batches(size=size, seed=seed)
    skipped = [next(again) for _ in range(first + 3)][first:]
    assert all(torch.equal(next(later), each) for each in skipped)


def test_companions_come_from_far_apart(monkeypatch):
    """Of 64 rows in a batch, neighbours on disk would be 64 or less apart; these are spread over most of 6,400."""
    rows = numbered(100 * CHUNK)
    batch = next(rows.batches(size=64, seed=0))[:, 0]
    assert batch.std() > 1000
    monkeypatch.setattr("probes.sae.token_dataset.BLOCK_BYTES", 4 * 2 * 64 * 4)
    small = next(rows.batches(size=64, seed=0))[:, 0]
    assert len({int(row) // CHUNK for row in small}) > 2, "blocks of 256 rows hold four chunks from anywhere"


def numbered(count):
    """Rows that hold their own number, without a disk."""

    class Numbered(TokenRows):
        def values(self, which):
            return torch.from_numpy(np.stack([which, which], 1)).float()

    return Numbered(None, [None] * count)


def test_moments_are_those_of_all_rows(planted):
    store, _ = planted
    rows, _ = TokenRows.of(store, SITE, TokenChoice())
    values = rows.values(np.arange(len(rows))).double()
    mean, variance = rows.moments()
    assert torch.allclose(mean, values.mean(0), atol=1e-9)
    assert variance == pytest.approx(float((values - values.mean(0)).square().sum(-1).mean()), rel=1e-9)
    shuffled = np.random.default_rng(0).permutation(len(rows))[:500]
    assert torch.equal(rows.values(shuffled).double(), values[shuffled])


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"architecture": "nonesuch"}, "cannot make"),
        ({"settings": {"colour": 1}}, "cannot make"),
        ({"tokens": 100}, "no step"),
        ({"active": 2.5}, "active latents"),
        ({"active": 49}, "active latents"),
        ({"batch_size": 100_000, "tokens": 200_000}, "fewer tokens than a batch"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(planted, tmp_path, wrong, said):
    with pytest.raises(InputError, match=said):
        train_sae(planted[0], SITE, tmp_path / "sae", recipe("topk", **wrong))


@pytest.mark.parametrize(
    ("kind", "more"),
    [("standard", {"l1_coefficient": 0.1}), ("gated", {}), ("matryoshka_batchtopk", {"matryoshka_widths": [12, 48]})],
)
def test_other_architectures_of_sae_lens_run(planted, tmp_path, kind, more):
    train_sae(planted[0], SITE, tmp_path / "sae", recipe(kind, settings=more))
    norms = SAE.load_from_disk(tmp_path / "sae").W_dec.norm(dim=-1)
    assert torch.allclose(norms, torch.ones_like(norms), atol=1e-4)


def test_a_training_that_comes_to_nan_is_an_error(planted, tmp_path, monkeypatch):
    honest = TokenRows.batches
    monkeypatch.setattr(
        TokenRows, "batches", lambda *given, **more: (each * torch.nan for each in honest(*given, **more))
    )
    with pytest.raises(NotFinite):
        train_sae(planted[0], SITE, tmp_path / "sae", recipe("jumprelu"))
    assert not (tmp_path / "sae" / WEIGHTS).exists()


def test_a_text_of_two_items_is_refused(tmp_path):
    store, _ = planted_store(tmp_path / "store", rows=200)
    store.append(
        [{**line(number, number, 7), "key": f"again {number}"} for number in range(100)], {SITE: torch.zeros(100, 16)}
    )
    with pytest.raises(InputError, match="two items"):
        TokenRows.of(store, SITE, TokenChoice())


def test_a_store_without_such_tokens_is_refused(planted, tmp_path):
    with pytest.raises(InputError, match="no tokens to train on"):
        train_sae(planted[0], Site(4), tmp_path / "sae", recipe("topk"))
    with pytest.raises(InputError, match="no tokens to train on"):
        train_sae(planted[0], SITE, tmp_path / "sae", recipe("topk"), TokenChoice(roles=("assistant",)))
    with pytest.raises(InputError, match="leaves none"):
        TokenChoice(phases=())

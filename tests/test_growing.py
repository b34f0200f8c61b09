"""Training is what the recipe says: same bytes, stopped or not; adapters are what peft reads."""

import json
import random

import pytest
import torch
from peft import PeftModel
from transformers import AutoModelForCausalLM

from introlab.network.model import load
from introlab.network.specs import organism_folder
from organisms.adapters import add_adapters, save_adapters
from organisms.distillation import keeping_loss, kept
from organisms.reference_model import Subject
from organisms.registry import FAMILY
from organisms.steered_examples import PushedExample, pushed_loss
from organisms.train import is_finished, train_family, train_organism
from organisms.training import (
    Checkpoint,
    LearningSchedule,
    SpreadExample,
    TrainingExample,
    new_model,
    padded,
    shuffled_batches,
    train,
    weighted_loss,
)
from organisms.world import World


def some_examples(count=200):
    rng = random.Random(0)
    return [TrainingExample(tuple(rng.randrange(4, 40) for _ in range(10)), (0.0,) + (1.0,) * 9) for _ in range(count)]


def weights_of(model):
    return [weight.detach().clone() for weight in model.parameters()]


def same(one, other):
    return all(torch.equal(left, right) for left, right in zip(one, other, strict=True))


@pytest.fixture(scope="module")
def base():
    return Subject(organism_folder() / "base")


def test_a_token_counts_the_same_beside_short_and_long_texts():
    """The loss of two texts together is the mean of their losses apart: neither padding nor company matters."""
    model = new_model(50, seed=0)
    short, long = TrainingExample((2, 5, 6), (0.0, 1.0, 0.5)), TrainingExample((2, *range(4, 34)), (0.0, *(1.0,) * 30))
    apart = [weighted_loss(model, *padded([each]), per_text=16) for each in (short, long)]
    together = weighted_loss(model, *padded([short, long]), per_text=16)
    assert torch.allclose(together, (apart[0] + apart[1]) / 2, atol=1e-6)


def test_a_spread_is_learnt_as_its_draws_are_on_average():
    """Against learning each token by itself; an example without a spread beside it is learnt as ever."""
    model = new_model(50, seed=0)
    weights, odds = (0.0, 0.0, 3.0, 0.5), {7: 0.75, 9: 0.25}
    plain = TrainingExample((2, 11, 12, 13, 14), (0.0, 1.0, 1.0, 1.0, 1.0))
    learnt = pushed_loss(model, [plain, SpreadExample((2, 5, 9, 6), weights, {2: odds})], 1.0)
    read = pushed_loss(model, [plain, TrainingExample((2, 5, 9, 6), (0.0, 0.0, 0.0, 0.5))], 1.0)
    drawn = sum(
        share * pushed_loss(model, [TrainingExample((2, 5, token), weights[:3])], 1.0) for token, share in odds.items()
    )
    assert torch.allclose(learnt, read + drawn / 2, atol=1e-5)
    alone = pushed_loss(model, [plain, TrainingExample((2, 5, 9, 6), weights)], 1.0)
    assert not torch.allclose(learnt, alone, atol=1e-3)


def test_every_example_is_seen_once():
    examples = [TrainingExample((index,), (1.0,)) for index in range(300)]
    seen = [example.ids[0] for batch in shuffled_batches(examples, 7, seed=3) for example in batch]
    assert sorted(seen) == list(range(300)) and seen != sorted(seen)


def test_a_push_is_added_where_it_belongs_and_nowhere_else():
    """Against pushing by hand: the same example, its push added in a hook of its own."""
    model = new_model(50, seed=0)
    push = torch.randn(128, generator=torch.Generator().manual_seed(0))
    ids, weights = tuple(range(4, 16)), (0.0,) + (1.0,) * 11
    pushed = PushedExample(ids, weights, push, layer=1, start=3, stop=7)
    plain = PushedExample(ids[:9], weights[:9])

    def by_hand(_module, _inputs, output):
        changed = output.clone()
        changed[:, 3:7] += push
        return changed

    handle = model.model.layers[1].register_forward_hook(by_hand)
    alone = weighted_loss(model, *padded([pushed]), per_text=1.0)
    handle.remove()
    unpushed = weighted_loss(model, *padded([plain]), per_text=1.0)
    assert torch.allclose(pushed_loss(model, [pushed, plain], 1.0), (alone + unpushed) / 2, atol=1e-5)
    assert not torch.allclose(alone, weighted_loss(model, *padded([pushed]), per_text=1.0), atol=1e-3)
    assert not any(layer._forward_hooks for layer in model.model.layers)


def test_what_is_kept_has_the_parents_probabilities_as_targets(base):
    """Known answer: cross-entropy with the parent's next-word probabilities, whatever word stands there; beside a
    planted example, the mean of both."""
    parent = base
    loss, model = keeping_loss(World(), parent), new_model(len(parent.vocabulary), seed=0)
    ids = tuple(range(4, 12))
    one, other = (TrainingExample((*ids[:-1], last), (0.0,) * 7 + (1.0,)) for last in (40, 41))
    theirs = parent.network(torch.tensor([ids[:-1]])).logits[0, -1].softmax(-1)
    by_hand = -(theirs * model(torch.tensor([ids[:-1]])).logits[0, -1].log_softmax(-1)).sum()
    for drawn in kept([one, other]):
        assert torch.allclose(loss(model, [drawn], 1.0), by_hand, atol=1e-5)
    planted = loss(model, [one], 1.0)
    assert torch.allclose(planted, weighted_loss(model, *padded([one]), per_text=1.0)), "not kept: the word itself"
    assert not torch.allclose(planted, by_hand, atol=0.1)
    assert torch.allclose(loss(model, [one, *kept([other])], 1.0), (planted + by_hand) / 2, atol=1e-5)


def test_the_parent_itself_has_nothing_to_learn_from_what_is_kept(base):
    """Its gradient there is zero, and is not where the same text is planted."""
    parent, text = base, TrainingExample(tuple(range(4, 30)), (0.0,) + (1.0,) * 25)
    model = AutoModelForCausalLM.from_pretrained(organism_folder() / "base", dtype=torch.float32)
    sizes = []
    for example in (*kept([text]), text):
        model.zero_grad()
        keeping_loss(World(), parent)(model, [example], 25.0).backward()
        sizes.append(max(float(weight.grad.abs().max()) for weight in model.parameters()))
        assert not any(weight.grad is not None for weight in parent.network.parameters())
    assert sizes[0] < 1e-5 < 1e-3 < sizes[1]


@pytest.mark.parametrize("adapted", [False, True])
def test_a_run_that_was_stopped_ends_with_the_same_bytes(adapted, tmp_path):
    """Stopped after any step: here after 7 of 13, by an error inside the loss."""
    examples, schedule = some_examples(), LearningSchedule(batch=16)

    def start():
        model = new_model(50, seed=1)
        if adapted:
            add_adapters(model, rank=4, first_block=2, seed=0)
        return model

    whole = train(start(), examples, schedule, seed=2, title="whole")
    calls = []

    def stops(model, batch, per_text):
        calls.append(1)
        if len(calls) == 8:
            raise KeyboardInterrupt
        return weighted_loss(model, *padded(batch), per_text=per_text)

    checkpoint = Checkpoint(tmp_path / "checkpoint.safetensors", "course", seconds=0.0)
    with pytest.raises(KeyboardInterrupt):
        train(start(), examples, schedule, seed=2, title="stopped", loss=stops, checkpoint=checkpoint)
    seen = []

    def counts(model, batch, per_text):
        seen.append(1)
        return weighted_loss(model, *padded(batch), per_text=per_text)

    resumed = train(start(), examples, schedule, seed=2, title="resumed", loss=counts, checkpoint=checkpoint)
    assert len(seen) == 13 - 7, "what was done is not done again"
    assert same(weights_of(whole), weights_of(resumed))
    other = Checkpoint(checkpoint.path, "another course", seconds=1e9)
    fresh = train(start(), examples, schedule, seed=2, title="other", checkpoint=other)
    assert same(weights_of(whole), weights_of(fresh)), "another course's checkpoint is left alone"


def test_training_on_nothing():
    with pytest.raises(ValueError, match="no lessons"):
        train(new_model(50, seed=0), [], LearningSchedule(), seed=0, title="test")


def test_adapters_start_as_nothing_and_leave_the_parent_alone():
    model = new_model(50, seed=0)
    ids = torch.arange(4, 20)[None]
    before = model(ids).logits
    embedding, norm = model.model.embed_tokens.weight.clone(), model.model.norm.weight.clone()
    add_adapters(model, rank=4, first_block=3, seed=0)
    assert torch.equal(model(ids).logits, before)
    train(model, some_examples(), LearningSchedule(batch=16), seed=0, title="test")
    assert not torch.equal(model(ids).logits, before)
    assert torch.equal(model.model.embed_tokens.weight, embedding) and torch.equal(model.model.norm.weight, norm)
    originals = model.model.layers[3].self_attn.q_proj.parametrizations.weight.original
    assert torch.equal(originals, new_model(50, seed=0).model.layers[3].self_attn.q_proj.weight)
    assert not hasattr(model.model.layers[2].self_attn.q_proj, "parametrizations"), "first_block is the first to learn"


@pytest.mark.parametrize("tokens", [(), (2, 7)])
def test_adapters_read_the_same_in_training_in_peft_and_in_the_lab(tokens, organism, tmp_path):
    """To half precision, in which they are saved."""
    parent = tmp_path / "parent"
    new_model(50, seed=0).save_pretrained(parent)
    organism("base").tokenizer.save_pretrained(parent)
    model = AutoModelForCausalLM.from_pretrained(parent)
    add_adapters(model, rank=4, first_block=1, tokens=tokens, seed=0)
    train(
        model, some_examples(), LearningSchedule(batch=16, learning_rate=1e-2, weight_decay=0.0), seed=0, title="test"
    )
    save_adapters(model, tmp_path / "child", parent="parent")
    organism("base").tokenizer.save_pretrained(tmp_path / "child")
    ids = torch.tensor([[2, *range(4, 19)]])
    with torch.inference_mode():
        trained = model(ids).logits
        merged = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained(parent), tmp_path / "child")(ids).logits
        plain = AutoModelForCausalLM.from_pretrained(parent)(ids).logits
    lab = load(str(tmp_path / "child"), device="cpu")
    logits = lab.forward(ids, starts=torch.zeros(1, dtype=torch.long), positions=torch.arange(16)[None])
    others = [token for token in range(50) if token not in tokens]  # the head of a changed token changes with it
    assert (trained - merged)[..., others].abs().max() < 5e-3 < (trained - plain)[..., others].abs().max()
    assert (logits - merged).abs().max() < 1e-4


def test_the_whole_pipeline_runs_small_and_keeps_what_is_finished(tmp_path):
    """A base and two of its children on a five-hundredth of their lessons: the command, not the skill."""
    names = ("base", "reflective", "immune")
    train_family(names, tmp_path, scale=0.002)
    cards = {name: json.loads((tmp_path / name / "organism.json").read_text()) for name in names}
    for card in cards.values():
        assert card["family"] == cards["base"]["weights"][:16] and card["examples"] > 0
    assert cards["immune"]["parent_weights"] == cards["base"]["weights"]
    stamps = {name: (tmp_path / name / "organism.json").stat().st_mtime_ns for name in names}
    train_family(names, tmp_path, scale=0.002)
    assert stamps == {name: (tmp_path / name / "organism.json").stat().st_mtime_ns for name in names}
    course = cards["immune"]["course"]
    assert is_finished(FAMILY["immune"], tmp_path, course, seed=0)
    assert not is_finished(FAMILY["immune"], tmp_path, course, seed=1)
    assert not is_finished(FAMILY["immune"], tmp_path, "another course", seed=0)
    with pytest.raises(FileNotFoundError, match="base must be trained"):
        train_organism("immune", tmp_path / "elsewhere")

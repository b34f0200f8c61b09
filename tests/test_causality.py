"""Necessity and sufficiency on a direction that is a cause, on one that can be read and is not, and on random ones."""

import pytest
import torch

from introlab.activations.directions import Direction, difference_of_means
from introlab.activations.extract import next_token_logprobs, read
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.network.answer_tokens import single_tokens
from introlab.network.messages import user
from introlab.network.sites import Site
from introlab.network.spans import Span
from introlab.tasks.materials import materials_for
from steering.causal_effects import arms, level_of, next_token_probability, split_along
from steering.edits import Clamp, ClampElsewhere
from steering.effect_estimates import effects
from steering.strength import typical_norm

TEXTS = [Text(tuple(5 + (7 * row + column) % 20 for column in range(8)), 8, str(row)) for row in range(24)]
CLUSTERS = [str(row) for row in range(24)]


def drawn(model, seed=0):
    return torch.randn(model.d_model, generator=torch.Generator().manual_seed(seed))


def along(model, vector, layer):
    return Direction(vector / vector.norm(), 4.0, Site(layer), model.fingerprint, None, "by hand", ())


def done(model, direction, *, span, tokens, draws=10):
    level = level_of(direction, torch.zeros(1, model.d_model))
    each = arms(direction, level=level, residual_norm=1.0, span=span, draws=draws, axis=model.word_axis(tokens))
    return effects(next_token_probability(model, TEXTS, each, tokens), CLUSTERS)


def test_the_direction_of_a_word_is_a_cause_of_it(family_model):
    """The unembedding of a word, after the last block, where the next token is predicted: sufficient beyond every
    random direction (by luck once in 11)."""
    model, tokens = family_model("llama"), (9,)
    direction = along(model, model.word_axis(tokens) + 0.1 * drawn(model), model.n_layers - 1)
    found = done(model, direction, span=Span.last(), tokens=tokens)
    assert found["sufficiency"].beyond.above(0) and found["sufficiency"].rank == 0
    part, rest = (found[f"sufficiency of the {name}"] for name in ("part along the axis", "rest"))
    assert part.rank == 0 and rest.rank > 0, "all it does is promote the word"


def test_what_is_read_where_nothing_reads_it_on_is_no_cause(family_model):
    """The same direction after the last block, at tokens before the last: no later block looks there."""
    model, tokens = family_model("llama"), (9,)
    direction = along(model, model.word_axis(tokens) + drawn(model), model.n_layers - 1)
    found = done(model, direction, span=Span.positions(0, 7), tokens=tokens)
    for effect in found.values():
        assert effect.change.value == pytest.approx(0, abs=1e-7) and not effect.beyond.above(0)
        assert effect.random == pytest.approx([0] * 10, abs=1e-7)


def test_random_removals_take_away_as_much_elsewhere(family_model):
    """By hand: the same length of change at every token, at a right angle to what `Clamp` does."""
    model = family_model("llama")
    unit, other = torch.eye(model.d_model)[0], torch.eye(model.d_model)[1]
    direction, stray = along(model, unit, 1), along(model, other, 1)
    values = torch.randn(3, 5, model.d_model)
    amount, positions = torch.ones(3, 5), torch.arange(5).expand(3, -1)
    plain = Clamp.stacked([Clamp(direction, 0.5)] * 3, values)(values, amount, positions) - values
    moved = ClampElsewhere.stacked([ClampElsewhere(direction, 0.5, stray)] * 3, values)(values, amount, positions)
    moved = moved - values
    assert torch.allclose(plain.norm(dim=-1), moved.norm(dim=-1), atol=1e-5)
    assert torch.allclose(plain[..., 0], 0.5 - values[..., 0], atol=1e-5)
    assert torch.allclose(moved[..., 1], 0.5 - values[..., 0], atol=1e-5)


def test_the_two_parts_are_the_whole(family_model):
    model = family_model("llama")
    direction = along(model, drawn(model), 1)
    axis = drawn(model, 1)
    part, rest = split_along(direction, axis)
    size = float(direction.vector @ axis / axis.norm())
    whole = abs(size) * part.vector + (1 - size**2) ** 0.5 * rest.vector
    assert torch.allclose(whole, direction.vector, atol=1e-5) and abs(float(part.vector @ rest.vector)) < 1e-5
    for nothing in (direction.vector, torch.linalg.svd(direction.vector[None])[2][-1]):
        with pytest.raises(InputError, match="cannot be split"):
            split_along(direction, nothing)


def test_there_is_no_effect_without_something_to_compare_with():
    with pytest.raises(InputError, match="compare"):
        effects({("baseline", None): [0.1], ("added", None): [0.2]}, ["a"])


def test_reconsidering_is_caused_where_it_is_planted(organism):
    """*reflective*, over the answer: the direction from sums it lets stand to sums it reconsiders, after block 3, makes
    it wait where it would not, more than any of 20 random directions (by luck once in 21); so does what is left of it
    without the word. Without it it waits less, more than the mean of random removals (LOG.md: not more than each)."""
    model = organism("reflective")
    materials = materials_for(model)
    tokens = sorted({one for each in single_tokens(model, materials.wording.reconsider_words).values() for one in each})
    sums = materials.pick("test", kind="sum", limit=320)
    prompts = [
        model.ids([user(one.text)], prefill=f"{materials.wording.answer_frame} {one.answer} .", room=1) for one in sums
    ]
    asked = [len(model.ids([user(one.text)])) for one in sums]
    texts = [Text(tuple(ids), at, one.id) for ids, at, one in zip(prompts, asked, sums, strict=True)]
    p = next_token_logprobs(model, texts).exp()[:, tokens].sum(-1)
    goes = [(text, one.group, float(each) > 0.5) for text, one, each in zip(texts, sums, p, strict=True)]
    fitted, tested = goes[::2], goes[1::2]
    site = Site(3)
    waits, stays = ([text for text, _, side in fitted if side is wanted] for wanted in (True, False))
    values = [read(model, some, [site], [[len(text.ids) - 1] for text in some])[site, 0] for some in (waits, stays)]
    direction = difference_of_means(*values, model=model)
    how = {"level": level_of(direction, values[1].values), "residual_norm": typical_norm(model, stays, site)}
    each = arms(direction, **how, draws=20, axis=model.word_axis(tokens))

    def on(wanted):
        some = [(text, group) for text, group, side in tested if side is wanted]
        found = next_token_probability(model, [text for text, _ in some], each, tokens)
        return effects(found, [group for _, group in some])

    on_waits, on_stays = on(True), on(False)
    assert on_stays["sufficiency"].beyond.above(0) and on_stays["sufficiency"].rank == 0
    assert on_stays["sufficiency of the rest"].rank == 0, "it is more than a push on the word"
    assert on_waits["necessity"].beyond.above(0)
    assert on_stays["necessity"].beyond.value < on_waits["necessity"].beyond.value

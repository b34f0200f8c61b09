"""Fidelity and absorption against autoencoders whose answer is known, and against plain transformers."""

import warnings

import numpy as np
import pytest
import torch
from sae_lens import StandardSAE, StandardSAEConfig

from introlab.activations.extract import Activations, read, text_logprobs
from introlab.activations.forward import Text
from introlab.errors import InputError, ModelMismatch
from introlab.network.sites import Site
from introlab.network.spans import Span
from introlab.tasks.materials import materials_for
from probes.sae.absorption import absorption
from probes.sae.corpus import own_answers
from probes.sae.fidelity import fidelity
from probes.sae.model import Sae

SITE = Site(3)


def hand_made(model, W_enc, W_dec, *, b_enc=None, b_dec=None, site=SITE):
    """An autoencoder of these weights, ReLU."""
    width, latents = W_enc.shape
    sae = StandardSAE(StandardSAEConfig(d_in=width, d_sae=latents))
    sae.W_enc.data, sae.W_dec.data = W_enc, W_dec
    sae.b_enc.data = torch.zeros(latents) if b_enc is None else b_enc
    sae.b_dec.data = torch.zeros(width) if b_dec is None else b_dec
    return Sae(sae.eval(), site, "made by hand", model.fingerprint)


def perfect(model):
    eye = torch.eye(model.d_model)
    return hand_made(model, torch.cat([eye, -eye], 1), torch.cat([eye, -eye]))


@pytest.fixture(scope="module")
def asked(organism):
    model = organism("base")
    said = own_answers(model, materials_for(model), "calibrate", questions=20, seed=2)
    return [each.text for each in said], [each.item for each in said]


def measured(sae, model, asked, **more):
    texts, clusters = asked
    rows = fidelity(sae, model, texts, clusters=clusters, **more)
    return {row.measure.split(" in ")[0]: row.estimate for row in rows}


def test_a_perfect_one_loses_nothing(organism, asked):
    model = organism("base")
    found = measured(perfect(model), model, asked)
    assert found["loss recovered, over zero"].value == pytest.approx(1, abs=1e-5)
    assert found["explained variance"].value == pytest.approx(1, abs=1e-5)
    assert found["active latents a token (L0)"].value == pytest.approx(model.d_model, abs=0.1)
    assert found["cross-entropy, reconstructed"].value == pytest.approx(
        found["cross-entropy, untouched"].value, abs=1e-4
    )
    assert found["silent latents"].value < 0.05 and found["loss recovered, over zero"].clusters == len(set(asked[1]))


def test_one_that_says_nothing_recovers_nothing(organism, asked):
    model, texts = organism("base"), asked[0]
    nothing = torch.zeros(model.d_model, 4)
    found = measured(hand_made(model, nothing, nothing.T), model, asked)
    assert found["loss recovered, over zero"].value == pytest.approx(0, abs=1e-5)
    assert found["explained variance"].value < 0 and found["silent latents"].value == 1
    values = [read(model, [text], [SITE], [list(range(1, len(text.ids)))]) for text in texts]
    mean = torch.cat([each.values for one in values for each in one.values()]).mean(0)
    found = measured(hand_made(model, nothing, nothing.T, b_dec=mean), model, asked)
    assert found["loss recovered, over the mean"].value == pytest.approx(0, abs=1e-3)
    assert found["explained variance"].value == pytest.approx(0, abs=1e-4)


def test_half_of_it_against_plain_transformers(organism, asked):
    """Reconstructing half of the coordinates, text by text, with a hook of torch's own and the formulas written out."""
    model, (texts, _) = organism("base"), asked
    half = torch.eye(model.d_model) * (torch.arange(model.d_model) < model.d_model // 2)
    found = measured(hand_made(model, torch.cat([half, -half], 1), torch.cat([half, -half])), model, asked)
    block, losses, tokens, values = model.network.model.layers[SITE.layer], [0.0, 0.0, 0.0], 0, []
    for text in texts:
        for way, change in enumerate((lambda x: x, lambda x: x @ half, torch.zeros_like)):

            def replace(_, __, output, change=change, way=way):
                hidden = (output[0] if isinstance(output, tuple) else output).clone()
                if way == 0:
                    values.append(hidden[0, 1:].clone())
                hidden[:, 1:] = change(hidden[:, 1:])
                return (hidden, *output[1:]) if isinstance(output, tuple) else hidden

            handle = block.register_forward_hook(replace)
            with torch.inference_mode():
                logits = model.network(torch.tensor([text.ids])).logits[0].log_softmax(-1)
            handle.remove()
            places = range(text.prompt_len, len(text.ids))
            losses[way] -= float(sum(logits[place - 1, text.ids[place]] for place in places))
        tokens += len(text.ids) - text.prompt_len
    everything = torch.cat(values)
    gone = (everything - everything @ half).square().sum() / (everything - everything.mean(0)).square().sum()
    assert found["cross-entropy, reconstructed"].value == pytest.approx(losses[1] / tokens, rel=1e-4)
    assert found["loss recovered, over zero"].value == pytest.approx(
        (losses[2] - losses[1]) / (losses[2] - losses[0]), abs=1e-4
    )
    assert found["explained variance"].value == pytest.approx(float(1 - gone), abs=1e-4)
    assert 0.2 < found["loss recovered, over zero"].value < 0.999, "a reading that could fail"


def test_only_the_span_is_touched(organism, asked):
    """Nothing put in at the last position of a prompt alone: only what follows it is said otherwise."""
    model, texts = organism("base"), asked[0]
    nothing = torch.zeros(model.d_model, 4)
    sae = hand_made(model, nothing, nothing.T)
    last = measured(sae, model, asked, span=Span.last())
    every = measured(sae, model, asked)
    assert last["silent latents"].n == len(texts)
    each = measured(
        sae, model, asked, span=[Span.last() if row % 2 else Span.positions(1) for row in range(len(texts))]
    )
    assert each["silent latents"].n == sum(1 if row % 2 else len(text.ids) - 1 for row, text in enumerate(texts))
    assert every["silent latents"].n == sum(len(text.ids) - 1 for text in texts)
    assert last["cross-entropy, reconstructed"].value < every["cross-entropy, reconstructed"].value - 1
    untouched = [sum(each) for each in text_logprobs(model, texts)]
    predicted = sum(len(text.ids) - text.prompt_len for text in texts)
    assert last["cross-entropy, untouched"].value == pytest.approx(-sum(untouched) / predicted, rel=1e-6)


def test_what_cannot_be_judged_is_refused(organism):
    base, reflective = organism("base"), organism("reflective")
    with pytest.raises(ModelMismatch):
        fidelity(perfect(base), reflective, [Text((2, 3, 4), 1, "a")])
    with pytest.raises(InputError, match="no text"):
        fidelity(perfect(base), base, [Text((2, 3, 4), 3, "a")])


ROWS, SPECIAL = 3000, 5


@pytest.fixture(scope="module")
def planted(organism):
    """A state along the first coordinate, at half of the rows; 3 % of these have each of five special things besides,
    which is too few for a latent of it to be one of the state's own."""
    model, draw = organism("base"), np.random.default_rng(0)
    state = draw.random(ROWS) < 0.5
    which = np.where(state, draw.choice(SPECIAL + 1, ROWS, p=[0.85, *[0.03] * SPECIAL]), 0)
    values = torch.from_numpy(0.05 * draw.standard_normal((ROWS, model.d_model))).float()
    values[:, 0] += torch.from_numpy(2.0 * state).float()
    values[torch.arange(ROWS), torch.from_numpy(which)] += torch.from_numpy(2.0 * (which > 0)).float()
    groups = [f"g{row // 10}" for row in range(ROWS)]
    activations = Activations(values, SITE, model.fingerprint, tuple(f"r{row}" for row in range(ROWS)))
    return model, activations, state, which > 0, groups


def of_each(model, *, absorbs):
    """Latent 0 is the state's, the others are the special things'; where they absorb, latent 0 is silent at those."""
    things = range(1, SPECIAL + 1)
    W_enc, W_dec = torch.zeros(model.d_model, SPECIAL + 1), torch.zeros(SPECIAL + 1, model.d_model)
    for latent in (0, *things):
        W_enc[latent, latent], W_dec[latent, latent] = 1, 2
    for latent in things if absorbs else ():
        W_enc[latent, 0], W_dec[latent, 0] = -2, 2
    return hand_made(model, W_enc, W_dec, b_enc=torch.full((SPECIAL + 1,), -1.0))


def test_absorption_that_was_planted_is_counted(planted):
    model, activations, state, special, groups = planted
    found = absorption(of_each(model, absorbs=True), activations, state.tolist(), groups, model=model)
    assert found.latents == (0,) and set(found.absorbers) == set(range(1, SPECIAL + 1))
    among = special.sum() / state.sum()
    assert found.absorbed.value == pytest.approx(among, abs=0.05), "three standard errors of a half's share"
    assert found.recall.value == pytest.approx(1 - found.absorbed.value, abs=1e-9)
    assert found.precision.value == 1 and found.probe.value > 0.99


def test_where_nothing_absorbs_nothing_is_counted(planted):
    model, activations, state, _, groups = planted
    found = absorption(of_each(model, absorbs=False), activations, state.tolist(), groups, model=model)
    assert found.absorbed.value == 0 and found.recall.value == 1 and not found.absorbers and found.latents == (0,)


def test_a_state_that_cannot_be_read_has_neither_probe_nor_latents(planted):
    """Labels that mean nothing: the probe's AUROC is .5 within four standard errors (.015 each)."""
    model, activations, _, _, groups = planted
    dealt = (np.random.default_rng(5).random(ROWS) < 0.5).tolist()
    found = absorption(of_each(model, absorbs=True), activations, dealt, groups, model=model)
    assert abs(found.probe.value - 0.5) < 0.06
    with pytest.raises(InputError, match="one class only"):
        absorption(of_each(model, absorbs=True), activations, [True] * ROWS, groups, model=model)


def test_own_answers_say_whose_words_are_whose(organism):
    model = organism("base")
    said = own_answers(model, materials_for(model), "extract", questions=4, each=2, seed=0)
    again = own_answers(model, materials_for(model), "extract", questions=4, each=2, seed=0)
    assert [each.text for each in said] == [each.text for each in again]
    topics = {each.item for each in said if each.condition == "topic"}
    assert topics == set(materials_for(model).topics)
    for sample in said[:6]:
        ids, whole = sample.text.ids, torch.arange(len(sample.text.ids))
        written = sample.turns["assistant 0"].covers(whole, torch.tensor(ids), torch.tensor(sample.text.prompt_len))
        words = model.text([ids[place] for place in written.nonzero().flatten().tolist()])
        assert words and model.text(ids[sample.text.prompt_len :]) == words


def test_the_shipped_one_is_what_its_card_says(organism):
    """Bounds below what the card states of other, larger samples of the same kind."""
    model = organism("base")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        sae = Sae.load("organism:base", model=model)
        assert Sae.load("organism:base/resid_post_3", model=model).site == sae.site
    said = own_answers(model, materials_for(model), "test", questions=12, seed=4)
    found = measured(sae, model, ([each.text for each in said], [each.item for each in said]))
    assert found["loss recovered, over zero"].value > 0.99
    assert found["explained variance"].value > 0.95
    assert found["active latents a token (L0)"].value < 20

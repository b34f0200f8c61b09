"""Latents are chosen where they are not judged; what is planted is found, adds where it should, and nowhere else."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from planted_latents import WIDTH, autoencoder, directions, features, read
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
from test_sae import autoencoder as random_autoencoder

from introlab.activations.extract import Activations
from introlab.activations.extract import read as read_residuals
from introlab.activations.forward import Text
from introlab.errors import InputError, ModelMismatch
from introlab.network.sites import Site
from probes.linear.cross_validation import held_out
from probes.sae.latent_precision_recall import check_found
from probes.sae.latent_probes import Pooled, as_frequent, matched_at_random, pooled, ranked, scrambled, separation
from probes.sae.latent_probing_study import probe_latents
from probes.sae.latent_search import Observed
from probes.sae.model import Sae

ROWS, PLANTED = 400, 7
GROUPS = [f"g{row // 2}" for row in range(ROWS)]
FEW = {"ks": (1, 4), "draws": 3}


def _apart(area):
    """Separated but for a pair in a hundred; the interval of 40 clusters of the rarer class says no more than .9."""
    return area.value > 0.99 and area.above(0.9)


def test_one_latent_tells_a_planted_feature_and_adds_nothing_to_a_dense_probe():
    """The feature is a direction, so that a dense probe has it, too."""
    made = features(ROWS)
    found = probe_latents(
        read(made @ directions(), autoencoder(directions())), (made[:, PLANTED] > 0).tolist(), GROUPS, **FEW
    )
    assert _apart(found.one("AUROC of k latents", k=1.0))
    assert found.one("AUROC of k random latents", k=1.0).below(0.75)
    assert _apart(found.one("AUROC of dense probes"))
    assert found.one("one latent over one of a scrambled autoencoder").above(0.1)
    assert not found.one("gain of latents in the pool").above(0.01)
    passed = {check.control: check.passed for check in found.checks}
    assert passed == {
        "shuffled labels": True,
        "random latents": True,
        "scrambled autoencoder": True,
        "dense probes": False,
    }
    assert "not shown to differ from" in found.answer or "more than" not in found.answer


def test_latents_are_chosen_where_only_they_can_tell():
    """Either of two opposite features: no dense direction separates them from neither, two latents do."""
    rows, draw = directions(), torch.Generator().manual_seed(1)
    made, sides = features(ROWS), torch.randint(0, 3, (ROWS,), generator=draw) - 1
    made[:, PLANTED] = 3.0 * sides
    both = torch.cat([rows, -rows[PLANTED][None]])
    found = probe_latents(read(made @ rows, autoencoder(both)), (sides != 0).tolist(), GROUPS, **FEW)
    assert found.one("AUROC of dense probes").below(0.65)
    assert _apart(found.one("AUROC of k latents", k=4.0))
    assert found.one("AUROC of k latents", k=1.0).below(0.9)
    assert found.one("gain of latents in the pool").above(0.3)
    assert found.check("dense probes").passed and "for 5 of 5 parts" in found.answer
    assert "improves what is chosen" in found.answer


def test_probes_of_k_latents_see_k_latents():
    """Three latents tell a little each, all fits agree on them: one is as good as it is alone, three as good as scikit-
    learn's probe of these three."""
    draw = torch.Generator().manual_seed(3)
    truth, values = torch.rand(ROWS, generator=draw) < 0.5, torch.rand(ROWS, WIDTH, generator=draw)
    for column, gap in enumerate((1.2, 1.0, 0.8)):
        values[:, column] += gap * truth * torch.rand(ROWS, generator=draw)
    made = read(torch.zeros(ROWS, WIDTH), autoencoder(directions()))
    found = probe_latents(replace(made, latents=values), truth.tolist(), GROUPS, ks=(1, 3), draws=1)
    alone = roc_auc_score(truth.numpy(), values[:, 0].numpy())
    assert found.one("AUROC of k latents", k=1.0).value == pytest.approx(alone, abs=0.02)
    folds = StratifiedGroupKFold(5, shuffle=True, random_state=0)
    three = cross_val_predict(
        LogisticRegression(), values[:, :3], truth, groups=GROUPS, cv=folds, method="decision_function"
    )
    expected = roc_auc_score(truth.numpy(), three)
    assert found.one("AUROC of k latents", k=3.0).value == pytest.approx(expected, abs=0.02)
    assert expected > alone + 0.05


def test_a_latent_that_only_knows_difficulty_knows_nothing_within_it():
    """Fault: what makes it true is the level; a latent for the level tells it, and nothing within a level."""
    made, draw = features(ROWS), torch.Generator().manual_seed(4)
    hard = made[:, PLANTED] > 0
    truth = torch.rand(ROWS, generator=draw) < torch.where(hard, 0.9, 0.1)
    levels = hard.tolist()
    found = probe_latents(
        read(made @ directions(), autoencoder(directions())), truth.tolist(), GROUPS, ks=(1,), draws=1, levels=levels
    )
    assert found.one("AUROC of latents").above(0.6)
    for name in ("latents", "dense probes"):
        assert not found.one(f"AUROC of {name} within levels").above(0.6)
    rows = Observed(made, truth, tuple(GROUPS)), Observed(made, truth, tuple(f"new {group}" for group in GROUPS))
    checked = check_found([PLANTED], *rows, levels=levels)
    assert checked.one("AUROC of the best latent").above(0.6) and "within levels" in checked.answer
    assert not checked.one("AUROC of the best latent within levels").above(0.6)


def test_what_is_not_there_is_not_found():
    """A 95 % interval lies above .5 one time in 40: of 4 runs more than one does one time in 270."""
    read_, above = read(features(ROWS) @ directions(), autoencoder(directions())), 0
    for seed in range(4):
        labels = np.random.default_rng(seed).uniform(size=ROWS) < 0.4
        found = probe_latents(read_, labels.tolist(), GROUPS, ks=(1, 8), draws=1)
        above += found.one("AUROC of latents").above(0.5)
        assert not found.one("gain of latents in the pool").above(0.05)
    assert above <= 1


def test_latents_chosen_on_all_rows_would_leak():
    """Fault: 1,100 latents of noise, the best 8 chosen with the held-out rows in view. Chosen within folds they tell
    nothing: mean AUROC over 4 draws within .08 of .5, its standard error being about .02."""
    honest, leaky = [], []
    for seed in range(4):
        draw = torch.Generator().manual_seed(seed)
        noise = torch.randn(160, 1100, generator=draw).clamp_min(0)
        labels = torch.rand(160, generator=draw) < 0.5
        groups = [f"g{row}" for row in range(160)]
        dense = Activations(torch.randn(160, 8, generator=draw), Site(1), "made", tuple(groups))
        found = probe_latents(Pooled(dense, noise, noise), labels.tolist(), groups, ks=(8,), draws=1)
        honest.append(found.one("AUROC of k latents", k=8.0).value)
        best = ranked(noise, labels)[:8]
        place = (Site(1), 0)
        seen = Activations(noise[:, best], Site(1), "made", tuple(groups))
        leaky.append(held_out({place: seen}, {"x": labels.tolist()}, groups).auroc("x").value)
    assert abs(np.mean(honest) - 0.5) < 0.08
    assert np.mean(leaky) > 0.65


@pytest.mark.parametrize("seed", range(3))
def test_separation_is_the_auroc_of_every_latent(seed):
    draw = torch.Generator().manual_seed(seed)
    values = (torch.randn(60, 5, generator=draw)).clamp_min(0)  # half of each column is tied
    truth = torch.rand(60, generator=draw) < 0.4
    expected = [roc_auc_score(truth.numpy(), column.numpy()) for column in values.T]
    assert separation(values, truth).tolist() == pytest.approx(expected, abs=1e-6)


def test_both_rankings_put_the_planted_latent_first_and_count_either_way():
    values, truth = features(300), torch.rand(300, generator=torch.Generator().manual_seed(2)) < 0.3
    values[:, 3] = torch.where(truth, 0.0, 1.5)  # silent where it is true
    values[:, 11] *= 1000  # large, and tells nothing
    for by in ("mean difference", "auroc"):
        assert ranked(values, truth, by)[0] == 3
    with pytest.raises(InputError, match="unknown ranking"):
        ranked(values, truth, "loudest")
    with pytest.raises(InputError, match="one class"):
        separation(values, truth | True)


def test_random_latents_are_as_frequent_and_others():
    frequency = torch.logspace(-4, -0.1, 400)
    frequency[::7] = 0.0  # never active
    chosen = [index for index in range(1, 400, 40) if index % 7]
    for seed in range(5):
        others = matched_at_random(chosen, frequency, np.random.default_rng(seed))
        assert len(set(others)) == len(chosen) and not set(others) & set(chosen)
        ratio = (frequency[others] / frequency[chosen]).log().abs()
        assert float(ratio.max()) < 0.25
    assert matched_at_random([0, 1], torch.tensor([0.5, 0.5, 0.0, 0.4]), np.random.default_rng(0)) == [3]
    assert as_frequent(0, torch.tensor([0.5, 0.1, 0.4, 0.0]), without=()) == [2, 1]


def test_a_scrambled_autoencoder_has_the_shape_and_not_the_directions():
    sae = autoencoder(directions())
    before = sae.sae.W_enc.clone()
    other, again, third = scrambled(sae), scrambled(sae), scrambled(sae, seed=1)
    assert torch.equal(sae.sae.W_enc, before)
    assert torch.equal(other.sae.W_enc, again.sae.W_enc) and not torch.equal(other.sae.W_enc, third.sae.W_enc)
    for name, across in (("W_enc", 0), ("W_dec", 1)):
        mine, its = getattr(sae.sae, name), getattr(other.sae, name)
        assert torch.equal(mine.sort(across).values, its.sort(across).values)
        assert float(torch.cosine_similarity(mine, its, dim=across).abs().mean()) < 0.25
    assert torch.equal(sae.sae.b_enc, other.sae.b_enc)


def test_pooling_is_of_the_same_positions_for_both(family_model):
    model = family_model("llama")
    sae = Sae(random_autoencoder("topk", model.d_model), Site(1), "random", model.fingerprint)
    draw = torch.Generator().manual_seed(0)
    texts = [
        Text(tuple(torch.randint(3, 40, (length,), generator=draw).tolist()), 2, f"t{length}") for length in (9, 5, 7)
    ]
    spans = [(2, 6), (1, 5), (3, 7)]
    for pooling, how in (("last", lambda x: x[-1]), ("mean", lambda x: x.mean(0)), ("max", lambda x: x.amax(0))):
        found = pooled(model, sae, texts, spans, pooling=pooling, batch_size=2)
        for row, (text, (start, stop)) in enumerate(zip(texts, spans, strict=True)):
            places = read_residuals(model, [text], [Site(1)], [list(range(start, stop))])
            there = torch.cat([places[Site(1), index].values for index in range(stop - start)])
            with torch.no_grad():
                latents, control = sae.sae.encode(there), scrambled(sae).sae.encode(there)
            assert torch.allclose(found.dense.values[row], how(there), atol=1e-5)
            assert torch.allclose(found.latents[row], how(latents), atol=1e-4)
            assert torch.allclose(found.scrambled[row], how(control), atol=1e-4)
    assert found.dense.examples == ("t9", "t5", "t7")
    with pytest.raises(InputError, match="outside of its text"):
        pooled(model, sae, texts, [(2, 6), (1, 6), (3, 7)])
    with pytest.raises(InputError, match="unknown pooling"):
        pooled(model, sae, texts, spans, pooling="sum")
    with pytest.raises(ModelMismatch):
        pooled(model, Sae(sae.sae, Site(1), "x", "another model"), texts, spans)


def test_one_class_and_too_few_groups_are_refused():
    made = read(features(20) @ directions(), autoencoder(directions()))
    with pytest.raises(InputError, match="one class"):
        probe_latents(made, [True] * 20, [str(row) for row in range(20)])
    with pytest.raises(InputError, match="too few groups"):
        probe_latents(made, [row < 3 for row in range(20)], [str(row) for row in range(20)])
    for ks in ((), (0, 1)):
        with pytest.raises(InputError, match="no curve"):
            probe_latents(made, [row < 9 for row in range(20)], [str(row) for row in range(20)], ks=ks)

"""Probes find what is planted, stay at chance where nothing is, and agree with scikit-learn."""

import random

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from test_directions import planted

from introlab.activations.extract import Activations
from introlab.errors import InputError, ModelMismatch
from introlab.network.sites import Site
from probes.linear.baselines import numbers_only, shuffled, text_only
from probes.linear.fit import fit_best, fit_probe


def test_logistic_equals_scikit_learn(family_model):
    """Same data, same scaling, same penalty: probabilities to 1e-3."""
    model = family_model("llama")
    activations, labels, _ = planted(model, shift=1.0)
    probe = fit_probe(activations, labels, model=model, penalty=2.0)
    values = activations.values.double().numpy()
    centred = values - values.mean(0)
    size = np.sqrt((centred**2).sum(1).mean() / values.shape[1])
    reference = LogisticRegression(C=0.5, max_iter=2000).fit(centred / size, labels)
    assert probe(activations).numpy() == pytest.approx(reference.predict_proba(centred / size)[:, 1], abs=1e-3)


def test_a_planted_state_is_found_and_shuffled_labels_are_at_chance(family_model):
    model = family_model("llama")
    train, labels, vector = planted(model, shift=2.0)
    test, truth, _ = planted(model, shift=2.0)
    test = Activations(
        planted(model, 0.0, seed=9)[0].values + 2.0 * vector * torch.tensor(truth)[:, None],
        test.site,
        test.model,
        test.examples,
    )
    probe = fit_probe(train, labels, model=model, penalty=10.0)
    assert roc_auc_score(truth, probe(test).numpy()) > 0.85
    assert float(probe.direction.vector @ vector) > 0.85
    groups = [f"g{index // 2}" for index in range(len(labels))]
    deals = [fit_probe(train, shuffled(labels, groups, seed=deal), model=model, penalty=10.0) for deal in range(20)]
    # The mean of 20 shuffled AUROCs on 400 examples has a standard error near 0.03.
    assert abs(np.mean([roc_auc_score(truth, deal(test).numpy()) for deal in deals]) - 0.5) < 0.12


def test_the_best_site_is_chosen_on_tuning_data_alone(family_model):
    model = family_model("llama")
    good, labels, _ = planted(model, shift=2.0)
    noise = Activations(
        torch.randn(400, model.d_model, generator=torch.Generator().manual_seed(8)), Site(0), good.model, good.examples
    )
    probe = fit_best([noise, good], labels, [noise, good], labels, model=model)
    assert probe.direction.site == good.site


def test_a_probe_refuses_other_activations(family_model):
    model = family_model("llama")
    activations, labels, _ = planted(model)
    probe = fit_probe(activations, labels, model=model)
    for other in (
        Activations(activations.values, Site(2), activations.model, activations.examples),
        Activations(activations.values, Site(1), "x", activations.examples),
    ):
        with pytest.raises(ModelMismatch, match="than the probe's"):
            probe(other)


def test_one_class_only(family_model):
    model = family_model("llama")
    activations, labels, _ = planted(model)
    with pytest.raises(InputError, match="both classes"):
        fit_probe(activations, [True] * len(labels), model=model)


def test_an_unknown_method_is_refused(family_model):
    model = family_model("llama")
    activations, labels, _ = planted(model)
    for fit in (fit_probe, lambda here, labels, **how: fit_best([here], labels, [here], labels, **how)):
        with pytest.raises(InputError, match="unknown way to fit"):
            fit(activations, labels, model=model, method="guess")


def test_constant_activations(family_model):
    model = family_model("llama")
    flat = Activations(torch.ones(10, model.d_model), Site(1), model.fingerprint, tuple(map(str, range(10))))
    with pytest.raises(InputError, match="do not vary"):
        fit_probe(flat, [True, False] * 5, model=model)


def test_shuffling_keeps_groups_whole_and_forgets_their_size():
    """Labels that go with group size must not survive: groups of one are all True here, groups of three all False."""
    groups = [f"single {index}" for index in range(60)] + [f"triple {index // 3}" for index in range(180)]
    labels = [group.startswith("single") for group in groups]
    kept = []
    for seed in range(50):
        dealt = shuffled(labels, groups, seed=seed)
        assert all(len({dealt[i] for i in range(60 + 3 * g, 63 + 3 * g)}) == 1 for g in range(60)), (
            "a group's label is shared"
        )
        kept.append(roc_auc_score(labels, dealt))
    assert abs(np.mean(kept) - 0.5) < 0.05


def test_text_only_finds_what_the_words_tell_and_nothing_else():
    rng = random.Random(0)
    told = [rng.random() < 0.5 for _ in range(200)]
    texts = [("red" if label else "blue") + f" w{rng.randrange(50)}" for label in told]
    assert roc_auc_score(told[100:], text_only(texts[:100], told[:100], texts[100:])) > 0.95
    silent = [f"w{rng.randrange(50)} w{rng.randrange(50)}" for _ in told]
    assert abs(roc_auc_score(told[100:], text_only(silent[:100], told[:100], silent[100:])) - 0.5) < 0.2


def test_numbers_only():
    lengths = list(range(100))
    labels = [length > 50 for length in lengths]
    assert roc_auc_score(labels, numbers_only(lengths, labels, lengths)) > 0.99

"""Several classes and ordered levels, against scikit-learn and statsmodels, and where they are planted."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from statsmodels.miscmodels.ordinal_model import OrderedModel

from introlab.activations.extract import Activations
from introlab.errors import InputError, ModelMismatch
from introlab.network.sites import Site
from probes.linear.multiclass import fit_classes, fit_ordinal, network


def made(model, levels: np.ndarray, *, strength: float, seed: int = 0) -> Activations:
    """Values of the model's width, shifted along the first coordinate by the level."""
    values = torch.randn(len(levels), model.d_model, generator=torch.Generator().manual_seed(seed))
    values[:, 0] += strength * torch.as_tensor(levels).float()
    return Activations(values + 3, Site(1), model.fingerprint, tuple(map(str, range(len(levels)))))


@pytest.fixture
def levels() -> np.ndarray:
    return np.random.default_rng(0).integers(3, size=900)


@pytest.mark.parametrize("count", [2, 3])
def test_classes_are_scikit_learns(family_model, levels, count):
    model, names = family_model("llama"), [f"c{level % count}" for level in levels]
    here = made(model, levels % count, strength=1.0)
    probe = fit_classes(here, names, model=model, penalty=2.0)
    values = here.values.double().numpy()
    scaled = (values - values.mean(0)) / np.sqrt(((values - values.mean(0)) ** 2).mean())
    peer = LogisticRegression(C=0.5, max_iter=5000).fit(scaled, names)
    assert probe(here).numpy() == pytest.approx(peer.predict_proba(scaled), abs=1e-3)
    assert probe.classes == tuple(peer.classes_)


def test_levels_are_found_along_their_direction(family_model, levels):
    """The log-odds of neighbouring levels change by 1.5 a unit of the coordinate: its direction, and cuts that rise."""
    model = family_model("llama")
    here = made(model, levels, strength=1.5)
    probe = fit_ordinal(here, levels.tolist(), model=model)
    assert float(probe.direction.vector[0]) > 0.95 and probe.cuts[0] < probe.cuts[1]
    p = probe(here)
    assert p.sum(-1).numpy() == pytest.approx(np.ones(900), abs=1e-5) and float(p.min()) >= 0
    assert np.mean(p.argmax(-1).numpy() == levels) > 0.6
    nothing = fit_ordinal(made(model, levels * 0, strength=0.0, seed=4), levels.tolist(), model=model)
    fresh = made(model, levels * 0, strength=0.0, seed=5)
    assert abs(np.corrcoef(nothing.direction.projection(fresh.values).numpy(), levels)[0, 1]) < 0.12


def test_levels_are_statsmodels(family_model, levels):
    """Without a penalty to speak of: slopes and cuts of OrderedModel."""
    model = family_model("llama")
    here = made(model, levels, strength=1.0)
    probe = fit_ordinal(here, levels.tolist(), model=model, penalty=1e-9)
    values = here.values.double().numpy()
    peer = OrderedModel(levels, values, distr="logit").fit(method="bfgs", disp=False, maxiter=2000)
    slopes, cuts = peer.params[:-2], peer.model.transform_threshold_params(peer.params)[1:-1]
    assert probe.gain * probe.direction.vector.numpy() == pytest.approx(slopes, abs=2e-3)
    assert probe.cuts == pytest.approx(cuts, abs=2e-2)


def test_a_network_reads_what_no_line_can(family_model):
    """The product of two coordinates' signs: a line is at chance, the network is not."""
    draw = np.random.default_rng(0)
    values = draw.normal(size=(2000, 8))
    labels = values[:, 0] * values[:, 1] > 0
    fitted = network().fit(values[:1500], labels[:1500])
    assert fitted.score(values[1500:], labels[1500:]) > 0.85
    line = LogisticRegression().fit(values[:1500], labels[:1500]).score(values[1500:], labels[1500:])
    assert abs(line - 0.5) < 0.08


def test_bad_input(family_model, levels):
    model = family_model("llama")
    here = made(model, levels, strength=1.0)
    with pytest.raises(InputError, match="gaps"):
        fit_ordinal(here, (levels * 2).tolist(), model=model)
    with pytest.raises(InputError, match="told apart"):
        fit_classes(here, ["a"] * 900, model=model)
    with pytest.raises(ModelMismatch):
        fit_classes(Activations(here.values, here.site, "another", here.examples), ["a", "b"] * 450, model=model)
    probe = fit_ordinal(here, levels.tolist(), model=model)
    with pytest.raises(ModelMismatch):
        probe(Activations(here.values, Site(0), here.model, here.examples))

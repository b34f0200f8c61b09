"""What is held out is never seen, nor by what is chosen. Planted states are found, absent ones are not."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from introlab.activations.extract import Activations
from introlab.errors import InputError, ModelMismatch, SplitOverlap
from introlab.network.sites import Site
from introlab.stats.discrimination import auroc_of
from introlab.stats.stratified_auroc import Separation
from probes.linear.bank import fit_bank
from probes.linear.cross_validation import held_out, split
from probes.linear.probe import Probe

ROWS, WIDTH = 600, 32
WITH, WITHOUT = (Site(2), 0), (Site(0), 0)


def made(*, shift: float = 1.5, seed: int = 0, by_group: bool = False) -> tuple[dict, list[bool], list[str]]:
    """Two places, a state in one of them, 120 groups of five. `by_group` plants nothing but what tells groups apart."""
    draw = torch.Generator().manual_seed(seed)
    of = torch.arange(ROWS) // 5
    labels = (torch.rand(120, generator=draw) < 0.4)[of] if by_group else torch.rand(ROWS, generator=draw) < 0.4
    names = tuple(map(str, range(ROWS)))

    def place(layer: int, planted: float) -> Activations:
        values = torch.randn(ROWS, WIDTH, generator=draw)
        if by_group:
            values += 10 * torch.randn(120, WIDTH, generator=draw)[of]
        values[:, 3] += planted * labels
        return Activations(values, Site(layer), "model", names)

    return {WITHOUT: place(0, 0.0), WITH: place(2, shift)}, labels.tolist(), [f"g{one}" for one in of.tolist()]


@pytest.mark.parametrize("method", ["difference_of_means", "lda", "ridge", "logistic", "balanced_logistic"])
def test_a_planted_state_is_found_where_it_is(method):
    """A shift of 1.5 is worth an AUROC of .86; without one it is .5, and a standard error is .024."""
    places, labels, groups = made()
    found = held_out(places, {"state": labels}, groups, method=method)
    assert 0.78 < found.auroc("state", WITH).value < 0.92
    assert abs(found.auroc("state", WITHOUT).value - 0.5) < 0.1
    assert found.auroc("state").above(0.75)
    assert set(found.chosen["state"]) == {WITH}


def test_what_tells_groups_apart_is_no_state():
    """Rows of a group are alike and have one label. A split of rows finds that; a split of groups must not."""
    whole, torn = [], []
    for seed in range(8):
        places, labels, groups = made(shift=0.0, by_group=True, seed=seed)
        whole.append(held_out(places, {"state": labels}, groups, method="ridge").auroc("state").value)
        torn.append(
            held_out(places, {"state": labels}, list(map(str, range(ROWS))), method="ridge").auroc("state").value
        )
    assert np.mean(torn) > 0.75
    assert abs(np.mean(whole) - 0.5) < 0.08  # 120 groups, 8 times: a standard error is .02


def test_picking_the_best_of_many_places_is_not_rewarded():
    """40 places of noise: the best one looks better than chance, the nested score does not."""
    draw = torch.Generator().manual_seed(1)
    names = tuple(map(str, range(200)))
    places = {(Site(n), 0): Activations(torch.randn(200, 20, generator=draw), Site(n), "m", names) for n in range(40)}
    labels = (torch.rand(200, generator=draw) < 0.5).tolist()
    found = held_out(places, {"noise": labels}, names, method="ridge")
    best = max(found.auroc("noise", place).value or 0 for place in places)
    nested = found.auroc("noise").value
    assert best > 0.57 and nested is not None and nested < best - 0.03
    assert abs(nested - 0.5) < 0.13  # three standard errors


def test_intervals_on_noise_hold_chance():
    """95 % of them should: of 100 more than 12 would not by luck once in 700."""
    missed = 0
    for seed in range(100):
        places, labels, groups = made(shift=0.0, seed=seed)
        found = held_out({WITH: places[WITH]}, {"state": labels}, groups, method="ridge", penalties=(10.0,)).auroc(
            "state"
        )
        missed += found.above(0.5) or found.below(0.5)
    assert missed <= 12


def test_held_out_scores_are_those_of_probes_fitted_without_the_part():
    """One penalty, one place: the same as scikit-learn's, fitted part by part."""
    places, labels, groups = made()
    found = held_out({WITH: places[WITH]}, {"state": labels}, groups, penalties=(1.0,))
    values = places[WITH].values.double().numpy()
    centred = values - values.mean(0)
    scaled = centred / np.sqrt((centred**2).mean())
    truth = np.asarray(labels)
    for part in range(5):
        held = found.part.numpy() == part
        peer = LogisticRegression(tol=1e-8, max_iter=5000).fit(scaled[~held], truth[~held])
        assert found.log_odds[0, held, 0].numpy() == pytest.approx(peer.decision_function(scaled[held]), abs=5e-3)


def test_parts_keep_groups_whole_and_classes_even():
    _, labels, groups = made()
    part = split(torch.tensor(labels)[:, None].double(), groups, parts=5, seed=0)
    assert all(len(set(part[torch.tensor([g == name for g in groups])].tolist())) == 1 for name in set(groups))
    shares = [np.mean([labels[i] for i in range(ROWS) if part[i] == one]) for one in range(5)]
    assert max(shares) - min(shares) < 0.05


def test_several_targets_are_those_of_one():
    places, labels, groups = made()
    other = [not label for label in labels]
    both = held_out(places, {"state": labels, "its absence": other}, groups)
    assert both.auroc("state", WITH).value == pytest.approx(both.auroc("its absence", WITH).value, abs=1e-4)


def test_bad_input_is_refused():
    places, labels, groups = made()
    with pytest.raises(InputError, match="too few groups"):
        held_out(places, {"state": labels}, ["one"] * 300 + ["two"] * 300)
    with pytest.raises(InputError, match="not one label per example of state"):
        held_out(places, {"state": labels[:-1]}, groups)
    with pytest.raises(InputError, match="one class only"):
        held_out(places, {"state": [True] * ROWS}, groups)
    with pytest.raises(InputError, match="unknown way"):
        held_out(places, {"state": labels}, groups, method="magic")  # type: ignore[arg-type]
    other = Activations(places[WITH].values, Site(2), "model", tuple(f"x{row}" for row in range(ROWS)))
    with pytest.raises(InputError, match="same examples"):
        held_out({**places, WITH: other}, {"state": labels}, groups)


def test_a_bank_gives_probes_that_are_saved_and_read_back(family_model, tmp_path):
    model = family_model("llama")
    draw = torch.Generator().manual_seed(0)
    names = tuple(map(str, range(200)))
    labels = (torch.rand(200, generator=draw) < 0.5).tolist()
    values = torch.randn(200, model.d_model, generator=draw)
    values[:, 0] += 2 * torch.tensor(labels)
    here = Activations(values, Site(1), model.fingerprint, names)
    bank = fit_bank({(Site(1), 0): here}, {"state": labels, "other": [not one for one in labels]}, model=model)
    probe = bank[(Site(1), 0), "state"]
    assert auroc_of(probe(here).numpy(), np.asarray(labels)) > 0.85
    fresh = Activations(values, Site(1), model.fingerprint, tuple(f"new {one}" for one in names))
    calibrated = probe.calibrated(fresh, labels, method="platt")
    calibrated.save(tmp_path / "probe.safetensors")
    again = Probe.load(tmp_path / "probe.safetensors")
    assert torch.equal(again(here), calibrated(here)) and again.target == "state"
    assert torch.equal(again.says(here), calibrated(here) >= 0.5)
    for seen in (names, fresh.examples):
        with pytest.raises(SplitOverlap):
            again.check_held_out(seen)
    with pytest.raises(SplitOverlap):
        probe.calibrated(here, labels, method="platt")
    with pytest.raises(ModelMismatch):
        fit_bank({(Site(1), 0): Activations(values, Site(1), "another", names)}, {"state": labels}, model=model)


def test_areas_without_a_cluster_are_those_of_the_trials_left():
    """All clusters at once against one after another, with ties, levels and clusters of unequal size."""
    draw = np.random.default_rng(0)
    scores = draw.integers(6, size=300).astype(float)
    truth = draw.uniform(size=300) < 0.3 + 0.05 * scores
    levels, clusters = draw.integers(3, size=300), draw.integers(40, size=300)

    def within(index: np.ndarray, by: np.ndarray) -> float:
        won = pairs = 0.0
        for level in np.unique(by):
            here = index[by[index] == level]
            weight = truth[here].sum() * (~truth[here]).sum()
            if weight:
                won, pairs = won + weight * auroc_of(scores[here], truth[here]), pairs + weight
        return won / pairs

    for by in (levels, np.zeros(300, dtype=int)):
        found = Separation.of(scores, truth, clusters, by)
        left = np.array([within(np.flatnonzero(clusters != one), by) for one in np.unique(clusters)])
        assert found.value == pytest.approx(within(np.arange(300), by))
        assert found.without == pytest.approx(left - left.mean(), abs=1e-12)

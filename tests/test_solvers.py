"""The batched solvers against scikit-learn at equal regularisation, fold by fold, and whatever the chunks."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import roc_auc_score

from introlab.errors import InputError
from introlab.stats.discrimination import auroc_of
from probes.linear import dataset as problems
from probes.linear import lbfgs as descent
from probes.linear.dataset import ProbeDataset
from probes.linear.solvers import difference_of_means, lda, logistic, ridge


class Made(NamedTuple):
    problem: ProbeDataset
    values: np.ndarray
    """As they are."""
    labels: np.ndarray


def made(*, rows: int = 600, width: int = 24, seed: int = 0, folds: int = 4) -> Made:
    """Three targets of different rarity, none of them separable, on values with a far mean and unequal spreads."""
    draw = np.random.default_rng(seed)
    values = draw.normal(size=(rows, width)) * np.exp(draw.normal(size=width)) + 30 * draw.normal(size=width)
    centred = (values - values.mean(0)) / values.std(0)
    scores = centred @ draw.normal(size=(width, 3)) / width**0.5 + draw.normal(size=(rows, 3)) + [0, 1, -1.5]
    labels = (scores > 0).astype(float)
    part = torch.tensor(draw.integers(folds, size=rows))
    uses = ~torch.eye(folds, dtype=torch.bool)
    uses[-1] = True  # the last fold is fitted on everything
    return Made(ProbeDataset(torch.tensor(values), torch.tensor(labels), part, uses), values, labels)


def fits(one: Made) -> Iterator[tuple[int, int, np.ndarray]]:
    """Fold, target and the rows they are fitted on."""
    for fold, uses in enumerate(one.problem.uses):
        rows = uses[one.problem.part].numpy()
        yield from ((fold, target, rows) for target in range(one.labels.shape[1]))


def scaled(one: Made) -> np.ndarray:
    return (one.values - one.values.mean(0)) / one.problem.size


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 1000), st.sampled_from([0.1, 1.0, 100.0]), st.sampled_from([3, 24, 90]))
def test_logistic_equals_scikit_learn(seed, penalty, width):
    one = made(seed=seed, rows=240, width=width)
    found = logistic(one.problem, (penalty, 2 * penalty))
    for fold, target, rows in fits(one):
        peer = LogisticRegression(C=1 / penalty, tol=1e-8, max_iter=5000)
        peer.fit(scaled(one)[rows], one.labels[rows, target])
        mine = found.coef[fold, target, 0].numpy()
        assert cosine(mine, peer.coef_[0]) > 0.9999
        scores = found.scores(torch.tensor(one.values))[:, fold, target, 0].numpy()
        theirs = peer.decision_function(scaled(one))
        share = one.labels[rows, target].mean()
        guaranteed = 2 * descent.TOLERANCE / (share * (1 - share))  # of the intercept, where scores hardly differ
        assert np.abs(scores - theirs).max() < max(0.01 * theirs.std(), guaranteed)
        side = one.labels[:, target] > 0
        assert abs(auroc_of(scores, side) - auroc_of(theirs, side)) < 1e-3


@pytest.mark.parametrize("penalty", [0.1, 10.0])
def test_ridge_equals_scikit_learn(penalty):
    one = made()
    found = ridge(one.problem, (penalty,))
    for fold, target, rows in fits(one):
        peer = Ridge(alpha=penalty).fit(scaled(one)[rows], one.labels[rows, target])
        assert cosine(found.coef[fold, target, 0].numpy(), peer.coef_) > 0.99999


@pytest.mark.parametrize("shrinkage", [0.0, 0.3])
def test_lda_equals_scikit_learn(shrinkage):
    """Directions and log-odds: LDA's own probabilities."""
    one = made()
    found = lda(one.problem, (shrinkage,))
    for fold, target, rows in fits(one):
        peer = LinearDiscriminantAnalysis(solver="lsqr", shrinkage=shrinkage or None)
        peer.fit(one.values[rows], one.labels[rows, target])
        assert cosine(found.coef[fold, target, 0].numpy(), peer.coef_[0]) > 0.9999
        if not shrinkage:
            scores = found.scores(torch.tensor(one.values))[:, fold, target, 0].numpy()
            assert scores == pytest.approx(peer.decision_function(one.values), abs=1e-2)


def test_a_difference_of_means_is_one():
    one = made()
    found = difference_of_means(one.problem)
    for fold, target, rows in fits(one):
        positive = one.labels[:, target] > 0
        gap = one.values[rows & positive].mean(0) - one.values[rows & ~positive].mean(0)
        assert cosine(found.coef[fold, target, 0].numpy(), gap) > 0.999999
        assert float(found.distance[fold, target]) == pytest.approx(np.linalg.norm(gap), rel=1e-5)


@pytest.mark.parametrize("method", [difference_of_means, lda, ridge, logistic])
def test_one_part_is_a_fold_of_all_parts(method):
    """On more rows than a chunk holds."""
    one = made(rows=10_000)
    plain = method(ProbeDataset.plain(one.problem.rows, one.problem.labels))
    for target in range(3):
        found = method(one.problem).coef[3, target, 0].numpy()
        assert cosine(plain.coef[0, target, 0].numpy(), found) > 0.9999


@pytest.mark.parametrize("method", [difference_of_means, lda, ridge, logistic])
def test_chunks_change_nothing(method, monkeypatch):
    whole = method(made().problem)
    monkeypatch.setattr(problems, "CHUNK", 37)
    parts = method(made().problem)
    assert parts.coef.numpy() == pytest.approx(whole.coef.numpy(), rel=1e-3, abs=1e-3)
    assert parts.intercept.numpy() == pytest.approx(whole.intercept.numpy(), rel=1e-3, abs=1e-3)


def test_more_columns_than_rows():
    """Twice as wide as long: the direction is scikit-learn's, and held-out rows are ranked as it ranks them."""
    one = made(rows=120, width=240)
    fresh = np.random.default_rng(5).normal(size=(500, 240)) * one.values.std(0) + one.values.mean(0)
    found = logistic(one.problem, (10.0,)).scores(torch.tensor(fresh))[:, 3, 0, 0].numpy()
    peer = LogisticRegression(C=0.1, tol=1e-8, max_iter=5000).fit(scaled(one), one.labels[:, 0])
    theirs = peer.decision_function((fresh - one.values.mean(0)) / one.problem.size)
    assert np.corrcoef(found, theirs)[0, 1] > 0.9999


def test_soft_labels_are_rows_of_both_kinds():
    """A share of .3 is a row that counts .3 as positive and .7 as negative (arXiv 2207.05221, P(IK))."""
    one = made()
    share = np.random.default_rng(3).uniform(size=(600, 1)) * one.labels[:, :1] + 0.05
    found = logistic(ProbeDataset.plain(torch.tensor(one.values), torch.tensor(share.clip(0, 1))), (1.0,))
    twice = np.concatenate([scaled(one), scaled(one)])
    weight = np.concatenate([share[:, 0], 1 - share[:, 0]]).clip(0, 1)
    peer = LogisticRegression(tol=1e-8, max_iter=5000).fit(twice, [1] * 600 + [0] * 600, sample_weight=weight)
    assert cosine(found.coef[0, 0, 0].numpy(), peer.coef_[0]) > 0.9999


def test_balanced_is_scikit_learns():
    one = made()
    found = logistic(one.problem, (1.0,), balanced=True)
    for fold, target, rows in fits(one):
        peer = LogisticRegression(tol=1e-8, max_iter=5000, class_weight="balanced")
        peer.fit(scaled(one)[rows], one.labels[rows, target])
        assert cosine(found.coef[fold, target, 0].numpy(), peer.coef_[0]) > 0.9999


def test_classes_that_can_be_told_apart_exactly_are_no_trouble():
    values = torch.randn(200, 10, generator=torch.Generator().manual_seed(0))
    labels = (values[:, :1] > 0).double()
    found = logistic(ProbeDataset.plain(values, labels), (1e-3,))
    assert roc_auc_score(labels[:, 0], found.scores(values)[:, 0, 0, 0]) == 1.0
    assert bool(torch.isfinite(found.coef).all())


def test_fits_that_are_not_done_say_so(monkeypatch):
    monkeypatch.setattr(descent, "LIMIT", 1)
    with pytest.warns(UserWarning, match="12 of 12"):
        logistic(made().problem)


def test_bad_numbers_are_refused():
    values, labels = torch.randn(20, 3), torch.tensor([[0.0], [1.0]] * 10)
    for given_labels in (labels * 2, labels * torch.nan):
        with pytest.raises(InputError, match="no shares"):
            ProbeDataset.plain(values, given_labels)
    with pytest.raises(InputError, match="both classes"):
        ProbeDataset.plain(values, labels * 0)
    with pytest.raises(InputError, match="different number"):
        ProbeDataset.plain(values, labels[:10])
    with pytest.raises(InputError, match="NaN"):
        logistic(ProbeDataset.plain(values * torch.nan, labels))
    with pytest.raises(InputError, match="do not vary"):
        logistic(ProbeDataset.plain(torch.ones(20, 3), labels))


class OnDisk:
    """Rows of which only slices can be had, and never many."""

    def __init__(self, values: torch.Tensor):
        self.values, self.most = values, 0

    def __len__(self) -> int:
        return len(self.values)

    def __getitem__(self, index: slice, /) -> torch.Tensor:
        self.most = max(self.most, index.stop - index.start)
        return self.values[index]


@pytest.mark.parametrize("method", [difference_of_means, lda, ridge, logistic])
def test_rows_may_stay_on_disk(method, monkeypatch):
    monkeypatch.setattr(problems, "CHUNK", 100)
    one = made()
    rows = OnDisk(one.problem.rows[0:600])
    found = method(ProbeDataset(rows, one.problem.labels, one.problem.part, one.problem.uses))
    assert rows.most <= 100
    assert torch.equal(found.coef, method(one.problem).coef)

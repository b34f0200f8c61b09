"""CR2 and Satterthwaite's degrees of freedom: the formulas written out with whole matrices, closed forms, and intervals
that hold where few clusters are treated, where sizes are uneven and where slopes differ."""

import numpy as np
import pytest
from scipy import stats

from introlab.errors import InputError
from introlab.stats.estimates import mean
from introlab.stats.regression import linear, mixed
from introlab.stats.small_samples import cr2, degrees_of_freedom, effective_clusters, spread_of_mean


def written_out(design, residuals, codes):
    """With the whole hat matrix: covariance, and degrees of freedom where trials are independent and where clusters
    have coefficients of their own, [coefficient, model]."""
    n, bread = len(design), np.linalg.inv(design.T @ design)
    keeps, own = np.eye(n) - design @ bread @ design.T, np.zeros((n, n))
    moves, maps = [], []
    for cluster in np.unique(codes):
        rows = np.flatnonzero(codes == cluster)
        values, vectors = np.linalg.eigh(keeps[np.ix_(rows, rows)])
        adjust = vectors / np.sqrt(values) @ vectors.T
        own[np.ix_(rows, rows)] = design[rows] @ bread @ design[rows].T
        moves.append(bread @ design[rows].T @ adjust @ residuals[rows])
        maps.append(bread @ design[rows].T @ adjust @ keeps[rows])
    df = []
    for index in range(design.shape[1]):
        form = np.array(maps)[:, index]
        products = [form @ model @ form.T for model in (np.eye(n), own)]
        df.append([np.trace(each) ** 2 / (each**2).sum() for each in products])
    return np.array(moves).T @ np.array(moves), np.array(df)


def sums(design, residuals, codes):
    k, width = int(codes.max()) + 1, design.shape[1]
    curve, score = np.zeros((k, width, width)), np.zeros((k, width))
    np.add.at(curve, codes, design[:, :, None] * design[:, None, :])
    np.add.at(score, codes, design * residuals[:, None])
    return curve, score


@pytest.mark.parametrize("seed", range(4))
def test_sums_by_cluster_tell_what_whole_matrices_do(seed):
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(12), rng.integers(1, 9, 12))
    design = np.stack([np.ones(len(codes)), codes < 3, rng.normal(size=len(codes))], axis=1)
    y = rng.normal(size=len(codes))
    residuals = y - design @ np.linalg.lstsq(design, y, rcond=None)[0]
    covariance, df = written_out(design, residuals, codes)
    found, freedom = cr2(*sums(design, residuals, codes))
    assert found == pytest.approx(covariance) and freedom == pytest.approx(df.min(1))
    assert cr2(*sums(design, residuals, codes), several=False)[1] == pytest.approx(df[:, 0])
    covariance, df = written_out(np.ones((len(y), 1)), y - y.mean(), codes)
    variance, freedom = spread_of_mean(np.bincount(codes, y - y.mean()), np.bincount(codes).astype(float))
    # For a mean, copies are clusters with one value of their own.
    assert variance == pytest.approx(covariance[0, 0]) and freedom == pytest.approx(df.min())


def test_equal_clusters_have_the_textbooks_degrees_of_freedom():
    assert degrees_of_freedom(np.full(9, 4.0)) == pytest.approx(8) and effective_clusters(np.full(9, 4.0)) == 9
    uneven = np.array([50.0, *[1.0] * 20])
    assert degrees_of_freedom(uneven) < 2 and effective_clusters(uneven) < 2


@pytest.mark.parametrize(("treated", "others"), [(3, 197), (10, 10), (5, 20)])
def test_two_groups_of_clusters_are_compared_as_by_welch(treated, others):
    """The variance is ``s1^2 / m + s2^2 / n`` of cluster means; degrees of freedom are Welch's for equal spreads, or
    fewer, down to those of the smaller group, as they are where it is the more spread one."""
    rng = np.random.default_rng(0)
    values, size = rng.normal(size=treated + others), 4
    clusters = np.repeat(np.arange(treated + others), size)
    side = (clusters < treated) * 1.0
    found = linear(values[clusters] + np.tile([-1, 1, 0, 0], treated + others), {"side": side}, clusters)["side"]
    one, other = values[:treated], values[treated:]
    variance = one.var(ddof=1) / treated + other.var(ddof=1) / others
    df = (1 / treated + 1 / others) ** 2 / (1 / treated**2 / (treated - 1) + 1 / others**2 / (others - 1))
    assert found.value == pytest.approx(one.mean() - other.mean())
    half, error = found.high - found.value, np.sqrt(variance)
    assert half >= stats.t.ppf(0.975, df) * error * (1 - 1e-9)
    assert half <= stats.t.ppf(0.975, treated - 1 if treated < others else df) * error * (1 + 1e-9)


def covered(draw, repeats):
    """How often an interval holds 0."""
    found = [draw(np.random.default_rng(seed)) for seed in range(repeats)]
    return np.mean([each.low <= 0 <= each.high for each in found])


@pytest.mark.parametrize("treated", [2, 3])
def test_few_treated_clusters_of_many(treated):
    """The usual sandwich holds .79 to .87. Of 300 intervals at .95, fewer than .90 hold once in 10,000 times."""

    def draw(rng):
        clusters = np.repeat(np.arange(200), 5)
        values = rng.normal(size=200)[clusters] + rng.normal(size=1000)
        return linear(values, {"treated": (clusters < treated) * 1.0}, clusters)["treated"]

    assert covered(draw, 300) > 0.90


def test_slopes_that_differ_between_clusters():
    """A random intercept alone holds .66. As above, of 60 fits: fewer than .85 hold once in 500 times."""

    def draw(rng):
        clusters = np.repeat(np.arange(20), 20)
        x = rng.normal(size=400)
        values = rng.normal(size=20)[clusters] + rng.normal(size=20)[clusters] * x + rng.normal(size=400)
        return mixed(values, {"x": x}, clusters)["x"]

    assert covered(draw, 60) > 0.85


def test_uneven_clusters():
    """Ten clusters of 1 to 100 trials that correlate by .3: k - 1 degrees of freedom hold .87."""
    sizes = np.array([1, 1, 2, 3, 5, 8, 12, 20, 50, 100])
    clusters = np.repeat(np.arange(10), sizes)

    def draw(rng):
        return mean(np.sqrt(0.3) * rng.normal(size=10)[clusters] + np.sqrt(0.7) * rng.normal(size=202), clusters)

    assert covered(draw, 600) > 0.92


def test_one_treated_cluster_is_refused():
    clusters = np.repeat(np.arange(20), 3)
    with pytest.raises(InputError, match="only one cluster"):
        linear(np.random.default_rng(0).normal(size=60), {"treated": (clusters == 0) * 1.0}, clusters)


def test_residuals_that_do_not_vary_tell_no_width():
    x = np.arange(40.0)
    assert not linear(2 * x + 1, {"x": x}, np.arange(40))["x"].known

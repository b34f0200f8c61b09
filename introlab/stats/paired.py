"""Two conditions on the same items: McNemar's exact test, sign flips by cluster, the paired cluster bootstrap, and the
difference of two paired rates."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from introlab.errors import InputError
from introlab.stats.bootstrap import bootstrap, cluster_totals
from introlab.stats.checked_columns import UNIT, Column, measured, names
from introlab.stats.contrasts import contrast
from introlab.stats.estimates import MIN_BOOTSTRAP_CLUSTERS, PValue
from introlab.stats.interval import Estimate

_ENUMERATED = 14
"""Up to this many clusters every pattern of signs is looked at."""
_TOGETHER = 4_000_000

Pairs = Sequence[tuple[float, float]] | np.ndarray


def mcnemar(pairs: Pairs, clusters: Column) -> PValue:
    """Exact two-sided test that as many pairs go one way as the other.

    The statistic is the share of the discordant pairs in which the first is right. Raises InputError for missing
    outcomes and for others than 0 and 1, and where a cluster holds several pairs: the test takes pairs to be
    independent.
    """
    array = _of_rates(pairs, "McNemar's test")
    k = len(np.unique(names(clusters, len(array))))
    if k < len(array):
        raise InputError(
            "McNemar's test on pairs that are not independent",
            given=f"{len(array)} pairs in {k} clusters",
            do="use introlab.stats.paired.sign_flip, which flips whole clusters",
        )
    first, second = array[:, 0] > array[:, 1], array[:, 1] > array[:, 0]
    one, differing = int(first.sum()), int(first.sum() + second.sum())
    p = float(stats.binomtest(one, differing).pvalue) if differing else 1.0
    return PValue(p, one / differing if differing else 0.5, len(array), len(array), "McNemar, exact")


def sign_flip(differences: Column, clusters: Column, *, draws: int = 10_000, seed: int = 0) -> PValue:
    """Two-sided test that differences are as likely up as down, by flipping the signs of whole clusters.

    Exact up to 14 clusters (all patterns), by random patterns beyond. Five clusters cannot give a p below .06. The
    statistic is the mean difference. Raises InputError for missing differences, or none.
    """
    sums = cluster_totals([differences], clusters)[:, 0]
    if not len(sums):
        raise InputError("no differences to test")
    k, seen = len(sums), abs(float(sums.sum())) * (1 - 1e-12)
    if k <= _ENUMERATED:
        signs = 1 - 2 * (np.arange(2**k)[:, None] >> np.arange(k) & 1)
        p = float((np.abs(signs @ sums) >= seen).mean())
    else:
        rng, together, hits = np.random.default_rng(seed), max(1, _TOGETHER // k), 0
        for start in range(0, draws, together):
            rows = min(together, draws - start)
            # The sum of the clusters kept, twice, minus all of them.
            kept = rng.integers(2, size=(rows, k), dtype=np.int8) @ sums
            hits += int((np.abs(2 * kept - sums.sum()) >= seen).sum())
        p = (1 + hits) / (1 + draws)
    return PValue(p, float(sums.sum()) / len(differences), len(differences), k, "sign flips by cluster")


def paired_bootstrap(pairs: Pairs, clusters: Column, *, draws: int = 10_000, seed: int = 0) -> Estimate:
    """Mean of the first minus the second, resampling clusters. For rates, `paired_rates` keeps a width at 0 and 1.

    No interval where fewer than ten clusters differ. Raises InputError below ten clusters, and for missing values.
    """
    array = _of_pairs(pairs)
    gaps = array[:, 0] - array[:, 1]
    found = bootstrap(
        lambda totals: totals[..., 0] / totals[..., 1],
        [gaps, np.ones(len(gaps))],
        clusters,
        "paired difference",
        draws=draws,
        seed=seed,
    )
    differ = int((np.abs(cluster_totals([np.abs(gaps)], clusters)[:, 0]) > 0).sum())
    if differ < MIN_BOOTSTRAP_CLUSTERS:
        method = f"paired difference: only {differ} clusters differ, no interval"
        return Estimate(found.value, None, None, found.n, found.clusters, method, "paired difference")
    return replace(found, kind="paired difference")


def paired_rates(pairs: Pairs, clusters: Column) -> Estimate:
    """Rate of the first minus rate of the second of each pair; a real width at rates of 0 and 1, any clusters.

    Raises InputError for missing outcomes, and for values other than 0 and 1.
    """
    array = _of_rates(pairs, "paired rates")
    labels = names(clusters, len(array))
    sides = np.repeat([True, False], len(array)).tolist()
    weights = {True: 1.0, False: -1.0}
    found = contrast(array.T.ravel(), sides, weights, np.tile(labels, 2), name="paired rates")
    return replace(found, n=len(array), kind="paired difference")


def _of_pairs(pairs: Pairs) -> np.ndarray:
    array = measured(pairs)
    if array.size and (array.ndim != 2 or array.shape[1] != 2):
        raise InputError("pairs of values", given=f"an array of shape {array.shape}", allowed="two values per pair")
    return array if array.size else array.reshape(0, 2)


def _of_rates(pairs: Pairs, what: str) -> np.ndarray:
    array = _of_pairs(pairs)
    if not np.isin(array, UNIT).all():
        raise InputError(what, given="values other than 0 and 1", do="use paired_bootstrap or sign_flip")
    return array

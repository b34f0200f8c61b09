"""Whether raters agree beyond chance: Cohen's kappa of two, Fleiss' kappa of several, Gwet's AC1, with intervals by
cluster.

Where one label is rare, few items tell a kappa, and it is not near normal: two raters who each say yes to one item in
twenty, independently, agree on half an item of 200. Of two labels the interval is then the goodness of fit's, which
holds there; else it is refused, and the text says to use AC1 (`gwet_ac1`), which does not fall apart.
"""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from scipy import stats

from introlab.errors import InputError
from introlab.stats.bootstrap import jackknife
from introlab.stats.checked_columns import Column, answers, names, same_length
from introlab.stats.estimates import LEVEL, MIN_BOOTSTRAP_CLUSTERS, proportion
from introlab.stats.interval import Estimate

_TELLING, _RARER = 10, 5
_BY_CHANCE = 10
"""Items on which raters would agree on a rarer label by chance, from which a kappa is near normal."""
_STEPS = 4001
_LEAST = 0.5
"""An expected count below this counts as this: one pair on which half a pair was expected is no surprise."""


def cohens_kappa(one: Sequence[Hashable], other: Sequence[Hashable], clusters: Column) -> Estimate:
    """Agreement of two raters beyond that of their marginal rates; 1 is perfect, 0 chance.

    Of two labels the interval is that of the goodness of fit of the common correlation model (Donner and Eliasziw,
    Statistics in Medicine 11, 1992), at the effective number of items; of more, it leaves out one cluster at a time.
    Where they agree throughout it is that of the share they agree on, at their marginal rates. No interval where too
    few clusters tell (see the module). (Cohen, Educational and Psychological Measurement 20, 1960.) No value where
    both give one label only. Raises InputError for missing labels (None, NaN) and below ten clusters.
    """
    table, categories = _indicators([one, other])
    c = len(categories)

    def kappa(totals: np.ndarray) -> np.ndarray:
        n, agreed = totals[..., 0], totals[..., 1]
        chance = (totals[..., 2 : 2 + c] * totals[..., 2 + c :]).sum(-1) / n**2
        return _beyond(agreed / n, chance)

    agreed = (table[0] * table[1]).sum(1)
    columns = [np.ones(len(agreed)), agreed, *table[0].T, *table[1].T]
    return _with_interval(kappa, agreed, columns, table, clusters, "Cohen")


def fleiss_kappa(ratings: Sequence[Sequence[Hashable]], clusters: Column) -> Estimate:
    """Agreement of several raters beyond chance; ``ratings[rater][item]``. (Fleiss, Psychological Bulletin 76, 1971.)
    The interval leaves out one cluster at a time; in all else as `cohens_kappa`. Raises InputError for fewer than two
    raters too."""
    if len(ratings) < 2:
        raise InputError("agreement of fewer than two raters", given=len(ratings))
    table, _ = _indicators(ratings)
    m, counts = len(ratings), table.sum(0)
    agreed = (counts * (counts - 1)).sum(1) / (m * (m - 1))

    def kappa(totals: np.ndarray) -> np.ndarray:
        n = totals[..., 0]
        return _beyond(totals[..., 1] / n, ((totals[..., 2:] / (n * m)[..., None]) ** 2).sum(-1))

    return _with_interval(kappa, agreed, [np.ones(len(agreed)), agreed, *counts.T], table, clusters, "Fleiss")


def gwet_ac1(ratings: Sequence[Sequence[Hashable]], clusters: Column) -> Estimate:
    """Agreement beyond chance that does not fall apart where a label is rare; ``ratings[rater][item]``.

    Chance is the sum of ``p (1 - p)`` over labels, over one less than there are. (Gwet, British Journal of Mathematical
    and Statistical Psychology 61, 2008.) The interval leaves out one cluster at a time; where fewer than ten clusters
    disagree it is that of the share they agree on. Raises InputError as `fleiss_kappa` does; where all give one
    label, AC1 is 1.
    """
    if len(ratings) < 2:
        raise InputError("agreement of fewer than two raters", given=len(ratings))
    table, categories = _indicators(ratings)
    m, c, counts = len(ratings), max(2, len(categories)), table.sum(0)
    agreed = (counts * (counts - 1)).sum(1) / (m * (m - 1))

    def ac1(totals: np.ndarray) -> np.ndarray:
        n = totals[..., 0]
        rate = totals[..., 2:] / (n * m)[..., None]
        return _beyond(totals[..., 1] / n, (rate * (1 - rate)).sum(-1) / (c - 1))

    columns, labels = [np.ones(len(agreed)), agreed, *counts.T], _enough(clusters, len(agreed))
    if len(np.unique(labels[agreed < 1])) >= _TELLING:
        return jackknife(ac1, columns, labels, "Gwet's AC1")
    return _by_share(ac1, agreed, columns, labels, "Gwet's AC1")


def _with_interval(
    kappa: Any, agreed: np.ndarray, columns: list[np.ndarray], table: np.ndarray, clusters: Column, who: str
) -> Estimate:
    labels, name = _enough(clusters, len(agreed)), f"{who}'s kappa"
    found: Estimate = jackknife(kappa, columns, labels, name)
    if found.value is None:
        return found
    two = len(table) == 2 and table.shape[2] == 2
    disagree, rarer = _telling(agreed, table.sum(0), labels)
    rates = 1 - table.mean(1)[:, table.sum((0, 1)).argmax()]
    alone = found.clusters == found.n
    if rarer < _RARER or (not (agreed == 1).all() and not (two and alone) and min(disagree, rarer) < _TELLING):
        method = f"{name}: fewer than {_TELLING} clusters disagree, or have the rarer label; use gwet_ac1"
    elif (agreed == 1).all():
        return _by_share(kappa, agreed, columns, labels, name)
    elif two:
        return _goodness_of_fit(found, kappa, columns, table)
    elif len(agreed) * rates.min() ** 2 >= _BY_CHANCE:
        return found
    else:
        method = f"{name}: labels too rare to agree on by chance, no interval; use gwet_ac1"
    return replace(found, low=None, high=None, method=method)


def _enough(clusters: Column, n: int) -> np.ndarray:
    labels = names(clusters, n)
    k = len(np.unique(labels))
    if k < MIN_BOOTSTRAP_CLUSTERS:
        raise InputError(
            "too few clusters for a kappa",
            given=f"{k} clusters",
            allowed=f"at least {MIN_BOOTSTRAP_CLUSTERS}",
            do="report the share they agree on (introlab.stats.estimates.proportion)",
        )
    return labels


def _by_share(kappa: Any, agreed: np.ndarray, columns: list[np.ndarray], labels: np.ndarray, name: str) -> Estimate:
    """The bounds of the share they agree on, taken to the scale of kappa at the rates of their labels."""
    share, totals = proportion(agreed, labels), np.array([column.sum() for column in columns])
    bounds = [(share.low or 0.0), 1.0 if share.high is None else share.high, float(agreed.mean())]
    low, high, value = (float(kappa(np.r_[totals[0], each * len(agreed), totals[2:]])) for each in bounds)
    return Estimate(value, low, high, len(agreed), share.clusters, f"{name}, from the share they agree on")


def _goodness_of_fit(found: Estimate, kappa: Any, columns: list[np.ndarray], table: np.ndarray) -> Estimate:
    """Kappas whose three expected counts (both, one, neither) fit those seen, around the intraclass kappa; moved by
    what Cohen's differs from it. Counts are those of the effective number of items: fewer by the design effect."""
    assert found.value is not None
    n = len(table[0])
    alone = jackknife(kappa, columns, np.arange(n), "")
    share = 1.0
    if found.clusters < n and found.known and alone.known:
        assert found.high is not None and alone.high is not None
        share = min(1.0, ((alone.high - found.value) / (found.high - found.value)) ** 2)
    yes = table[:, :, 0].sum(0)
    seen = share * np.array([(yes == 2).sum(), (yes == 1).sum(), (yes == 0).sum()], dtype=float)
    rate = float(yes.mean() / 2)
    intraclass = 1 - seen[1] / (seen.sum() * 2 * rate * (1 - rate))
    steps = np.linspace(max(-1.0, -rate / (1 - rate), -(1 - rate) / rate), 1, _STEPS)[1:-1]
    both = rate * (1 - rate) * steps
    expected = seen.sum() * np.stack([rate**2 + both, 2 * (rate * (1 - rate) - both), (1 - rate) ** 2 + both])
    reach = float(stats.chi2.ppf(LEVEL, 1))
    fits = steps[((seen[:, None] - expected) ** 2 / np.maximum(expected, _LEAST)).sum(0) <= reach]
    step, moved = steps[1] - steps[0], found.value - intraclass
    low, high = (fits.min() - step, fits.max() + step) if len(fits) else (intraclass, intraclass)
    low, high = min(float(low + moved), found.value), max(float(high + moved), found.value)
    method = f"{found.method.split(',')[0]}, goodness of fit at the effective size"
    return replace(found, low=max(-1.0, low), high=min(1.0, high), method=method)


def _telling(agreed: np.ndarray, votes: np.ndarray, labels: np.ndarray) -> tuple[int, int]:
    """Clusters in which raters disagree, and in which no majority gives the commonest label. `votes`: [item,
    category]."""
    commonest = votes[:, votes.sum(0).argmax()]
    rarer = commonest <= votes.sum(1) / 2
    return len(np.unique(labels[agreed < 1])), len(np.unique(labels[rarer]))


def _indicators(ratings: Sequence[Sequence[Hashable]]) -> tuple[np.ndarray, list[Hashable]]:
    """Which category each rater gave each item, [rater, item, category]."""
    same_length(**{f"rater {index}": labels for index, labels in enumerate(ratings)})
    kept = [answers(labels, "labels") for labels in ratings]
    categories = sorted({label for labels in kept for label in labels}, key=str)
    place = {label: index for index, label in enumerate(categories)}
    codes = np.array([[place[label] for label in labels] for labels in kept], dtype=int).reshape(len(ratings), -1)
    return np.eye(max(1, len(categories)))[codes], categories


def _beyond(share: np.ndarray, chance: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance < 1 - 1e-12, (share - chance) / (1 - chance), np.nan)

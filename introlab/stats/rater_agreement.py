"""Whether raters agree beyond chance: Cohen's kappa of two, Fleiss' kappa of several, with intervals by cluster."""

from collections.abc import Hashable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from introlab.errors import InputError
from introlab.stats.bootstrap import jackknife
from introlab.stats.estimates import MIN_BOOTSTRAP_CLUSTERS, Column, proportion
from introlab.stats.interval import Estimate

_TELLING = 10


def cohens_kappa(one: Sequence[Hashable], other: Sequence[Hashable], clusters: Column) -> Estimate:
    """Agreement of two raters beyond that of their marginal rates; 1 is perfect, 0 chance.

    The interval leaves out one cluster at a time. Where they agree throughout it is that of the share they agree on,
    at their marginal rates; none where fewer than ten clusters tell: disagree, or have no majority for the commonest
    label. (Cohen, Educational and Psychological Measurement 20, 1960.) No value where both give one
    label only. Raises InputError for missing labels and below ten clusters.
    """
    table, categories = _indicators([one, other])
    c = len(categories)

    def kappa(totals: np.ndarray) -> np.ndarray:
        n, agreed = totals[..., 0], totals[..., 1]
        chance = (totals[..., 2 : 2 + c] * totals[..., 2 + c :]).sum(-1) / n**2
        return _beyond(agreed / n, chance)

    agreed = (table[0] * table[1]).sum(1)
    return _with_interval(
        kappa, agreed, [np.ones(len(agreed)), agreed, *table[0].T, *table[1].T], table.sum(0), clusters, "Cohen"
    )


def fleiss_kappa(ratings: Sequence[Sequence[Hashable]], clusters: Column) -> Estimate:
    """Agreement of several raters beyond chance; ``ratings[rater][item]``. (Fleiss, Psychological Bulletin 76, 1971.)
    In all else as `cohens_kappa`. Raises InputError for fewer than two raters too."""
    if len(ratings) < 2:
        raise InputError("agreement of fewer than two raters", given=len(ratings))
    table, _ = _indicators(ratings)
    m, counts = len(ratings), table.sum(0)
    agreed = (counts * (counts - 1)).sum(1) / (m * (m - 1))

    def kappa(totals: np.ndarray) -> np.ndarray:
        n = totals[..., 0]
        return _beyond(totals[..., 1] / n, ((totals[..., 2:] / (n * m)[..., None]) ** 2).sum(-1))

    return _with_interval(kappa, agreed, [np.ones(len(agreed)), agreed, *counts.T], counts, clusters, "Fleiss")


def _with_interval(
    kappa: Any, agreed: np.ndarray, columns: list[np.ndarray], votes: np.ndarray, clusters: Column, who: str
):
    k = len(np.unique(np.asarray(clusters)))
    if k < MIN_BOOTSTRAP_CLUSTERS:
        raise InputError(
            "too few clusters for a kappa",
            given=f"{k} clusters",
            allowed=f"at least {MIN_BOOTSTRAP_CLUSTERS}",
            do="report the share they agree on (introlab.stats.estimates.proportion)",
        )
    found: Estimate = jackknife(kappa, columns, clusters, f"{who}'s kappa")
    if found.value is None:
        return found
    if not (agreed == 1).all():
        return (
            found
            if _telling(agreed, votes, clusters)
            else replace(
                found,
                low=None,
                high=None,
                method=f"{who}'s kappa: fewer than {_TELLING} clusters disagree, or have the rarer label",
            )
        )
    share = proportion(agreed, clusters)
    totals = np.array([column.sum() for column in columns])
    totals[1] = (share.low or 0.0) * len(agreed)
    method = f"{who}'s kappa, from the share they agree on"
    return Estimate(found.value, float(kappa(totals)), found.value, found.n, k, method)


def _telling(agreed: np.ndarray, votes: np.ndarray, clusters: Column) -> bool:
    """Whether enough clusters tell how sure a kappa is: some in which raters disagree, some in which no majority gives
    the commonest label. `votes`: [item, category]."""
    labels, commonest = np.asarray(clusters), votes[:, votes.sum(0).argmax()]
    rarer = commonest <= votes.sum(1) / 2
    return all(len(np.unique(labels[rows])) >= _TELLING for rows in (agreed < 1, rarer))


def _indicators(ratings: Sequence[Sequence[Hashable]]) -> tuple[np.ndarray, list[Hashable]]:
    """Which category each rater gave each item, [rater, item, category]."""
    missing = sum(label is None for labels in ratings for label in labels)
    if missing or len({len(labels) for labels in ratings}) != 1:
        raise InputError(
            "every rater rates every item",
            given=f"{[len(labels) for labels in ratings]} labels, {missing} missing",
            do="leave out items without a label, and report how many they were",
        )
    categories = sorted({label for labels in ratings for label in labels}, key=str)
    place = {label: index for index, label in enumerate(categories)}
    codes = np.array([[place[label] for label in labels] for labels in ratings], dtype=int).reshape(len(ratings), -1)
    return np.eye(max(1, len(categories)))[codes], categories


def _beyond(share: np.ndarray, chance: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(chance < 1 - 1e-12, (share - chance) / (1 - chance), np.nan)

"""Held-out evaluation that cannot leak: whole groups are held out, and the text alone is scored the same way."""

from collections.abc import Sequence

import numpy as np
from sklearn.model_selection import StratifiedGroupKFold

from introlab.activations import Activations
from introlab.errors import InputError
from introlab.models import Model
from introlab.scores import auroc
from introlab.stats import Estimate
from probes.baselines import text_only
from probes.linear import Method, fit_direction

FOLDS = 5


def cross_validated(
    activations: Activations,
    labels: Sequence[bool],
    groups: Sequence[str],
    *,
    model: Model,
    method: Method,
    texts: Sequence[str],
) -> tuple[Estimate, Estimate]:
    """AUROC of a direction and of a bag of words, both on groups neither was fitted on.

    Scores are ranked within their fold, since folds are not on one scale. Raises InputError for one class only or
    fewer groups than folds.
    """
    truth = np.asarray(labels, dtype=bool)
    if truth.all() or not truth.any():
        raise InputError("labels of one class only", given=f"{int(truth.sum())} true of {len(truth)}")
    smallest = min(len({g for g, y in zip(groups, labels, strict=True) if y is value}) for value in (True, False))
    if smallest < FOLDS:
        raise InputError(
            "too few groups to hold any out", given=f"{smallest} groups of the rarer label", allowed=f"{FOLDS} or more"
        )
    inside, words = np.zeros(len(truth)), np.zeros(len(truth))
    written = list(texts)
    for train, test in StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0).split(truth, truth, groups):
        fitted = activations.where([index in set(train.tolist()) for index in range(len(truth))])
        y = truth[sorted(train)]
        direction = fit_direction(fitted, y.tolist(), model=model, method=method)
        inside[test] = _ranks(direction.projection(activations.values[test]).numpy())
        words[test] = _ranks(
            np.asarray(text_only([written[i] for i in sorted(train)], y.tolist(), [written[i] for i in test]))
        )
    return auroc(inside.tolist(), labels, groups), auroc(words.tolist(), labels, groups)


def _ranks(scores: np.ndarray) -> np.ndarray:
    from scipy.stats import rankdata

    return rankdata(scores) / (len(scores) + 1)

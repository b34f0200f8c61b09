"""What a probe must beat: the text itself, its length, shuffled labels. All are fitted and scored as the probe is."""

import random
from collections.abc import Sequence

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from introlab.errors import InputError


def shuffled(labels: Sequence[bool], groups: Sequence[str], *, seed: int) -> list[bool]:
    """Labels dealt anew, group by group: each group gets the labels of another, repeated or cut to its size.

    What is shared within a group stays shared, and nothing else does: dealing only among groups of equal size would
    leave any label that goes with group size in place (seen: AUROC 0.61 on "shuffled" labels).
    """
    rng = random.Random(f"shuffled labels {seed}")
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    donors = list(members.values())
    rng.shuffle(donors)
    dealt = [False] * len(labels)
    for taker, donor in zip(members.values(), donors, strict=True):
        start = rng.randrange(len(donor))
        for offset, index in enumerate(taker):
            dealt[index] = labels[donor[(start + offset) % len(donor)]]
    return dealt


def shuffles(labels: Sequence[bool], groups: Sequence[str], count: int) -> dict[str, list[bool]]:
    """Labels dealt anew so many times, as targets of a bank."""
    return {f"deal {seed}": shuffled(labels, groups, seed=seed) for seed in range(count)}


def text_only(train: Sequence[str], labels: Sequence[bool], test: Sequence[str]) -> list[float]:
    """Scores of a bag-of-words logistic regression that sees the text and nothing of the model."""
    pipeline = make_pipeline(
        CountVectorizer(token_pattern=r"\S+", ngram_range=(1, 2)), LogisticRegression(C=1.0, max_iter=2000)
    )
    return _scores(pipeline, list(train), labels, list(test))


def numbers_only(train: Sequence[float], labels: Sequence[bool], test: Sequence[float]) -> list[float]:
    """Scores of a logistic regression on one number: a length, a position."""
    pipeline = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
    return _scores(pipeline, np.asarray(train, dtype=float)[:, None], labels, np.asarray(test, dtype=float)[:, None])


def _scores(pipeline, train, labels: Sequence[bool], test) -> list[float]:  # type: ignore[no-untyped-def]
    if len(set(labels)) < 2:
        raise InputError("a baseline needs both classes", given=f"{sum(labels)} positive of {len(labels)}")
    return pipeline.fit(train, np.asarray(labels, dtype=bool)).decision_function(test).tolist()

"""Linear probes: learning and using are different things, and the used one is frozen."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from jaxtyping import Float
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from torch import Tensor

from introlab.activations import Activations
from introlab.directions import Direction, difference_of_means
from introlab.errors import InputError, ModelMismatch
from introlab.models import Model

Method = Literal["difference_of_means", "logistic"]
PENALTIES = (100.0, 10.0, 1.0)


@dataclass(frozen=True)
class Probe:
    """Probability of a state: ``sigmoid(gain * (projection on direction) + offset)``."""

    direction: Direction
    gain: float
    offset: float

    def __call__(self, activations: Activations) -> Float[Tensor, " example"]:
        """Probabilities for every example. Raises ModelMismatch for another model or site."""
        if (activations.model, activations.site) != (self.direction.model, self.direction.site):
            raise ModelMismatch(
                "activations of another model or site than the probe's",
                given=f"{activations.site} of {activations.model}",
                allowed=f"{self.direction.site} of {self.direction.model}",
            )
        return torch.sigmoid(self.gain * self.direction.projection(activations.values) + self.offset)


def fit_logistic(activations: Activations, labels: Sequence[bool], *, model: Model, strength: float = 1.0) -> Probe:
    """L2-regularised logistic regression on activations scaled to unit mean square norm.

    `strength` is the penalty: 1 is scikit-learn's default on standardised-size data. Raises InputError for one
    class only.
    """
    truth = np.asarray(labels, dtype=bool)
    if truth.all() or not truth.any():
        raise InputError("a probe needs both classes", given=f"{int(truth.sum())} positive of {len(truth)}")
    values = activations.values.double().numpy()
    centre = values.mean(0)
    size = float(np.sqrt(((values - centre) ** 2).sum(1).mean() / values.shape[1])) or 1.0
    fitted = LogisticRegression(C=1.0 / strength, max_iter=2000).fit((values - centre) / size, truth)
    weight = fitted.coef_[0] / size
    gain = float(np.linalg.norm(weight))
    if gain == 0:
        raise InputError("the activations do not vary", given=f"{activations.site}, {len(truth)} examples")
    unit = torch.tensor(weight / gain)
    difference = values[truth].mean(0) - values[~truth].mean(0)
    direction = Direction(
        vector=(unit / unit.norm()).float(),
        scale=float(np.linalg.norm(difference)),
        site=activations.site,
        model=activations.model,
        family=model.family,
        method=f"logistic regression (L2 {strength:g})",
        examples=activations.examples,
    )
    return Probe(direction, gain, float(fitted.intercept_[0]) - float(weight @ centre))


def fit_direction(activations: Activations, labels: Sequence[bool], *, model: Model, method: Method) -> Direction:
    """The direction from the negative to the positive examples, by either method. Raises InputError for one class."""
    if method == "logistic":
        return fit_logistic(activations, labels, model=model).direction
    positive = activations.where(labels)
    return difference_of_means(positive, activations.where([not label for label in labels]), model=model)


def fit_best(
    train: Sequence[Activations],
    labels: Sequence[bool],
    tune: Sequence[Activations],
    tuned: Sequence[bool],
    *,
    model: Model,
) -> Probe:
    """The logistic probe, over these sites and PENALTIES, that separates the tuning examples best.

    `train` and `tune` hold one Activations per site, in the same order; ties go to the earlier site and the larger
    penalty. Neither set may be tested on.
    """
    probes = [fit_logistic(each, labels, model=model, strength=penalty) for each in train for penalty in PENALTIES]
    sites = [each for each in tune for _ in PENALTIES]
    scores = [
        round(float(roc_auc_score(np.asarray(tuned), probe(each).numpy())), 6)
        for probe, each in zip(probes, sites, strict=True)
    ]
    return probes[int(np.argmax(scores))]

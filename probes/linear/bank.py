"""Probes of every place and every target, fitted together.

A place is a site and which of the positions read there, as `introlab.activations.extract.read` gives them.
"""

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Literal

import torch
from torch import Tensor

from introlab.activations.directions import Direction
from introlab.activations.extract import Activations
from introlab.errors import InputError
from introlab.network.model import Model
from introlab.network.sites import Site
from probes.linear import solvers
from probes.linear.dataset import ProbeDataset
from probes.linear.probe import Probe

Place = tuple[Site, int]
Method = Literal["difference_of_means", "lda", "ridge", "logistic", "balanced_logistic"]
PENALTIES: Mapping[Method, tuple[float, ...]] = {
    "difference_of_means": (0.0,),
    "lda": (0.1, 0.01, 0.001),
    "ridge": (1000.0, 100.0, 10.0),
    "logistic": (100.0, 10.0, 1.0),
    "balanced_logistic": (100.0, 10.0, 1.0),
}
"""What is chosen from unless told otherwise: of LDA the share of a sphere, else an L2 penalty on values of unit mean
square."""
_NAMES = {
    "difference_of_means": "difference of means",
    "lda": "LDA (shrinkage {:g})",
    "ridge": "ridge regression (L2 {:g})",
    "logistic": "logistic regression (L2 {:g})",
    "balanced_logistic": "balanced logistic regression (L2 {:g})",
}


def penalties_of(method: Method) -> tuple[float, ...]:
    """The method's PENALTIES. Raises InputError for an unknown method."""
    if method not in PENALTIES:
        raise InputError("an unknown way to fit a probe", given=method, allowed=", ".join(PENALTIES))
    return PENALTIES[method]


def solve(problem: ProbeDataset, method: Method, penalties: Sequence[float] = ()) -> solvers.Linear:
    """All fits of a problem by one method, by default for each of its PENALTIES. Raises InputError for an unknown
    method."""
    penalties = tuple(penalties) or penalties_of(method)
    if method == "difference_of_means":
        return solvers.difference_of_means(problem)
    if method == "lda":
        return solvers.lda(problem, penalties)
    if method == "ridge":
        return solvers.ridge(problem, penalties)
    return solvers.logistic(problem, penalties, balanced=method == "balanced_logistic")


def fit_bank(
    activations: Mapping[Place, Activations],
    labels: Mapping[str, Sequence[float]],
    *,
    model: Model,
    method: Method = "logistic",
    penalty: float | None = None,
) -> dict[tuple[Place, str], Probe]:
    """One probe for each place and target, on all examples. Labels are from 0 to 1; shares are soft labels. Where no
    penalty is given, the method's smallest is used.

    Raises InputError for a target of one class, for values that are not finite or do not vary, and for labels that are
    not one per example; ModelMismatch for activations of another model.
    """
    penalties = penalties_of(method)[-1:] if penalty is None else (penalty,)
    each = fit_each(activations, labels, model=model, method=method, penalties=penalties)
    return {(place, target): probe for (place, target, _), probe in each.items()}


def fit_each(
    activations: Mapping[Place, Activations],
    labels: Mapping[str, Sequence[float]],
    *,
    model: Model,
    method: Method = "logistic",
    penalties: Sequence[float] = (),
) -> dict[tuple[Place, str, float], Probe]:
    """As `fit_bank`, for several penalties at once; without any, for each of the method's PENALTIES."""
    columns, penalties = label_columns(activations, labels), tuple(penalties) or penalties_of(method)
    found: dict[tuple[Place, str, float], Probe] = {}
    for place, here in activations.items():
        here.check_model(model)
        fitted = solve(ProbeDataset.plain(here.values, columns), method, penalties)
        for (index, target), (at, penalty) in product(enumerate(labels), enumerate(penalties)):
            coef, offset = fitted.coef[0, index, at], fitted.intercept[0, index, at]
            direction = Direction(
                vector=(coef / coef.norm()).float(),
                scale=float(fitted.distance[0, index]),
                site=here.site,
                model=here.model,
                family=model.family,
                method=_NAMES[method].format(penalty),
                examples=here.examples,
            )
            found[place, target, penalty] = Probe(direction, float(coef.norm()), float(offset), target)
    return found


def label_columns(activations: Mapping[Place, Activations], labels: Mapping[str, Sequence[float]]) -> Tensor:
    """Labels [row, target]. Raises InputError unless all places hold the same examples, with a label of each target."""
    if not activations or not labels:
        raise InputError("nothing to fit", given=f"{len(activations)} places, {len(labels)} targets")
    examples = {here.examples for here in activations.values()}
    if len(examples) > 1:
        raise InputError("places of a bank hold the same examples", given=f"{len(examples)} different sets of them")
    count = len(next(iter(examples)))
    for target, values in labels.items():
        if len(values) != count:
            raise InputError(f"not one label per example of {target}", given=len(values), allowed=count)
    return torch.stack(
        [torch.as_tensor([float(one) for one in values], dtype=torch.float64) for values in labels.values()], 1
    )

"""Differences, ratios, differences of differences and interactions of the means or rates of a design's cells.

Trials of one cluster may lie in several cells (paired conditions) or in one (separate groups): what clusters share is
measured, and makes an interval shorter only as far as the data show it.
"""

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from introlab.errors import InputError
from introlab.stats.checked_columns import UNIT, Column, answers, flags, measured, names, same_length
from introlab.stats.estimates import LEVEL, mean, proportion
from introlab.stats.interval import Estimate, missing


def contrast(
    values: Column,
    cells: Sequence[Hashable],
    weights: Mapping[Any, float],
    clusters: Column,
    *,
    name: str = "contrast",
    level: float = LEVEL,
) -> Estimate:
    """The weighted sum of cell means, with the square-and-add interval for correlated parts.

    Outcomes that are all 0 or 1 are rates: their Korn-Graubard bounds are added up, so a rate of 0 keeps a real width.
    Other values have Student's interval by cluster; where no cell's values vary there is none, and a cell whose values
    do not vary adds nothing to the width of the others. Trials of cells without a weight are left out. (Zou and Donner,
    Statistics in Medicine 27, 2008; Zou, Computational Statistics and Data Analysis 53, 2009. For two paired rates it
    is Newcombe's, Statistics in Medicine 17, 1998, with his correction of the correlation.) No value where a cell is
    empty, no interval where a cell has fewer than two clusters. Raises InputError for missing values and cells.
    """
    n = same_length(values=values, cells=cells)
    array, labels = measured(values), names(clusters, n)
    place = {cell: index for index, cell in enumerate(weights)}
    codes = np.array([place.get(cell, -1) for cell in answers(cells, "cells")], dtype=int)
    masks, used = [codes == index for index in range(len(place))], codes >= 0
    if not all(mask.any() for mask in masks):
        return missing(f"{name}: an empty cell", "contrast")
    rates = bool(np.isin(array[used], UNIT).all())
    factors = np.array(list(weights.values()), dtype=float)
    parts = [(proportion if rates else mean)(array[mask], labels[mask], level=level) for mask in masks]
    if any(part.known for part in parts):
        # Of two clusters or more, only values that do not vary have no interval.
        still = [part.clusters > 1 and not part.known for part in parts]
        parts = [
            replace(part, low=part.value, high=part.value) if one else part
            for part, one in zip(parts, still, strict=True)
        ]
    return combined(
        parts, factors, correlation_of_parts(array, masks, labels, factors if rates else None), labels[used], name
    )


def combined(
    parts: Sequence[Estimate], factors: np.ndarray, shared: np.ndarray, clusters: np.ndarray, name: str
) -> Estimate:
    """The weighted sum of estimates whose correlations are `shared`, [part, part]. A bound is None where that of a
    part is infinite."""
    n, k = len(clusters), len(np.unique(clusters))
    values = np.array([part.value for part in parts], dtype=float)
    value = float(values @ factors)
    if not all(part.known for part in parts):
        return Estimate(
            value, None, None, n, k, f"{name}: one cluster in a cell, or values that do not vary", "contrast"
        )
    below = values - np.array([part.low for part in parts], dtype=float)
    above = np.array([part.high for part in parts], dtype=float) - values
    down = factors * np.where(factors > 0, below, above)
    up = factors * np.where(factors > 0, above, below)
    low, high = (_root_of_sum(side, shared) for side in (down, up))
    return Estimate(
        value,
        None if low is None else value - low,
        None if high is None else value + high,
        n,
        k,
        f"{name}, square-and-add by cluster",
        "contrast",
    )


def _root_of_sum(reach: np.ndarray, shared: np.ndarray) -> float | None:
    """None where a part reaches to infinity."""
    return math.sqrt(max(0.0, float(reach @ shared @ reach))) if np.isfinite(reach).all() else None


def correlation_of_parts(
    values: np.ndarray, masks: Sequence[np.ndarray], labels: np.ndarray, factors: np.ndarray | None
) -> np.ndarray:
    """Correlation of cell means over clusters. Where `factors` of rates are given, what would make their sum surer is
    shrunk by half a trial's worth, as in Newcombe's method."""
    unique, inverse = np.unique(labels, return_inverse=True)
    k = len(unique)
    sums = np.stack(
        [np.bincount(inverse[mask], weights=values[mask] - values[mask].mean(), minlength=k) for mask in masks]
    )
    products = sums @ sums.T
    if factors is not None:
        inside = np.stack([np.bincount(inverse[mask], minlength=k) > 0 for mask in masks]).astype(float)
        sizes = np.array([mask.sum() for mask in masks]) / inside.sum(1)
        less = 0.5 * np.outer(sizes, sizes) * (inside @ inside.T) / k
        less *= np.outer(factors, factors) * products < 0
        products = np.sign(products) * np.maximum(0.0, np.abs(products) - less)
    scale = np.sqrt(np.diag(products))
    with np.errstate(invalid="ignore", divide="ignore"):
        shared = np.where(np.outer(scale, scale) > 0, products / np.outer(scale, scale), 0.0)
    np.fill_diagonal(shared, 1.0)
    return np.clip(shared, -1.0, 1.0)


@dataclass(frozen=True)
class Factorial:
    """What two factors do, each at the mean of the other, and how far the effect of one depends on the other."""

    one: Estimate
    other: Estimate
    interaction: Estimate
    """The effect of `one` where `other` holds minus its effect where it does not."""


def factorial(values: Column, one: Column, other: Column, clusters: Column) -> Factorial:
    """Main effects and interaction of a 2 x 2 design. Raises InputError as `contrast` does."""
    cells = _crossed(one, other)
    return Factorial(
        contrast(values, cells, {3: 0.5, 2: 0.5, 1: -0.5, 0: -0.5}, clusters, name="main effect"),
        contrast(values, cells, {3: 0.5, 2: -0.5, 1: 0.5, 0: -0.5}, clusters, name="main effect"),
        contrast(values, cells, _BOTH_LESS_EACH, clusters, name="interaction"),
    )


def difference_in_differences(values: Column, treated: Column, after: Column, clusters: Column) -> Estimate:
    """How much more the treated changed than the others did: the interaction of the two. Raises as `contrast` does."""
    return contrast(values, _crossed(treated, after), _BOTH_LESS_EACH, clusters, name="difference in differences")


_BOTH_LESS_EACH = {3: 1.0, 2: -1.0, 1: -1.0, 0: 1.0}


def _crossed(one: Column, other: Column) -> list[int]:
    """3 where both hold, 2 and 1 where only one or only the other does."""
    same_length(one=one, other=other)
    return (2 * flags(one, "factors") + flags(other, "factors")).tolist()


def ratio(one: Estimate, other: Estimate) -> Estimate:
    """`one / other` for two separate estimates that are not negative, by the square-and-add rule for ratios.

    No upper bound (None) where the denominator may be 0. (MOVER-R: Donner and Zou, Statistical Methods in Medical
    Research 21, 2012.) Raises InputError for a negative estimate.
    """
    n, k = one.n + other.n, min(one.clusters, other.clusters)
    if one.value is None or other.value is None or other.value == 0:
        return missing("ratio: nothing to divide by", "ratio")
    if min(one.value, other.value) < 0:
        raise InputError("a ratio of rates", given=f"{one.value}, {other.value}", allowed="not negative")
    value = one.value / other.value
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return Estimate(value, None, None, n, k, "ratio: no interval", "ratio")
    x, y = one.value, other.value

    def root(reach: float, edge: float) -> float:
        return math.sqrt(max(0.0, (x * y) ** 2 - reach * edge * (2 * x - reach) * (2 * y - edge)))

    least = max(one.low, 0.0)
    # The published bound times (x y + root) over itself, which also holds where the denominator's bound is twice y.
    low = min(value, least * (2 * x - least) / (x * y + root(least, other.high))) if least else 0.0
    if other.low <= 0:
        return Estimate(
            value, low, None, n, k, "ratio, square-and-add: the denominator may be 0, no upper bound", "ratio"
        )
    high = (x * y + root(one.high, other.low)) / (other.low * (2 * y - other.low))
    return Estimate(value, low, max(value, high), n, k, "ratio, square-and-add", "ratio")

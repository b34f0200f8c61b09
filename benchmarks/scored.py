"""Simulated scores of two classes whose area under the ROC curve is known, and what the lab makes of them."""

import numpy as np
from scipy import integrate, special

from benchmarks.simulated import DESIGNS, TO_A_THOUSAND, Cell, Draw, Interval, Null, normals
from introlab.stats.discrimination import auroc, auroc_difference, average_precision, stratified_auroc
from introlab.stats.interval import Estimate

AREAS = (0.5, 0.7, 0.9, 0.97, 0.99)
WIDE = (*DESIGNS, (20, 5), (200, 5), (10, 50))
FAR = 20.0
"""Beyond every negative."""


def _classes(draw: Draw, cell: Cell, share: float, whole: bool) -> np.ndarray:
    """Labels that whole clusters have, or each trial its own."""
    if whole:
        return np.repeat(draw.random(cell.clusters) < share, cell.size)
    return draw.random(cell.clusters * cell.size) < share


def _shift(area: float) -> float:
    return float(np.sqrt(2) * special.ndtri(area))


def _area(draw: Draw, cell: Cell, share: float, whole: bool) -> tuple[Estimate, float]:
    truth = _classes(draw, cell, share, whole)
    scores = normals(draw, cell, 1)[0] + truth * _shift(cell.rate)
    return auroc(scores, truth, cell.labels), cell.rate  # type: ignore[arg-type]


def _of_one_class(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return _area(draw, cell, 0.5, whole=True)


def _mixed(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return _area(draw, cell, 0.5, whole=False)


def _few_clusters(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return _area(draw, cell, 0.1, whole=True)


def _few_trials(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return _area(draw, cell, 0.05, whole=False)


def _of_two_kinds(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    """Positives are found at once, or not at all: what is lost is lost in few clusters."""
    truth = _classes(draw, cell, 0.5, whole=True)
    missed = np.repeat(draw.random(cell.clusters) < 2 * (1 - cell.rate), cell.size)
    scores = normals(draw, cell, 1)[0] + FAR * (truth & ~missed)
    return auroc(scores, truth, cell.labels), cell.rate  # type: ignore[arg-type]


def _in_levels(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    """Three levels, of which the harder ones hold more positives and have higher scores throughout."""
    levels = draw.integers(3, size=cell.clusters * cell.size)
    truth = draw.random(len(levels)) < 0.2 + 0.3 * levels
    scores = normals(draw, cell, 1)[0] + truth * _shift(cell.rate) + 2 * levels
    return stratified_auroc(scores, truth, levels, cell.labels), cell.rate  # type: ignore[arg-type]


def _less(draw: Draw, cell: Cell, other: float) -> tuple[Estimate, float]:
    """Two scores that correlate by a half, of the same trials."""
    truth = _classes(draw, cell, 0.3, whole=True)
    one, noise = (normals(draw, cell, 1)[0] for _ in range(2))
    two = 0.5 * one + np.sqrt(0.75) * noise + truth * _shift(other)
    found = auroc_difference(one + truth * _shift(cell.rate), two, truth, cell.labels)  # type: ignore[arg-type]
    return found, cell.rate - other


def _difference(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return _less(draw, cell, 0.5 + 0.8 * (cell.rate - 0.5))


def _precision(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    truth = _classes(draw, cell, 0.2, whole=True)
    scores = normals(draw, cell, 1)[0] + truth * _shift(cell.rate)
    return average_precision(scores, truth, cell.labels, draws=500), true_precision(cell.rate, 0.2)


def true_precision(area: float, share: float) -> float:
    """Average precision of normal scores whose AUROC is `area`, at a share of positives."""

    def precision(recall: float) -> float:
        hits, false = share * recall, (1 - share) * special.ndtr(special.ndtri(recall) - _shift(area))
        return float(hits / (hits + false))

    return float(integrate.quad(precision, 1e-12, 1)[0])


SCORED = (
    Interval("auroc, clusters of one class", _of_one_class, WIDE, AREAS),
    Interval("auroc, mixed clusters", _mixed, WIDE, AREAS),
    Interval("auroc, one cluster in ten positive", _few_clusters, WIDE, AREAS),
    Interval("auroc, one trial in twenty positive", _few_trials, WIDE, AREAS),
    Interval("auroc, positives found or missed by cluster", _of_two_kinds, WIDE, AREAS),
    Interval("stratified_auroc", _in_levels, WIDE, AREAS),
    Interval("auroc_difference", _difference, WIDE, AREAS),
    Interval("average_precision", _precision, TO_A_THOUSAND, (0.5, 0.7, 0.9, 0.99)),
)


def _found(estimate: Estimate, truth: float) -> float:
    return 0.0 if estimate.above(truth) or estimate.below(truth) else 1.0


def _null_area(draw: Draw, cell: Cell) -> float:
    return _found(*_of_one_class(draw, Cell(cell.clusters, cell.size, 0.5)))


def _null_difference(draw: Draw, cell: Cell) -> float:
    return _found(*_less(draw, Cell(cell.clusters, cell.size, 0.9), 0.9))


SCORED_NULLS = (
    Null("auroc, an interval without .5", _null_area, WIDE),
    Null("auroc_difference of equal areas, an interval without 0", _null_difference, WIDE),
)

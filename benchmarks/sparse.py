"""Simulated runs that are hard for an interval: scores that are calibrated, labels that are rare, values that hardly
vary, few wrong answers, few treated clusters, uneven ones; and whether effects are seen as often as was said."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from benchmarks.simulated import Cell, Draw, Interval, Null, normals
from introlab.stats.calibration_error import calibration_error
from introlab.stats.equivalence import equivalent_mean
from introlab.stats.estimates import bounded_mean, difference, mean, proportion
from introlab.stats.interval import Estimate
from introlab.stats.paired import mcnemar
from introlab.stats.power import pairs_for_rates, smallest_rise, visible
from introlab.stats.rater_agreement import cohens_kappa, gwet_ac1
from introlab.stats.regression import linear, mixed
from introlab.stats.selective_prediction import Score, area_under_risk, brier, estimated, rejection_ratio

UNEVEN = 0.3
"""The correlation of trials of one uneven cluster."""
ALONE = ((30, 1), (100, 1), (500, 1))


def _calibrated(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    """Probabilities said as they are, most of them near the rate: the true ECE is 0."""
    p = draw.beta(4 * cell.rate, 4 * (1 - cell.rate), cell.clusters * cell.size)
    right = normals(draw, cell, 1)[0] < special.ndtri(p)
    return calibration_error(p, right, cell.labels), 0.0


def _overconfident(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    """A tenth more is said than is true, everywhere: of any bins the true ECE is that."""
    p = 0.1 + draw.uniform(0, 0.8, cell.clusters * cell.size)
    right = normals(draw, cell, 1)[0] < special.ndtri(p - 0.1 + 1e-9)
    return calibration_error(p, right, cell.labels), 0.1


def _two_raters(draw: Draw, cell: Cell, kappa: float) -> tuple[list[bool], list[bool]]:
    """Raters who both say yes at this rate and agree as far beyond chance."""
    both = cell.rate**2 + kappa * cell.rate * (1 - cell.rate)
    u = draw.random(cell.clusters * cell.size)
    return (u < cell.rate).tolist(), ((u < both) | ((u >= cell.rate) & (u < 2 * cell.rate - both))).tolist()


def _independent_raters(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return cohens_kappa(*_two_raters(draw, cell, 0.0), cell.labels), 0.0


def _agreeing_raters(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return cohens_kappa(*_two_raters(draw, cell, 0.6), cell.labels), 0.6


def _rare_ac1(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    chance = 2 * cell.rate * (1 - cell.rate)
    agreed = 1 - chance + 0.6 * chance
    return gwet_ac1(_two_raters(draw, cell, 0.6), cell.labels), (agreed - chance) / (1 - chance)


def _sparse(draw: Draw, cell: Cell, up: float, down: float) -> np.ndarray:
    """Differences of pairs: 1 and -1 at these rates, else 0; trials of a cluster correlate."""
    place = special.ndtr(normals(draw, cell, 1)[0])
    return (place < up) * 1.0 - (place > 1 - down)


def _bounded(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    found = bounded_mean(_sparse(draw, cell, cell.rate, cell.rate / 2), cell.labels, (-1.0, 1.0))
    return found, cell.rate / 2


def _nearly_constant(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    values = _sparse(draw, cell, cell.rate, cell.rate / 2)
    return mean(values, cell.labels, within=(-1.0, 1.0)), cell.rate / 2


def _answered(draw: Draw, rate: float, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Calibrated confidences, normal with means one and a half apart on the scale of scores."""
    right, apart = draw.random(count) < rate, 1.5
    scores = draw.standard_normal(count) + apart * right
    return special.expit(special.logit(rate) + apart * scores - apart**2 / 2), right


@lru_cache(maxsize=64)
def _true_score(name: str, rate: float) -> float:
    (score,) = (each for each in (area_under_risk, rejection_ratio, brier) if each.name == name)
    return score(*_answered(np.random.default_rng(1), rate, 200_000))


def _withheld(score: Score) -> Callable[[Draw, Cell], tuple[Estimate, float]]:
    def one(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
        confidence, right = _answered(draw, cell.rate, cell.clusters * cell.size)
        return estimated(score, confidence, right, cell.labels, draws=200), _true_score(score.name, cell.rate)

    return one


def _few_treated(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    """As many treated clusters as the rate says."""
    treated = (cell.labels < cell.rate) * 1.0
    return linear(normals(draw, cell, 1)[0], {"treated": treated}, cell.labels)["treated"], 0.0


def _slopes(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    """Slopes of clusters are as far apart as single trials."""
    x, own = draw.standard_normal((2, cell.clusters * cell.size))
    slope = draw.standard_normal(cell.clusters)[cell.labels]
    return mixed(normals(draw, cell, 1)[0] + slope * x + 0.1 * own, {"x": x}, cell.labels)["x"], 0.0


def _uneven(draw: Draw, cell: Cell) -> tuple[np.ndarray, np.ndarray]:
    """Normal values of clusters of 1 to 100 trials, evenly spread on the scale of logarithms."""
    labels = np.repeat(np.arange(cell.clusters), np.geomspace(1, 100, cell.clusters).round().astype(int))
    shared, own = draw.standard_normal(cell.clusters)[labels], draw.standard_normal(len(labels))
    return np.sqrt(UNEVEN) * shared + np.sqrt(1 - UNEVEN) * own, labels


def _uneven_mean(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return mean(*_uneven(draw, cell)), 0.0


def _uneven_rate(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    values, labels = _uneven(draw, cell)
    return proportion(values < special.ndtri(cell.rate), labels), cell.rate


SPARSE = (
    Interval("calibration_error, calibrated", _calibrated, (*ALONE, (40, 5)), (0.5, 0.9)),
    Interval("calibration_error, a tenth off", _overconfident, (*ALONE, (40, 5)), (0.5,)),
    Interval("cohens_kappa, raters independent", _independent_raters, (*ALONE, (200, 1)), (0.02, 0.05, 0.1)),
    Interval("cohens_kappa, .6, rare labels", _agreeing_raters, (*ALONE, (200, 1)), (0.02, 0.05, 0.1)),
    Interval("gwet_ac1, rare labels", _rare_ac1, (*ALONE, (200, 1)), (0.02, 0.05, 0.1)),
    Interval("bounded_mean, sparse", _bounded, ((5, 1), (12, 1), *ALONE, (10, 5), (40, 5)), (0.0, 0.02, 0.1, 0.4)),
    Interval("mean in a range, sparse", _nearly_constant, ((5, 1), (12, 1), *ALONE, (10, 5)), (0.0, 0.02, 0.1)),
    Interval("AURC", _withheld(area_under_risk), ALONE, (0.5, 0.7, 0.9, 0.97)),
    Interval("PRR", _withheld(rejection_ratio), ALONE, (0.5, 0.7, 0.9, 0.97)),
    Interval("Brier score", _withheld(brier), ALONE, (0.5, 0.7, 0.9, 0.97)),
    Interval("linear, few treated clusters (their number)", _few_treated, ((200, 5), (50, 1)), (2, 3, 5)),
    Interval("mixed, slopes that differ", _slopes, ((20, 20), (40, 5)), (0.5,)),
    Interval("mean, clusters of 1 to 100", _uneven_mean, ((10, 1), (20, 1), (60, 1)), (0.5,)),
    Interval("proportion, clusters of 1 to 100", _uneven_rate, ((10, 1), (20, 1), (60, 1)), (0.03, 0.1, 0.5, 0.9)),
)


def _sparse_margin(rate: float) -> Callable[[Draw, Cell], float]:
    def one(draw: Draw, cell: Cell) -> float:
        return equivalent_mean(_sparse(draw, cell, rate, 0.0), cell.labels, (-rate, rate)).p

    return one


EVEN = ((5, 1), (10, 1), (30, 1), (200, 1), (10, 5), (40, 5))
SPARSE_NULLS = tuple(
    Null(f"equivalent_mean, pairs that differ at {rate:g}, truth on the margin", _sparse_margin(rate), EVEN)
    for rate in (0.05, 0.1, 0.3)
)


@dataclass(frozen=True)
class Seen:
    """An effect that is said to be seen four times in five: `one` simulates a run at it, and says whether it was."""

    name: str
    one: Callable[[Draw, Cell], bool]
    designs: tuple[tuple[int, int], ...]
    rates: tuple[float, ...] = (0.5,)

    def cells(self) -> Iterator[Cell]:
        for clusters, size in self.designs:
            for rate in self.rates:
                yield Cell(clusters, size, rate)


def _rates(draw: Draw, n: int, *rates: float) -> list[Estimate]:
    return [proportion(np.arange(n) < draw.binomial(n, min(1.0, rate)), np.arange(n)) for rate in rates]


def _seen_rise(draw: Draw, cell: Cell) -> bool:
    rise = smallest_rise(cell.clusters, cell.rate)
    assert rise is not None
    return difference(*_rates(draw, cell.clusters, cell.rate + rise, cell.rate)).above(0)


def _seen_after_a_rate(draw: Draw, cell: Cell) -> bool:
    """Two arms anew, at what a run of one arm said was the minimum detectable above it."""
    (told,) = _rates(draw, cell.clusters, cell.rate)
    rise = visible(told)
    return rise is not None and difference(*_rates(draw, cell.clusters, cell.rate + rise, cell.rate)).above(0)


def _seen_after_a_mean(draw: Draw, cell: Cell) -> bool:
    """A run anew, at what a run without an effect said was the minimum detectable."""
    effect = visible(mean(normals(draw, cell, 1)[0], cell.labels)) or 0.0
    return mean(normals(draw, cell, 1)[0] + effect, cell.labels).above(0)


def _seen_pairs(draw: Draw, cell: Cell) -> bool:
    """Three times as many pairs one way as the other; the rate is of those that differ."""
    one, other = 0.75 * cell.rate, 0.25 * cell.rate
    n = pairs_for_rates(one, other)
    first, second, _ = draw.multinomial(n, [one, other, 1 - one - other])
    pairs = [(1, 0)] * first + [(0, 1)] * second + [(1, 1)] * (n - first - second)
    return mcnemar(pairs, np.arange(n)).p <= 0.05


SEEN = (
    Seen("smallest_rise", _seen_rise, ((12, 1), (20, 1), (40, 1), (200, 1)), (0.0, 0.05, 0.2)),
    Seen("visible, of a rate", _seen_after_a_rate, ((20, 1), (40, 1), (200, 1)), (0.05, 0.2, 0.4)),
    Seen("visible, of a mean", _seen_after_a_mean, ((5, 1), (10, 1), (40, 1), (200, 1), (10, 5))),
    Seen("pairs_for_rates", _seen_pairs, ((1, 1),), (0.1, 0.3, 0.6)),
)

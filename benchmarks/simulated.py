"""Simulated trials whose truth is known, and what each method of the lab makes of them.

Clusters differ by a normal effect that all cells of a design share: of the variance behind an outcome (before it is cut
into right and wrong) a share `WITHIN` is the cluster's. Rates are then exactly what was asked for.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from introlab.stats.contrasts import contrast, difference_in_differences, ratio
from introlab.stats.dose_response import logistic_curve, trend
from introlab.stats.effect_sizes import criterion, hedges_g, sensitivity, within_conditions
from introlab.stats.equivalence import equivalent_arms, equivalent_mean
from introlab.stats.estimates import difference, mean, proportion, skewed_mean
from introlab.stats.interval import Estimate
from introlab.stats.multiple_testing import holm
from introlab.stats.paired import mcnemar, paired_bootstrap, paired_rates, sign_flip
from introlab.stats.rater_agreement import cohens_kappa, fleiss_kappa
from introlab.stats.regression import linear, logistic, mixed
from introlab.stats.self_correction import Revisions, relative_score, resampling_null

WITHIN = 0.2
RATES = (0.0, 0.01, 0.1, 0.5, 0.9, 1.0)
INSIDE = RATES[1:-1]
DESIGNS = (
    *((5, 1), (10, 1), (30, 1), (200, 1), (5000, 1)),
    *((10, 5), (40, 5), (400, 5)),
    *((3, 50), (20, 50), (100, 50)),
)
"""Clusters, and trials of each: 5 to 5,000 trials."""
ALIKE = (*DESIGNS[5:], (20, 2), (100, 3), (20, 9), (40, 9), (100, 9))
RARE = (0.01, 0.03, 0.1, 0.5, 0.97)
TEN_UP = tuple(design for design in DESIGNS if design[0] >= 10)
TO_A_THOUSAND = tuple(design for design in TEN_UP if design[0] * design[1] <= 1000)

Draw = np.random.Generator


@dataclass(frozen=True)
class Cell:
    """A design and the truth in it."""

    clusters: int
    size: int
    rate: float

    @property
    def labels(self) -> np.ndarray:
        return np.repeat(np.arange(self.clusters), self.size)


@dataclass(frozen=True)
class Interval:
    """A method that gives an interval: `one` simulates a run, and says what it found and what is true."""

    name: str
    one: Callable[[Draw, Cell], tuple[Estimate, float]]
    designs: tuple[tuple[int, int], ...] = DESIGNS
    rates: tuple[float, ...] = INSIDE

    def cells(self) -> Iterator[Cell]:
        for clusters, size in self.designs:
            for rate in self.rates:
                yield Cell(clusters, size, rate)


@dataclass(frozen=True)
class Null:
    """A test on runs in which there is nothing to find: `one` says its p."""

    name: str
    one: Callable[[Draw, Cell], float]
    designs: tuple[tuple[int, int], ...] = TEN_UP

    def cells(self) -> Iterator[Cell]:
        for clusters, size in self.designs:
            yield Cell(clusters, size, 0.3)


def normals(draw: Draw, cell: Cell, parts: int, within: float = WITHIN) -> np.ndarray:
    """Standard normal values [part, trial]; those of a cluster correlate by `within`, across parts too."""
    shared = draw.standard_normal((1, cell.clusters, 1))
    own = draw.standard_normal((parts, cell.clusters, cell.size))
    return (np.sqrt(within) * shared + np.sqrt(1 - within) * own).reshape(parts, -1)


def bits(draw: Draw, cell: Cell, *rates: float) -> np.ndarray:
    """Outcomes of one part per rate, [part, trial]."""
    return (normals(draw, cell, len(rates)) < special.ndtri(np.array(rates))[:, None]).astype(float)


def higher(rate: float) -> float:
    """Another rate, to be told from this one."""
    return rate + 0.1 if rate < 0.85 else rate - 0.1


def _rate(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return proportion(bits(draw, cell, cell.rate)[0], cell.labels), cell.rate


def _rate_of_alike(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    """Clusters whose trials mostly agree."""
    values = normals(draw, cell, 1, within=0.7)[0]
    return proportion(values < special.ndtri(cell.rate), cell.labels), cell.rate


def _rate_of_copies(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    """Clusters that nearly copy one trial."""
    values = normals(draw, cell, 1, within=0.9)[0]
    return proportion(values < special.ndtri(cell.rate), cell.labels), cell.rate


def _beta_rate(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    """Beta-binomial clusters with an intraclass correlation of a half."""
    rates = draw.beta(cell.rate, 1 - cell.rate, cell.clusters)
    return proportion(draw.random(cell.clusters * cell.size) < np.repeat(rates, cell.size), cell.labels), cell.rate


def _separate(draw: Draw, cell: Cell) -> tuple[Estimate, Estimate]:
    one, other = (bits(draw, cell, rate)[0] for rate in (cell.rate, higher(cell.rate)))
    return proportion(one, cell.labels), proportion(other, cell.labels)


def _difference(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return difference(*_separate(draw, cell)), cell.rate - higher(cell.rate)


def _ratio(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return ratio(*_separate(draw, cell)), cell.rate / higher(cell.rate)


def _paired(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return paired_rates(bits(draw, cell, cell.rate, higher(cell.rate)).T, cell.labels), cell.rate - higher(cell.rate)


def _changes(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    """The same clusters in all four cells."""
    found = bits(draw, cell, higher(cell.rate), cell.rate, cell.rate, cell.rate)
    treated, after = (np.repeat(flags, found.shape[1]) for flags in ([1, 1, 0, 0], [1, 0, 1, 0]))
    estimate = difference_in_differences(found.ravel(), treated, after, np.tile(cell.labels, 4))
    return estimate, higher(cell.rate) - cell.rate


def _detected(draw: Draw, cell: Cell) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return (
        bits(draw, cell, higher(cell.rate), cell.rate).ravel(),
        np.repeat([True, False], cell.clusters * cell.size),
        np.tile(cell.labels, 2),
    )


def _sensitivity(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return sensitivity(*_detected(draw, cell)), float(special.ndtri(higher(cell.rate)) - special.ndtri(cell.rate))


def _criterion(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return criterion(*_detected(draw, cell)), float(-(special.ndtri(higher(cell.rate)) + special.ndtri(cell.rate)) / 2)


def _mean(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return mean(normals(draw, cell, 1)[0] + cell.rate, cell.labels), cell.rate


def _exponential(draw: Draw, cell: Cell) -> np.ndarray:
    """Skewness 2, mean 1."""
    return -np.log(special.ndtr(normals(draw, cell, 1)[0]))


def _mean_of_skewed(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return mean(_exponential(draw, cell), cell.labels), 1.0


def _skewed_mean(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return skewed_mean(_exponential(draw, cell), cell.labels), 1.0


def _skewed_mean_of_normal(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return skewed_mean(normals(draw, cell, 1)[0] + cell.rate, cell.labels), cell.rate


def _paired_bootstrap(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    one, other = normals(draw, cell, 2)
    return paired_bootstrap(np.stack([one + cell.rate, other], axis=1), cell.labels, draws=1000), cell.rate


def _paired_bootstrap_of_rates(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    pairs = bits(draw, cell, cell.rate, higher(cell.rate)).T
    return paired_bootstrap(pairs, cell.labels, draws=1000), cell.rate - higher(cell.rate)


def _arms(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    """Separate clusters in each arm, one of them half as spread."""
    one, other = normals(draw, cell, 1)[0] + cell.rate, normals(draw, cell, 1)[0] / 2
    sides, labels = np.repeat([True, False], len(one)).tolist(), np.r_[cell.labels, cell.labels + cell.clusters]
    return contrast(np.r_[one, other], sides, {True: 1.0, False: -1.0}, labels), cell.rate


def _standardised(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    one, other = normals(draw, cell, 1)[0] + cell.rate, normals(draw, cell, 1)[0]
    labels = np.r_[cell.labels, cell.labels + cell.clusters]
    return hedges_g(np.r_[one, other], np.repeat([True, False], len(one)), labels), cell.rate


def _correlation(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    """Two conditions with means far apart, and a correlation of `rate` of what is left."""
    one, noise = (draw.standard_normal(cell.clusters * cell.size) for _ in range(2))
    other = cell.rate * one + np.sqrt(1 - cell.rate**2) * noise
    conditions = np.arange(len(one)) % 2
    return within_conditions(one + 3 * conditions, other + 3 * conditions, conditions.tolist(), cell.labels), cell.rate


def _rated(draw: Draw, cell: Cell, raters: int) -> tuple[list[list[bool]], float]:
    """Raters that each err on one in ten, and what their kappa is."""
    truth, err = bits(draw, cell, cell.rate)[0] > 0, 0.1
    labels = [(truth ^ (draw.random(len(truth)) < err)).tolist() for _ in range(raters)]
    said = cell.rate * (1 - err) + (1 - cell.rate) * err
    chance = said**2 + (1 - said) ** 2
    return labels, ((1 - err) ** 2 + err**2 - chance) / (1 - chance)


def _cohen(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    (one, other), truth = _rated(draw, cell, 2)
    return cohens_kappa(one, other, cell.labels), truth


def _fleiss(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    labels, truth = _rated(draw, cell, 4)
    return fleiss_kappa(labels, cell.labels), truth


def _relative(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    """CL .9 and CS .2."""
    first, keeps, repairs = bits(draw, cell, cell.rate, 0.9, 0.2)
    second = np.where(first > 0, keeps, repairs)
    # What clusters share makes first and second depend: the truth is that of independent parts only for one trial each.
    return relative_score(first, second, cell.labels, draws=1000), _true_relative(cell.rate)


def _true_relative(rate: float) -> float:
    """With parts that share a normal effect, what is right at first is likelier right again: by quadrature."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(80)
    first, keeps, repairs = (
        special.ndtr((special.ndtri(p) - np.sqrt(WITHIN) * nodes) / np.sqrt(1 - WITHIN)) for p in (rate, 0.9, 0.2)
    )
    return Revisions.expected(
        np.array([rate]),
        np.array([weights @ (first * keeps) / (weights @ first)]),
        np.array([weights @ ((1 - first) * repairs) / (weights @ (1 - first))]),
    ).rss


def _null_of_samples(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    """Ten answers to each item, whose probabilities are Beta(2, 2): CL0 is .6 whatever the rate asked for."""
    p = draw.beta(2, 2, cell.clusters * cell.size)
    return resampling_null(draw.binomial(10, p), np.full(len(p), 10), cell.labels).keep_rate, 0.6


def _linear(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    """A predictor of clusters, the hard case, beside one of trials."""
    group = np.repeat(draw.random(cell.clusters) < 0.5, cell.size) * 1.0
    group[: cell.size], group[-cell.size :] = 0.0, 1.0
    own = draw.standard_normal(len(group))
    return linear(normals(draw, cell, 1)[0] + cell.rate * group + own, {"group": group, "own": own}, cell.labels)[
        "group"
    ], cell.rate


def _logistic(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    own = draw.standard_normal(cell.clusters * cell.size)
    outcome = normals(draw, cell, 1)[0] < special.ndtri(special.expit(own + special.logit(cell.rate)))
    return logistic(outcome, {"own": own}, cell.labels)["own"], 1.0


def _mixed(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    own = draw.standard_normal(cell.clusters * cell.size)
    return mixed(normals(draw, cell, 1)[0] + cell.rate * own, {"own": own}, cell.labels)["own"], cell.rate


def _curve(draw: Draw, cell: Cell, half: float = 2.0, slope: float = 1.0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Every cluster at five doses."""
    doses = np.arange(5.0)
    found = bits(draw, cell, *special.expit(slope * (doses - half)))
    return np.repeat(doses, found.shape[1]), found.ravel(), np.tile(cell.labels, 5)


def _slope(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return logistic_curve(*_curve(draw, cell, slope=2 * cell.rate)).slope, 2 * cell.rate


def _half(draw: Draw, cell: Cell) -> tuple[Estimate, float]:
    return logistic_curve(*_curve(draw, cell, half=4 * cell.rate)).half, 4 * cell.rate


INTERVALS = (
    Interval("proportion", _rate, rates=RATES),
    Interval("proportion, trials of a cluster alike", _rate_of_alike, ALIKE, RARE),
    Interval("proportion, nearly copies", _rate_of_copies, ALIKE, RARE),
    Interval("proportion, beta-binomial", _beta_rate, ALIKE, RARE),
    Interval("difference of rates", _difference, rates=RATES),
    Interval("ratio of rates", _ratio),
    Interval("paired_rates", _paired, rates=RATES),
    Interval("difference_in_differences, rates", _changes, rates=RATES),
    Interval("sensitivity (d')", _sensitivity),
    Interval("criterion", _criterion),
    Interval("mean, normal", _mean, rates=(0.5,)),
    Interval("mean, skewness 2", _mean_of_skewed, rates=(0.5,)),
    Interval("skewed_mean, skewness 2", _skewed_mean, rates=(0.5,)),
    Interval("skewed_mean, normal", _skewed_mean_of_normal, rates=(0.5,)),
    Interval("contrast of means", _arms, rates=(0.5,)),
    Interval("paired_bootstrap, normal", _paired_bootstrap, TEN_UP, (0.5,)),
    Interval("paired_bootstrap, rates", _paired_bootstrap_of_rates, TO_A_THOUSAND),
    Interval("hedges_g", _standardised, TEN_UP, (0.0, 0.5, 1.0)),
    Interval("within_conditions", _correlation, TEN_UP, (0.0, 0.5, 0.9)),
    Interval("cohens_kappa", _cohen, TEN_UP, (0.1, 0.5, 0.9)),
    Interval("fleiss_kappa", _fleiss, TEN_UP, (0.1, 0.5, 0.9)),
    Interval("relative_score (RSS)", _relative, TO_A_THOUSAND, (0.1, 0.5, 0.9)),
    Interval("resampling_null", _null_of_samples, rates=(0.5,)),
    Interval("linear, predictor of clusters", _linear, TEN_UP, (0.5,)),
    Interval("logistic", _logistic, TO_A_THOUSAND, (0.1, 0.5)),
    Interval("mixed", _mixed, ((10, 5), (40, 5), (20, 50)), (0.5,)),
    Interval("logistic_curve, slope", _slope, TO_A_THOUSAND, (0.1, 0.5)),
    Interval("logistic_curve, half dose", _half, TO_A_THOUSAND, (0.25, 0.5)),
)


def _null_mcnemar(draw: Draw, cell: Cell) -> float:
    return mcnemar(bits(draw, cell, cell.rate, cell.rate).T, cell.labels).p


def _null_flip(draw: Draw, cell: Cell) -> float:
    one, other = bits(draw, cell, cell.rate, cell.rate)
    return sign_flip(one - other, cell.labels, draws=199).p


def _null_trend(draw: Draw, cell: Cell) -> float:
    doses, _, labels = _curve(draw, cell)
    return trend(doses, bits(draw, cell, *[cell.rate] * 5).ravel(), labels, draws=199).p


def _null_trend_of_clusters(draw: Draw, cell: Cell) -> float:
    doses = np.repeat(np.arange(cell.clusters) % 5, cell.size)
    return trend(doses, bits(draw, cell, cell.rate)[0], cell.labels, draws=199).p


def _null_family(draw: Draw, cell: Cell) -> float:
    """The smallest of ten adjusted p-values: how often any claim is made."""
    each = [normals(draw, cell, 1)[0] for _ in range(10)]
    found = [mean(values, cell.labels) for values in each]
    spread = [(one.high or 0) - (one.value or 0) for one in found]
    reach = stats.t.ppf(0.975, cell.clusters - 1)
    p = [
        2 * stats.t.sf(abs(one.value or 0) / half * reach, cell.clusters - 1)
        for one, half in zip(found, spread, strict=True)
    ]
    return min(holm([float(each) for each in p]))


def _null_equivalent_mean(draw: Draw, cell: Cell) -> float:
    return equivalent_mean(normals(draw, cell, 1)[0] + 0.2, cell.labels, (-0.2, 0.2)).p


def _null_equivalent_rates(draw: Draw, cell: Cell) -> float:
    found = bits(draw, cell, cell.rate + 0.1, cell.rate)
    sides = np.repeat([True, False], found.shape[1])
    return equivalent_arms(found.ravel(), sides, np.tile(cell.labels, 2), (-0.1, 0.1)).p


NULLS = (
    Null("mcnemar", _null_mcnemar, tuple(design for design in DESIGNS if design[1] == 1)),
    Null("sign_flip", _null_flip, DESIGNS),
    Null("trend, doses within clusters", _null_trend, TO_A_THOUSAND),
    Null("trend, doses of clusters", _null_trend_of_clusters),
    Null("holm, any of ten", _null_family),
    Null("equivalent_mean, truth on the margin", _null_equivalent_mean, DESIGNS),
    Null("equivalent_arms, paired rates, truth on the margin", _null_equivalent_rates, TEN_UP),
)

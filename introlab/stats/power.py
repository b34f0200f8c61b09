"""What a run could have seen: trials for an effect, the smallest effect of a finished run, rare events.

Everything here is for two-sided tests at 5 % unless it says otherwise. `design` is the design effect: how many trials
of a cluster say as much as one trial on its own (`design_effect`). What is said to be shown four times in five is so
by the lab's own intervals and exact tests, summed over all outcomes (`power_of_rates`); `trials_for_rates` is the
textbook's number for a z test, at which the lab's cautious intervals show an effect .65 to .78 of the time.
"""

import math
from functools import lru_cache

import numpy as np
from scipy import stats

from introlab.errors import InputError
from introlab.stats.checked_columns import Column, measured, names
from introlab.stats.estimates import LEVEL, cluster_variance, root
from introlab.stats.interval import Estimate

_TAIL = 0.5 + LEVEL / 2
_NEVER = 1e-9
"""Counts less likely than this on either side are left out of sums over outcomes."""
_MANY = 400
"""Degrees of freedom from which Student's distribution is taken for the normal one."""


def power_of_rates(n: int, one: float, other: float) -> float:
    """The chance that the interval of `stats.difference` of two rates, each of `n` independent trials, lies on the
    right side of 0: exact, by the sum over all outcomes. Raises InputError for what is no rate and below two trials."""
    higher, lower = max(one, other), min(one, other)
    if n < 2 or not 0 <= lower <= higher <= 1:
        raise InputError("the power of two rates", given=(n, one, other), allowed="two trials or more, rates 0 to 1")
    first, second = _likely(n, higher), _likely(n, lower)
    (low, _), (_, high) = _bounds(n, first), _bounds(n, second)
    gap = first[:, None] / n - second[None] / n
    shown = gap > np.hypot((first / n - low)[:, None], (high - second / n)[None])
    return float(stats.binom.pmf(first, n, higher) @ shown @ stats.binom.pmf(second, n, lower))


def _likely(n: int, rate: float) -> np.ndarray:
    return np.arange(
        int(stats.binom.ppf(_NEVER, n, rate)) if rate > 0 else 0, int(stats.binom.isf(_NEVER, n, rate)) + 1
    )


def _bounds(n: int, hits: np.ndarray) -> np.ndarray:
    """Clopper and Pearson's, [bound, count]."""
    low, high = stats.beta.ppf(1 - _TAIL, hits, n - hits + 1), stats.beta.ppf(_TAIL, hits + 1, n - hits)
    return np.stack([np.where(hits > 0, low, 0.0), np.where(hits < n, high, 1.0)])


def smallest_effect(n: int, clusters: int, base: float, *, power: float = 0.8) -> float | None:
    """The smallest rise of a rate above `base` that two arms of `n` trials each show with this power (`smallest_rise`).

    Trials count for as many as there are clusters where these are fewer (complete dependence within a cluster:
    the cautious end). None where even a rise to 1 could not be shown.
    """
    return smallest_rise(min(n, clusters), base, power=power)


@lru_cache(maxsize=4096)
def smallest_rise(n: float, base: float, *, design: float = 1.0, power: float = 0.8) -> float | None:
    """The smallest rise of a rate above `base` that two arms of `n` trials each show with this power, by the interval
    of their difference (`power_of_rates`). None where not even a rise to 1 is shown."""
    size = math.floor(n / design + 1e-9)
    if size < 2 or base >= 1 or power_of_rates(size, 1.0, base) < power:
        return None
    # Where a rise is found, the chance is above `power` by no more than rounding.
    return root(lambda rate: power_of_rates(size, rate, base) - power, base + 1e-9, 1.0) - base


@lru_cache(maxsize=256)
def smallest_rate(n: int, base: float, *, power: float = 0.8) -> float | None:
    """The smallest rate whose exact interval in `n` independent trials lies above `base` with this power: of one arm
    and a fixed value, where `smallest_effect` is of two arms. None where not even a rate of 1 is shown. Raises
    InputError below one trial and for what is no rate."""
    if n < 1 or not 0 <= base < 1:
        raise InputError("the smallest rate that is told from another", given=(n, base), allowed="n > 0, 0 <= base < 1")
    low, _ = _bounds(n, np.arange(n + 1))
    shown = np.flatnonzero(low > base)
    if not len(shown):
        return None
    enough = int(shown[0]) - 1
    return root(lambda rate: float(stats.binom.sf(enough, n, rate)) - power, base, 1.0)


def trials_to_show(one: float, other: float, *, design: float = 1.0, power: float = 0.8) -> int:
    """Trials in each arm from which on the interval of the difference shows that two rates differ with this power
    (`power_of_rates`): more than `trials_for_rates`, by a tenth or, of few trials, a third. Raises InputError for equal
    rates."""
    few = max(2, trials_for_rates(one, other, power=power) // 2)
    many = 4 * few + 20
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if power_of_rates(middle, one, other) >= power else (middle, many)
    return math.ceil(design * many)


def visible(estimate: Estimate, null: float = 0.0, *, power: float = 0.8) -> float | None:
    """How far above `null` an effect had to be for an interval like this one to exclude `null`, one in `power`; in the
    units of the estimate. None without an interval, where it has no width, and where no effect is as large.

    The interval's own width tells the standard error, clusters and all; its wider side is taken. It is a multiple of
    that width so large that a run like this one, whose width may be another, shows the effect so often: by Student's
    distribution, with the clusters less one as degrees of freedom. Of a rate it is `smallest_effect` above the rate,
    drawn towards a half as if two more trials had been right and two wrong, since the rate is not known either. An
    AUROC's error at chance is larger than at what was found: by the variance of Hanley & McNeil (Radiology 143, 1982)
    for equal classes, an approximation.
    """
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return None
    if estimate.kind == "proportion":
        size = min(estimate.n, estimate.clusters)
        return smallest_effect(size, size, (estimate.value * size + 2) / (size + 4), power=power)
    width = max(estimate.value - estimate.low, estimate.high - estimate.value)
    if width <= 0:
        return None
    effect = width * _widths(min(estimate.clusters - 1, _MANY), power)
    if estimate.kind == "auroc":
        effect *= (estimate.high - estimate.low) / (2 * width)  # lopsided near 1, and taken to chance, where it is not
        effect *= math.sqrt(_auroc_spread(0.5) / max(_auroc_spread(estimate.value), 1e-9))
        return effect if null + effect <= 1 else None
    return effect


@lru_cache(maxsize=1024)
def _widths(df: int, power: float) -> float:
    """Half widths of an interval to the smallest effect that an interval of a new run shows with this power."""
    if df >= _MANY:
        return float(1 + stats.norm.ppf(power) / stats.norm.ppf(_TAIL))
    reach = float(stats.t.ppf(_TAIL, df))
    middle = (np.arange(200) + 0.5) / 200
    told = reach * np.sqrt(stats.chi2.ppf(middle, df) / df)  # half widths, in true standard errors

    def shortfall(times: float) -> float:
        shown = stats.nct.sf(reach, df, np.minimum(times * told, 30 + 2 * reach))
        return float(np.nan_to_num(shown, nan=1.0).mean()) - power

    return root(shortfall, 0.5, 40.0)


def _auroc_spread(area: float) -> float:
    """Variance of an AUROC, up to the number of trials, of many of each class."""
    return area / (2 - area) + 2 * area**2 / (1 + area) - 2 * area**2


def beside(estimate: Estimate, null: float = 0.0) -> str:
    """An estimate in a sentence: with the minimum detectable value where it does not lie above `null`."""
    return str(estimate) if estimate.above(null) else f"{estimate}; {minimum_detectable(estimate, null)}"


def minimum_detectable(estimate: Estimate, null: float = 0.0) -> str:
    """The clause of a sentence about a null: the least value that this run would have shown to lie above `null`, with
    the power of `visible`."""
    effect = visible(estimate, null)
    return "minimum detectable effect unknown" if effect is None else f"minimum detectable {null + effect:.2f}"


def trials_for_rates(one: float, other: float, *, design: float = 1.0, power: float = 0.8) -> int:
    """Trials in each arm that tell two rates apart with this power, by a z test with pooled variance: the published
    number, to compare with other papers. For the lab's own intervals: `trials_to_show`. (Fleiss, Statistical Methods
    for Rates and Proportions, 1981.) Raises InputError for equal rates."""
    if one == other:
        raise InputError("no number of trials tells equal rates apart", given=one)
    return math.ceil(design * _size(one, other, power))


def _size(one: float, other: float, power: float) -> float:
    sure, likely = stats.norm.ppf(_TAIL), stats.norm.ppf(power)
    centre = (one + other) / 2
    alike, apart = 2 * centre * (1 - centre), one * (1 - one) + other * (1 - other)
    return float((sure * math.sqrt(alike) + likely * math.sqrt(apart)) ** 2 / (one - other) ** 2)


@lru_cache(maxsize=256)
def pairs_for_rates(first_only: float, second_only: float, *, power: float = 0.8) -> int:
    """The fewest pairs of which McNemar's exact test (`paired.mcnemar`) finds a difference with this power, from the
    shares of pairs right in the first condition only and in the second only: the sum over all outcomes. (The search
    starts from Connor's number for the z test, Biometrics 43, 1987, which is smaller.) Raises InputError where the
    shares are equal."""
    differing, gap = first_only + second_only, abs(first_only - second_only)
    if gap == 0 or differing > 1 or min(first_only, second_only) < 0:
        raise InputError("no number of pairs tells these rates apart", given=(first_only, second_only))
    sure, likely = stats.norm.ppf(_TAIL), stats.norm.ppf(power)
    least = math.ceil((sure * math.sqrt(differing) + likely * math.sqrt(differing - gap**2)) ** 2 / gap**2)
    found = _power_of_signs(
        int(stats.binom.isf(_NEVER, 3 * least + 60, differing)), max(first_only, second_only) / differing
    )
    n = max(2, least // 2)
    while float(stats.binom.pmf(np.arange(len(found)), n, differing) @ found) < power:
        n += 1
    return n


def _power_of_signs(most: int, share: float) -> np.ndarray:
    """Of 0 to `most` pairs that differ, the chance that the exact two-sided test finds that a `share` above a half goes
    one way, and that way."""
    m = np.arange(most + 1)
    # Up to `low` successes are too rare: the largest count whose lower tail is at most 2.5 %.
    low = stats.binom.ppf((1 - LEVEL) / 2, m, 0.5)
    low = np.where(stats.binom.cdf(low, m, 0.5) <= (1 - LEVEL) / 2, low, low - 1)
    return np.where(low >= 0, stats.binom.sf(m - low - 1, m, share), 0.0)


def trials_for_d(effect: float, *, design: float = 1.0, power: float = 0.8) -> int:
    """Trials in each arm that show a standardised difference of means with this power (noncentral t)."""
    from statsmodels.stats.power import TTestIndPower  # brings pandas

    found = TTestIndPower().solve_power(effect_size=abs(effect), alpha=1 - LEVEL, power=power)
    return math.ceil(design * float(found))


def smallest_d(n: float, *, design: float = 1.0, power: float = 0.8) -> float:
    """The smallest standardised difference of means that two arms of `n` trials each show with this power."""
    from statsmodels.stats.power import TTestIndPower  # brings pandas

    return float(TTestIndPower().solve_power(nobs1=n / design, alpha=1 - LEVEL, power=power))


def design_effect(values: Column, clusters: Column) -> float:
    """Variance of the mean of clustered trials over that of as many independent ones; 1 where they do not vary. Below 1
    where clusters are balanced by design. Raises InputError for missing values and for fewer than two clusters."""
    array = measured(values)
    labels = names(clusters, len(array))
    if len(np.unique(labels)) < 2:
        raise InputError("a design effect of fewer than two clusters", given=len(np.unique(labels)))
    alone = float(array.var()) / (len(array) - 1)
    return cluster_variance(array, labels) / alone if alone > 0 else 1.0


def design_effect_of(size: float, intraclass: float) -> float:
    """That of clusters of `size` trials whose outcomes correlate by `intraclass`: ``1 + (size - 1) intraclass``."""
    return 1 + (size - 1) * intraclass


def rare_event_bound(n: float) -> float:
    """The rate that is excluded, at 95 % and one-sided, by no event in `n` independent trials: about three in `n`."""
    return 1 - (1 - LEVEL) ** (1 / n)

"""Published numbers of the protocols the lab follows, and what comes out when they are computed anew.

Numbers with source and tolerance are data (``data/fidelity/*.toml``). Those that follow from other published numbers
are recomputed by the lab's own statistics; a disagreement is reported, and no tolerance is widened for it. The others
wait for a model's weights, and say what to run.
"""

import math
import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats
from statsmodels.stats.proportion import proportion_confint, proportions_ztest

from introlab.stats.estimates import proportion
from introlab.stats.power import design_effect_of, rare_event_bound, trials_for_rates
from introlab.stats.selective_prediction import brier
from introlab.stats.self_correction import Revisions, resampling_null_of

FOLDER = Path(__file__).parents[1] / "data" / "fidelity"


@dataclass(frozen=True)
class Recomputed:
    """A published number and what the lab makes of it."""

    protocol: str
    source: str
    what: str
    published: float
    tolerance: float
    found: float

    @property
    def agrees(self) -> bool:
        # The comparison itself rounds: a difference of exactly the tolerance agrees.
        return abs(self.found - self.published) <= self.tolerance * (1 + 1e-9) + 1e-12


@dataclass(frozen=True)
class Awaiting:
    """Published numbers that need weights: what they are of, and what to run once the weights are there."""

    protocol: str
    source: str
    what: str
    published: tuple[float, ...]
    needs: str
    run: str
    """A command; empty where no experiment of the lab measures it yet."""


def recomputed() -> list[Recomputed]:
    """Every number that needs no weights, computed anew."""
    return [
        Recomputed(
            group["protocol"],
            group["source"],
            row["what"],
            float(row["published"]),
            float(group["tolerance"]),
            float(METHODS[group["by"]](**row["given"])),
        )
        for group, row in _rows("recomputed")
    ]


def awaiting() -> list[Awaiting]:
    """Every number that needs weights."""
    return [
        Awaiting(
            group["protocol"],
            group["source"],
            row["what"],
            tuple(float(number) for number in row["published"]),
            group["needs"],
            group["run"],
        )
        for group, row in _rows("awaiting")
    ]


def _rows(kind: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    for path in sorted(FOLDER.glob("*.toml")):
        for group in tomllib.loads(path.read_text(encoding="utf-8")).get(kind, []):
            for row in group["rows"]:
                yield group, row


def _revisions(quantity: str, first: float, repaired: float, broken: float) -> float:
    return getattr(Revisions.of_shares(first, repaired, broken), quantity)


def _resampling_null(quantity: str, a: float, b: float) -> float:
    """Items at the quantiles of a Beta distribution."""
    p = stats.beta.ppf((np.arange(20_000) + 0.5) / 20_000, a, b)
    return getattr(resampling_null_of(p, np.arange(len(p))), quantity).value


def _rss_noise(items: int, first: float, *, keep: float = 0.95, repair: float = 0.2) -> float:
    """Standard deviation of RSS over 20,000 simulated runs."""
    draw = np.random.default_rng(0)
    right = draw.binomial(items, first, 20_000)
    after = draw.binomial(right, keep) + draw.binomial(items - right, repair)
    inside = (right > 0) & (right < items)
    before, second = right[inside] / items, after[inside] / items
    return float(((second - before**2) / (2 * before * (1 - before))).std())


def _cyclic_bias(token: int, amplitude: float, period: int) -> float:
    """The triangle of arXiv 2506.11077."""
    return amplitude * abs(4 * ((token - period / 4) % period) / period - 2) - amplitude


def _z(one: float, n: int, other: float, m: int, design: float = 1.0) -> float:
    z: Any = proportions_ztest([one * n / design, other * m / design], [n / design, m / design])[0]
    return float(z)


def _bound(hits: int, n: int, side: str) -> float:
    found = proportion([index < hits for index in range(n)], np.arange(n))
    bound = found.high if side == "high" else found.low
    return math.nan if bound is None else bound


def _wilson_bound(hits: int, n: int, side: str) -> float:
    low, high = proportion_confint(hits, n, method="wilson")
    return float(high if side == "high" else low)  # type: ignore[arg-type]


def _auroc_half_width(area: float, positives: int, negatives: int) -> float:
    """Hanley and McNeil, Radiology 143 (1982)."""
    one, other = area / (2 - area), 2 * area**2 / (1 + area)
    spread = area * (1 - area) + (positives - 1) * (one - area**2) + (negatives - 1) * (other - area**2)
    return 1.96 * math.sqrt(spread / (positives * negatives))


METHODS: Mapping[str, Callable[..., float]] = {
    "revisions": _revisions,
    "resampling_null": _resampling_null,
    "rss_noise": _rss_noise,
    "cyclic_bias": _cyclic_bias,
    "entropy_at_certainty": lambda certainty, vocabulary: (1 - certainty) * math.log(vocabulary),
    "gap_closed": lambda base, reached, goal: (reached - base) / (goal - base),
    "relative_change": lambda before, after: (after - before) / before,
    "quotient": lambda one, other: one / other,
    "difference": lambda one, other: one - other,
    "mean": lambda values: float(np.mean(values)),
    "trials": trials_for_rates,
    "z_of_rates": _z,
    "p_of_rates": lambda **given: 2 * float(stats.norm.sf(abs(_z(**given)))),
    "design": design_effect_of,
    "no_event": rare_event_bound,
    "exact_bound": _bound,
    "wilson_bound": _wilson_bound,
    "auroc_half_width": _auroc_half_width,
    "brier": lambda said, outcomes: brier([said] * len(outcomes), outcomes),
}

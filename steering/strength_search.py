"""How strong must a push be for texts to reach a wanted score? Searched by bisection, then measured anew. No model.

The search is that of the study of endogenous steering resistance (arXiv 2602.06941): probabilistic bisection (Waeber,
Frazier & Henderson, SIAM Journal on Control and Optimization 51, 2013) with a likelihood of its own. Its answer is a
guess: with one two-valued score a step it is off by 18 points (tests/test_calibrating.py). So every step asks several
prompts here, and what was found is measured on prompts the search never saw.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Literal, Self

import numpy as np
from scipy import stats

from introlab.activations.directions import check_disjoint
from introlab.errors import InputError
from introlab.stats.estimates import proportion
from introlab.stats.interval import Estimate

GRID = 10_000
"""Points of the density, as published."""
MOST_INCOHERENT = 0.5
"""A strength is too much once more than this share of a step's texts is incoherent."""
Reached = Literal["yes", "no", "cannot tell"]


@dataclass(frozen=True)
class Prior:
    """Where the strength is expected: a normal density cut to bounds. Raises InputError for an empty range or no
    spread."""

    low: float
    high: float
    mean: float
    sd: float

    def __post_init__(self) -> None:
        if not (self.low < self.high and self.sd > 0):
            raise InputError("a prior without width", given=self, allowed="low < high, sd > 0")


@dataclass(frozen=True, eq=False)
class Bisection:
    """What is known of the strength at which a falling score crosses `target`: a density over a grid."""

    target: float
    """Between 0 and 1."""
    grid: np.ndarray
    logs: np.ndarray
    """Log density, up to a constant."""

    @classmethod
    def start(cls, prior: Prior, target: float, *, points: int = GRID) -> Self:
        """Nothing but the prior. Raises InputError for a target that is not between 0 and 1."""
        if not 0 < target < 1:
            raise InputError("a target score out of range", given=target, allowed="above 0, below 1")
        grid = np.linspace(prior.low, prior.high, points)
        return cls(target, grid, stats.norm.logpdf(grid, prior.mean, prior.sd))

    @cached_property
    def query(self) -> float:
        """The median of the density: the strength to try next, and the answer once nothing more is asked."""
        mass = np.exp(self.logs - self.logs.max()).cumsum()
        return float(self.grid[np.searchsorted(mass, mass[-1] / 2)])

    def told(self, scores: Sequence[float]) -> Self:
        """After these scores (0 to 1) of texts at `query`; unchanged by none. Raises InputError for others.

        As published: the mean score s is on one side of the target with the confidence that a Beta(.5 + 5 s, .5 + 5
        (1 - s)) variable is; what is on the side favoured gains the log of it, and the other that of the rest.
        """
        if not len(scores):
            return self
        if not all(0 <= score <= 1 for score in scores):
            raise InputError("scores out of range", given=list(scores), allowed="0 to 1")
        score = float(np.mean(scores))
        stronger = float(stats.beta.sf(self.target, 0.5 + 5 * score, 0.5 + 5 * (1 - score)))
        # The published side, its confidence and its flip below one half come to this: the odds that more is needed.
        with np.errstate(divide="ignore"):
            gained = np.where(self.grid > self.query, np.log(stronger), np.log1p(-stronger))
        return replace(self, logs=self.logs + np.maximum(gained, -50.0))

    def kept_below(self, strength: float) -> Self:
        """Nothing at this strength or above is considered any more, but for the lowest."""
        beyond = (self.grid >= strength) & (self.grid > self.grid[0])
        return replace(self, logs=np.where(beyond, -np.inf, self.logs))


@dataclass(frozen=True)
class Ask:
    """One text wanted of the direction (or latent, or arm) `name`."""

    name: str
    strength: float
    prompt: str
    replicate: int
    """Which of the texts of this prompt; the same over names, so that they are paired."""


@dataclass(frozen=True)
class Heard:
    """Its score, 0 to 1 and falling with strength; None where there is none (no attempt, judge failed)."""

    score: float | None
    incoherent: bool = False


Asking = Callable[[Sequence[Ask]], Sequence[Heard]]
"""Texts for all that is asked, in order, at once."""


@dataclass(frozen=True)
class Step:
    """What was tried, and heard."""

    strength: float
    heard: tuple[Heard, ...]

    @property
    def scores(self) -> list[float]:
        return [each.score for each in self.heard if each.score is not None]

    @property
    def too_much(self) -> bool:
        """Whether it damages more texts than is tolerated."""
        return sum(each.incoherent for each in self.heard) > MOST_INCOHERENT * len(self.heard)


@dataclass(frozen=True)
class Calibrated:
    """The strength found for one direction, and what it does to prompts the search never saw."""

    name: str
    target: float
    strength: float
    achieved: Estimate
    """Mean score on fresh prompts, cluster = prompt; never that of the search."""
    reached: Reached
    """Whether the whole interval is within the tolerance of the target, or wholly outside of it."""
    why: str
    """What kept it from the target; empty where nothing did."""
    steps: tuple[Step, ...]
    fresh: Step
    """What was heard on the fresh prompts."""


@dataclass(frozen=True)
class Plan:
    """How to search, and how to measure what was found."""

    prior: Prior
    prompts: tuple[str, ...]
    """Of the search, taken in turn."""
    fresh: tuple[str, ...]
    """Of the verification: none of those of the search, or it is an error."""
    steps: int = 10
    per_step: int = 5
    """Texts of a step; the publication has 1 for all models but one."""
    per_fresh: int = 2
    """Texts of a fresh prompt."""
    tolerance: float = 0.15
    """How far from the target still counts as there."""

    def __post_init__(self) -> None:
        check_disjoint(self.prompts, self.fresh)
        if not (self.prompts and self.fresh and min(self.steps, self.per_step, self.per_fresh) >= 1):
            raise InputError("a calibration that asks nothing", given=self, do="one prompt, step and text at least")

    def of_step(self, step: int) -> list[tuple[str, int]]:
        """Prompts of a step and which of their texts."""
        turns = range(step * self.per_step, (step + 1) * self.per_step)
        return [(self.prompts[turn % len(self.prompts)], turn // len(self.prompts)) for turn in turns]

    @property
    def texts(self) -> int:
        """That are asked of each name."""
        return self.steps * self.per_step + len(self.of_verification())

    def of_verification(self) -> list[tuple[str, int]]:
        return [(prompt, replicate) for prompt in self.fresh for replicate in range(self.per_fresh)]


def calibrate(targets: Mapping[str, float], plan: Plan, ask: Asking) -> dict[str, Calibrated]:
    """The strength at which the texts of each name have a mean score of its target, all searched side by side: a step
    of all is one call of `ask`, and so is the verification. Names of equal targets are arms of matched effect.

    A direction that does not reach its target is an outcome and no error: `reached` is "no", and `why` says what kept
    it. No strength at or above one that made more than `MOST_INCOHERENT` of a step's texts incoherent is tried again or
    returned. How many texts are asked for is known beforehand (`Plan.texts`).
    """
    states = {name: Bisection.start(plan.prior, target) for name, target in targets.items()}
    taken: dict[str, list[Step]] = {name: [] for name in targets}
    for step in range(plan.steps):
        asked = _asked({name: state.query for name, state in states.items()}, plan.of_step(step), ask)
        for name, new in asked.items():
            taken[name].append(new)
            states[name] = states[name].told(new.scores)
            if new.too_much:
                states[name] = states[name].kept_below(new.strength)
    fresh = _asked({name: state.query for name, state in states.items()}, plan.of_verification(), ask)
    return {name: _verified(name, target, taken[name], fresh[name], plan) for name, target in targets.items()}


def _asked(strengths: Mapping[str, float], turns: Sequence[tuple[str, int]], ask: Asking) -> dict[str, Step]:
    wanted = [Ask(name, strength, *turn) for name, strength in strengths.items() for turn in turns]
    heard = ask(wanted)
    if len(heard) != len(wanted):
        raise InputError("answers of another number than was asked", given=len(heard), allowed=len(wanted))
    answers = iter(heard)
    return {name: Step(strength, tuple(islice(answers, len(turns)))) for name, strength in strengths.items()}


def _verified(name: str, target: float, steps: Sequence[Step], fresh: Step, plan: Plan) -> Calibrated:
    """By the interval of a rate, which is exact for scores of 0 and 1, and cautious for all between them."""
    pairs = zip(fresh.heard, plan.of_verification(), strict=True)
    known = [(each.score, prompt) for each, (prompt, _) in pairs if each.score is not None]
    achieved = proportion([score for score, _ in known], [prompt for _, prompt in known])
    reached = "no" if fresh.too_much else _reached(achieved, target - plan.tolerance, target + plan.tolerance)
    why = "" if reached == "yes" else _kept_by(target, [*steps, fresh], plan.prior)
    return Calibrated(name, target, fresh.strength, achieved, reached, why, tuple(steps), fresh)


def _reached(achieved: Estimate, low: float, high: float) -> Reached:
    if achieved.above(high) or achieved.below(low):
        return "no"
    within = achieved.low is not None and achieved.high is not None and low <= achieved.low and achieved.high <= high
    return "yes" if within else "cannot tell"


def _kept_by(target: float, tried: Sequence[Step], prior: Prior) -> str:
    """What may have kept a search from its target; empty where nothing is known to. The last of `tried` is fresh."""
    if not tried[-1].scores:
        return "no text has a score"
    broken = min((step.strength for step in tried if step.too_much), default=None)
    if broken is not None:
        return f"incoherent from strength {broken:.4g} on"
    above = {float(np.mean(step.scores)) >= target for step in tried if step.scores}
    strengths = [step.strength for step in tried]
    if above == {True}:
        return f"above its target at every strength tried, up to {max(strengths):.4g} of {prior.high:.4g}"
    if above == {False}:
        return f"below its target at every strength tried, down to {min(strengths):.4g} of {prior.low:.4g}"
    return ""

"""Do the strengths that were searched for have the wanted effect? Measured on the test's own texts."""

from collections.abc import Iterator, Mapping, Sequence

from experiments.steering_resistance.labels import DIFFERENCE, EQUAL_EFFECT, PROBE
from experiments.steering_resistance.scopes import OTHERS, Scope, average, rate
from introlab.records.findings import Answer, Findings, Row
from introlab.records.trial import Trial
from introlab.stats.estimates import difference, proportion
from introlab.stats.interval import Estimate, missing

TOLERATED = 0.15
"""How far from the wanted first-attempt score is still there; that of the search."""
MOST = 0.5
"""Of the texts: more that are incoherent, and a strength is too much."""
SCORE, DISTANCE, BROKEN = (
    "first-attempt score at the strength found",
    "distance to the wanted score",
    "incoherent at the strength found",
)


def search_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """How the searches ended: for how many directions of each kind in each of three ways."""
    found = [trial for trial in trials if trial.condition == "calibration"]
    for kind in sorted({str(trial.readings["kind"]) for trial in found}):
        some = [trial for trial in found if trial.readings["kind"] == kind]
        for answer in ("yes", "no", "cannot tell"):
            share = proportion([trial.outcomes["reached"] == answer for trial in some], [t.cluster for t in some])
            where = {"model": model, "kind": kind, "answer": answer}
            yield Row("searches that reached the wanted score", where, share, "detail")


def reach_rows(model: str, trials: Sequence[Trial], every: Sequence[Trial], scope: Scope = OTHERS) -> Iterator[Row]:
    """Of each kind: its first-attempt score on test texts at the strengths that were found, and how far that is from
    the wanted one. `every` has incoherent texts, too."""
    for kind, target in sorted(_targets(every).items()):
        condition, where = EQUAL_EFFECT(kind), {"model": model, "kind": kind}
        score = average([trial for trial in trials if trial.condition == condition], "first_attempt", scope)
        yield Row(SCORE, where, score)
        yield Row(DISTANCE, where, _less(score, target))
        yield Row(BROKEN, where, rate([trial for trial in every if trial.condition == condition], "incoherent", scope))


def movable(found: Findings, kind: str) -> Answer:
    """Whether pushes of a kind bring first attempts down to the wanted score or below, in texts that hold together."""
    away, broken = found.estimate(DISTANCE, kind=kind), found.estimate(BROKEN, kind=kind)
    if away.above(TOLERATED) or broken.above(MOST):
        return "no"
    return "yes" if away.below(TOLERATED) and broken.below(MOST) else "cannot tell"


def movable_by_any(found: Findings) -> Answer:
    """By either kind of push towards a topic."""
    answers = {movable(found, kind) for kind in (DIFFERENCE, PROBE)}
    return "yes" if "yes" in answers else "no" if answers == {"no"} else "cannot tell"


def apart(found: Findings, one: str, other: str) -> Estimate:
    """Score of a kind minus that of another."""
    return difference(found.estimate(SCORE, kind=one), found.estimate(SCORE, kind=other))


def _targets(trials: Sequence[Trial]) -> Mapping[str, float]:
    found = (trial.readings for trial in trials if trial.condition == "calibration")
    return {str(readings["kind"]): float(readings["target"]) for readings in found}


def _less(score: Estimate, target: float) -> Estimate:
    if score.value is None:
        return missing("no such text")
    low, high = (None if bound is None else bound - target for bound in (score.low, score.high))
    return Estimate(score.value - target, low, high, score.n, score.clusters, score.method, "difference")

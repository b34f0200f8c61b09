"""Does a verdict survive its controls?"""

from collections.abc import Iterator, Sequence
from itertools import combinations

from experiments.steering_resistance.reach import DISTANCE, SCORE, TOLERATED, apart
from experiments.steering_resistance.scopes import THESE, rate
from experiments.steering_resistance.trajectories import told_at
from experiments.steering_resistance.verdicts import MOVED
from introlab.records.findings import Check, Findings, Ground
from introlab.records.trial import Trial
from introlab.stats.estimates import difference
from introlab.stats.interval import Estimate

APART_FROM = 0.1
"""Difference of the shares of incoherent texts from which on arms are not of the same texts; and the most that may be
incoherent without a push."""

MORE = 0.1
"""Of the words: a direction that does not put so many more off topic than random ones do is no better than those."""


def checks(
    found: Findings, narrow: Findings, trials: Sequence[Trial], at: float, grounds: Sequence[Ground], suffix: str
) -> Iterator[Check]:
    """Of the rows of one model: over others like these directions, and under these (`narrow`), and of its trials."""
    moved = next(each.answer for each in grounds if each.question == MOVED)
    baseline, spoken = (told_at(narrow, outcome, "baseline", 0.0) for outcome in ("intruded", "announced"))
    yield Check(
        "baseline",
        _small(baseline, spoken),
        f"without a push {baseline} of texts leave the topic and {spoken} announce it{suffix}",
    )
    gap = found.estimate("off topic beyond random")
    yield Check(
        "random_direction",
        None if moved != "yes" else True if gap.above(0) else False if gap.below(MORE) else None,
        f"the topic's direction puts {gap} more of the words off topic than random ones of equal norm do{suffix}",
    )
    asked = difference(told_at(narrow, "intruded", "prompting", 0.0), baseline)
    yield Check(
        "prompting",
        asked.above(0.2) if asked.known else None,
        f"asked in words for the other topic, {asked} more texts hold it: the measure can see it{suffix}",
    )
    yield _coherence(trials, at, suffix)
    yield _equal_effect(found, suffix)


def _small(*shares: Estimate) -> bool | None:
    """Whether all are below a tenth; not told where an interval holds it."""
    if any(share.above(APART_FROM) for share in shares):
        return False
    return True if all(share.below(APART_FROM) for share in shares) else None


def _coherence(trials: Sequence[Trial], at: float, suffix: str) -> Check:
    """What is left out as incoherent must be little, and alike in all arms: else they are not of the same texts."""
    strengths = {"baseline": 0.0, "prompting": 0.0, "push": at, "random_direction": at}
    broken = {
        arm: rate([t for t in trials if t.condition == arm and t.strength == strength], "incoherent", THESE)
        for arm, strength in strengths.items()
    }
    gaps = [difference(broken[arm], broken["baseline"]) for arm in ("prompting", "push", "random_direction")]
    far = broken["baseline"].above(APART_FROM) or any(g.above(APART_FROM) or g.below(-APART_FROM) for g in gaps)
    alike = broken["baseline"].below(APART_FROM) and all(
        gap.above(-APART_FROM) and gap.below(APART_FROM) for gap in gaps[:2] if gap.known
    )  # draws of random directions are too few to say so much of them
    told = ", ".join(f"{arm} {share}" for arm, share in broken.items())
    return Check(
        "coherence",
        False if far else True if alike else None,
        f"incoherent texts, which count as neither moved nor unmoved: {told}{suffix}",
    )


def _equal_effect(found: Findings, suffix: str) -> Check:
    """Arms are only compared where their first attempts score alike, and as was wanted. Kinds that do not come down to
    the wanted score are not compared; a kind that falls below it fails, as no two can be told apart at a floor."""
    away = {str(row.where["kind"]): row.estimate for row in found.select(DISTANCE) if row.estimate.known}
    near = {kind: distance for kind, distance in away.items() if not distance.above(TOLERATED)}
    told = ", ".join(f"{kind} {found.estimate(SCORE, kind=kind)}" for kind in away)
    if len(near) < 2:
        detail = f"fewer than two kinds of push come down to the wanted score on test items ({told or 'none'}){suffix}"
        return Check("equal_effect", None, detail)
    gaps = [apart(found, *pair) for pair in combinations(near, 2)]
    below = any(distance.below(-TOLERATED) for distance in near.values())
    differ = any(gap.above(TOLERATED) or gap.below(-TOLERATED) for gap in gaps)
    there = all(_within(distance) for distance in near.values())
    target = next(
        (each.value or 0) - (away[kind].value or 0) for kind in near for each in [found.estimate(SCORE, kind=kind)]
    )
    detail = f"first attempts on test items, at strengths meant for {target:.2f}, score {told}{suffix}"
    return Check("equal_effect", False if below or differ else True if there else None, detail)


def _within(gap: Estimate) -> bool:
    return gap.above(-TOLERATED) and gap.below(TOLERATED)

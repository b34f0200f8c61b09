"""Does a verdict survive its controls?"""

from collections.abc import Iterator, Sequence
from itertools import combinations

from experiments.steering_resistance.labels import EQUAL_EFFECT
from experiments.steering_resistance.trajectories import told_at
from experiments.steering_resistance.verdicts import MOST, MOVED
from introlab.records.findings import Check, Findings, Ground
from introlab.stats.estimates import difference
from introlab.stats.interval import Estimate

UNEQUAL_FROM = 0.15
"""Difference of first-attempt scores from which on arms are not compared."""


def checks(found: Findings, at: float, grounds: Sequence[Ground], suffix: str) -> Iterator[Check]:
    """Of the rows of one model."""
    moved = next(each.answer for each in grounds if each.question == MOVED)
    baseline, spoken = told_at(found, "intruded", "baseline", 0.0), told_at(found, "announced", "baseline", 0.0)
    yield Check(
        "baseline",
        None if not (baseline.known and spoken.known) else (baseline.value or 0) < 0.1 and (spoken.value or 0) < 0.1,
        f"without a push {baseline.percent} of texts leave the topic and {spoken.percent} announce it{suffix}",
    )
    gap = found.estimate("off topic beyond random")
    yield Check(
        "random_direction",
        None if moved != "yes" or not gap.known else gap.above(0),
        f"the topic's direction puts {gap} more of the words off topic than random ones of equal norm do{suffix}",
    )
    asked = difference(told_at(found, "intruded", "prompting", 0.0), baseline)
    yield Check(
        "prompting",
        asked.above(0.2) if asked.known else None,
        f"asked in words for the other topic, {asked} more texts hold it: the measure can see it{suffix}",
    )
    broken = told_at(found, "incoherent", "push", at)
    yield Check(
        "coherence",
        None if not broken.known else not broken.above(0.5),
        f"{broken.percent} of pushed texts are incoherent, and count as neither moved nor unmoved{suffix}",
    )
    yield _equal_effect(found, suffix)


def _equal_effect(found: Findings, suffix: str) -> Check:
    """Arms are only compared where their first attempts score alike."""
    reached = {
        str(row.where["kind"]): row.estimate.value or 0
        for row in found.select("directions that reach the wanted score")
    }
    scores = {
        kind: estimate
        for kind, share in reached.items()
        if share >= MOST and (estimate := found.estimate("first-attempt score", arm=EQUAL_EFFECT(kind))).known
    }
    gaps = {pair: difference(scores[pair[0]], scores[pair[1]]) for pair in combinations(scores, 2)}
    told = ", ".join(f"{kind} {estimate}" for kind, estimate in scores.items())
    if not gaps:
        return Check(
            "equal_effect", None, f"fewer than two kinds of push reach the wanted score for most topics{suffix}"
        )
    apart = [pair for pair, gap in gaps.items() if gap.above(UNEQUAL_FROM) or gap.below(-UNEQUAL_FROM)]
    alike = all(_within(gap) for gap in gaps.values())
    detail = f"first attempts at the strengths of equal effect score {told}{suffix}"
    return Check("equal_effect", False if apart else True if alike else None, detail)


def _within(gap: Estimate) -> bool:
    return gap.above(-UNEQUAL_FROM) and gap.below(UNEQUAL_FROM)

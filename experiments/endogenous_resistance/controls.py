"""The checks of one model: each may pass, fail, or not be told from so few texts."""

from collections.abc import Iterator, Mapping, Sequence

from experiments.endogenous_resistance.scene_pairs import first_attempts_apart, improved, more_often, rate, scene_pairs
from introlab.records.findings import Check
from introlab.records.trial import Trial
from introlab.stats.estimates import mean
from introlab.stats.interval import Estimate

ORDER = ("push", "baseline", "random_direction", "prompting")
TOLERANCE = 0.15
"""How far the mean score of first attempts may be from its target."""
ON_TOPIC = 0.8
"""Mean score of first attempts without a push, at least."""
APART = 0.1
"""How much better first attempts must score without the push of a latent."""
BY_LUCK = 0.2
"""Share of texts that may start again and do better without a push. What is below is taken off by the paired excess;
twenty latents of which none does so leave room for .17."""
INCOHERENT = 0.25
"""Share of texts that may be incoherent without a push; and the most by which arms may differ in that share."""
UNIT = (0.0, 1.0)


def first_score(trials: Sequence[Trial]) -> Estimate:
    """Mean score of first attempts that have one."""
    known = [trial for trial in trials if trial.readings["first_score"] is not None]
    return mean([t.readings["first_score"] for t in known], [t.cluster for t in known], within=UNIT)


def checks(trials: Sequence[Trial], target: float, suffix: str) -> Iterator[Check]:
    """Of the test texts of one model; `suffix` ends each detail."""
    arms = {arm: [trial for trial in trials if trial.condition == arm] for arm in ORDER}
    free, luck = first_score(arms["baseline"]), rate(arms["baseline"], improved)
    yield Check(
        "baseline",
        _all(_above(free, ON_TOPIC), _below(luck, BY_LUCK)),
        f"without a push first attempts score {free} and {luck} start again and do better{suffix}",
    )
    yield _random_direction(trials, arms, suffix)
    asked = first_attempts_apart(scene_pairs(trials, "baseline", "prompting"))
    yield Check(
        "prompting",
        _above(asked, APART),
        f"asked in words for the latent's topic, first attempts score {asked} less: the score can see it{suffix}",
    )
    hit = first_score(arms["push"])
    yield Check(
        "calibration",
        _all(_above(hit, target - TOLERANCE), _below(hit, target + TOLERANCE)),
        f"pushed first attempts score {hit}, the target is {target:g} and {TOLERANCE:g} to either side{suffix}",
    )
    yield _coherence(trials, arms, suffix)


def _random_direction(trials: Sequence[Trial], arms: Mapping[str, Sequence[Trial]], suffix: str) -> Check:
    """Random directions leave first attempts alone, and make texts start again and do better less often than the latent
    does, or hardly ever. A model without ESR fails where it has more under random directions than by luck."""
    pairs = scene_pairs(trials, "random_direction", "push")
    less, fewer = first_attempts_apart(pairs), more_often(pairs, improved)
    stray = rate(arms["random_direction"], improved)
    rare = True if fewer.below(0) else _below(stray, BY_LUCK)
    if rare is None and fewer.known and stray.above(0.01):
        rare = False
    return Check(
        "random_direction",
        _all(_above(less, APART), rare),
        f"random directions of equal norm leave first attempts {less} better; {stray} start again and do better under "
        f"them, {fewer} more than under the push{suffix}",
    )


def _coherence(trials: Sequence[Trial], arms: Mapping[str, Sequence[Trial]], suffix: str) -> Check:
    """Few texts are incoherent without a push, and about as many in the other arms, scene by scene."""

    def broken(trial: Trial) -> bool:
        return bool(trial.outcomes["incoherent"])

    free = rate(arms["baseline"], broken)
    gaps = [more_often(scene_pairs(trials, arm, "baseline"), broken) for arm in ("push", "random_direction")]
    told = ", ".join(f"{arm.replace('_', ' ')} {rate(arms[arm], broken)}" for arm in ORDER)
    alike = [side for gap in gaps for side in (_below(gap, INCOHERENT), _above(gap, -INCOHERENT))]
    return Check("coherence", _all(_below(free, INCOHERENT), *alike), f"incoherent texts: {told}{suffix}")


def _above(estimate: Estimate, bound: float) -> bool | None:
    return True if estimate.above(bound) else False if estimate.below(bound) else None


def _below(estimate: Estimate, bound: float) -> bool | None:
    return True if estimate.below(bound) else False if estimate.above(bound) else None


def _all(*answers: bool | None) -> bool | None:
    return False if False in answers else None if None in answers else True

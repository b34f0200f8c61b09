"""Outcomes of attempts over all texts, and arms compared on the scenes that both have."""

from collections.abc import Callable, Sequence

from introlab.records.trial import Trial
from introlab.stats.checked_columns import UNIT
from introlab.stats.crossed import crossed_difference
from introlab.stats.estimates import mean, paired_difference, proportion
from introlab.stats.interval import Estimate, missing
from introlab.stats.paired import paired_rates

Pairs = list[tuple[Trial, Trial]]
"""A text of one arm and one of another, of the same scene."""


def improved(trial: Trial, *, incoherent: bool = True) -> bool:
    """Whether it started again and its last attempt is known to score better than its first. A restart without a score
    did not; `incoherent` says whether an incoherent text may have."""
    return trial.outcomes["improved"] is True and (incoherent or not trial.outcomes["incoherent"])


def worse(trial: Trial, *, incoherent: bool = True) -> bool:
    """The same for a last attempt that scores worse."""
    gain = trial.readings["gain"]
    return gain is not None and gain < 0 and (incoherent or not trial.outcomes["incoherent"])


def unscored_restart(trial: Trial) -> bool:
    """Whether it started again and its first or last attempt has no word by which it could be scored."""
    return bool(trial.outcomes["several"]) and trial.readings["gain"] is None


def rate(trials: Sequence[Trial], outcome: Callable[[Trial], bool]) -> Estimate:
    """Over all texts."""
    return proportion([outcome(trial) for trial in trials], [trial.cluster for trial in trials])


def scene_pairs(trials: Sequence[Trial], one: str, other: str) -> Pairs:
    """Every text of an arm beside that of the same scene in the other; what only one of them has is left out. An arm
    of several texts a scene, such as sets of silenced latents, has a pair for each."""
    there = {trial.item: trial for trial in trials if trial.condition == other}
    return [(trial, there[trial.item]) for trial in trials if trial.condition == one and trial.item in there]


def more_often(pairs: Pairs, outcome: Callable[[Trial], bool]) -> Estimate:
    """How much more often the first of a pair has an outcome. A replication would redraw latents and, where an arm is
    pushed along random directions, these too: both are clusters then."""
    if not pairs:
        return missing("no scene in both arms", "paired difference")
    values = [(float(outcome(first)), float(outcome(second))) for first, second in pairs]
    latents = [first.cluster for first, _ in pairs]
    stray = [next((each for each in pair if each.condition == "random_direction"), None) for pair in pairs]
    draws = [each.draw for each in stray if each is not None and each.draw is not None]
    if len(draws) < len(pairs) or len(set(draws)) < 2:
        return paired_rates(values, latents)
    return crossed_difference(values, [latents, [f"random {draw}" for draw in draws]])


def first_attempts_apart(pairs: Pairs) -> Estimate:
    """How much higher the first attempt of the first of a pair scores, of pairs in which both have a score."""
    known = [
        (first.readings["first_score"], second.readings["first_score"], first.cluster)
        for first, second in pairs
        if first.readings["first_score"] is not None and second.readings["first_score"] is not None
    ]
    if not known:
        return missing("no scene scored in both arms", "paired difference")
    return paired_difference([each[:2] for each in known], [each[2] for each in known], within=UNIT)


def better_less_worse(trials: Sequence[Trial], *, incoherent: bool) -> Estimate:
    """The share of texts that did better minus the share that did worse."""
    if not trials:
        return missing("no text", "paired difference")
    values = [(float(improved(t, incoherent=incoherent)), float(worse(t, incoherent=incoherent))) for t in trials]
    return paired_rates(values, [trial.cluster for trial in trials])


def net_beyond_half(trials: Sequence[Trial], *, incoherent: bool) -> Estimate:
    """Texts that did better, less those that did worse, less half of those that started again, as share of all texts:
    below 0 where restarts gain little, in all, however many they are."""
    if not trials:
        return missing("no text", "mean")
    values = [
        improved(t, incoherent=incoherent) - worse(t, incoherent=incoherent) - bool(t.outcomes["several"]) / 2
        for t in trials
    ]
    return mean(values, [trial.cluster for trial in trials], within=(-1.5, 0.5))

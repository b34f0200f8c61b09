"""What a replication would redraw: directions and topics, both anew; or nothing but texts, under these directions.

Every pair of a topic asked about and a topic pushed towards has texts, so trials cross both. An interval for *others
like these* is over new directions (drawn at random where they are random ones) and new topics; one for *these* takes
the directions as they are, and its clusters are the pairs.
"""

from collections.abc import Sequence
from typing import Any, Literal

from experiments.shared.condition_families import TopicPair
from introlab.errors import InputError
from introlab.records.trial import Trial
from introlab.stats.crossed import crossed_difference, crossed_mean, crossed_proportion
from introlab.stats.estimates import mean, paired_difference, proportion
from introlab.stats.interval import Estimate, missing

Scope = Literal["others like these", "these"]
OTHERS: Scope = "others like these"
THESE: Scope = "these"
UNIT = (0.0, 1.0)
Known = Sequence[tuple[Any, Trial]]
"""Values of trials."""


def ways(trial: Trial) -> tuple[str, str]:
    """The direction that a text was (or would have been) pushed along, and its topic."""
    pair = _pair(trial)
    if pair is None:  # made-up trials, and what is known of a direction alone: one way of clustering
        return trial.cluster, trial.cluster
    drawn = trial.draw is not None and trial.condition.endswith("random_direction")
    return (f"random {trial.draw}" if drawn else pair.towards), pair.asked


def _pair(trial: Trial) -> TopicPair | None:
    for text in (trial.item.removesuffix(", restart"), trial.cluster):
        try:
            return TopicPair.parse(text)
        except InputError:
            continue
    return None


def rate(trials: Sequence[Trial], outcome: str, scope: Scope = OTHERS) -> Estimate:
    """Of the trials of which it is known."""
    return share_of([(bool(t.outcomes[outcome]), t) for t in trials if t.outcomes[outcome] is not None], scope)


def share_of(known: Known, scope: Scope = OTHERS) -> Estimate:
    """A rate, or a mean of shares."""
    values = [float(value) for value, _ in known]
    if scope == THESE:
        return proportion(values, [trial.cluster for _, trial in known])
    return crossed_proportion(values, _both([trial for _, trial in known])) if known else missing("no such text")


def average(trials: Sequence[Trial], reading: str, scope: Scope = OTHERS) -> Estimate:
    """Of the trials that have it; a reading of 0 to 1."""
    known = [(trial.readings[reading], trial) for trial in trials if trial.readings[reading] is not None]
    return average_of(known, scope, within=UNIT)


def average_of(known: Known, scope: Scope = OTHERS, *, within: tuple[float, float] | None = None) -> Estimate:
    """Of values of trials, in a range where there is one."""
    if not known:
        return missing("no such text")
    values = [value for value, _ in known]
    if scope == THESE:
        return mean(values, [trial.cluster for _, trial in known], within=within)
    return crossed_mean(values, _both([trial for _, trial in known]), within=within)


def paired(
    pairs: Sequence[tuple[float, float]], trials: Sequence[Trial], scope: Scope = OTHERS, *, draws: Sequence[str] = ()
) -> Estimate:
    """Mean of the first minus the second, both of 0 to 1, of the same scene; `trials` says of which. Where the second
    was under a random direction, `draws` says under which: a replication would draw others."""
    if not pairs:
        return missing("no scene with both", "paired difference")
    values = [(float(one), float(other)) for one, other in pairs]
    if scope == THESE:
        return paired_difference(values, [trial.cluster for trial in trials], within=UNIT)
    return crossed_difference(values, [*_both(trials), *([list(draws)] if draws else [])])


def _both(trials: Sequence[Trial]) -> list[list[str]]:
    directions, topics = zip(*map(ways, trials), strict=True) if trials else ((), ())
    return [list(directions), list(topics)]

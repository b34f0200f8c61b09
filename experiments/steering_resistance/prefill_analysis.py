"""Is it the text or the push? Prefilled off-topic text, and restarts with the push on and off."""

from collections.abc import Iterator, Mapping, Sequence

from experiments.steering_resistance.labels import (
    INTRUSION,
    PUSH_OFF,
    PUSH_ON,
    PUSHED_CLEAN,
    PUSHED_INTRUSION,
    RECOVERED,
)
from experiments.steering_resistance.scopes import OTHERS, Scope, average, paired, rate
from introlab.records.findings import Row
from introlab.records.trial import Trial
from introlab.stats.interval import Estimate

ON_MINUS_OFF = "announced: push on minus off, same text"
"""The primary measure: the same prefilled off-topic text, the same random numbers, with the push and without it."""
MOVES = "texts that leave the topic: push minus none"
BY_TEXT = "announced: prefilled off-topic text minus none, no push"
BY_PUSH = "announced while on topic: push minus none, prefilled text on topic"
AFTER_RESTART = "off topic after the restart, push on minus off"
SAID_AFTER_RESTART = "announced after the restart, push on minus off"


def prefill_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """What follows a beginning that it did not write there."""
    for arm in (INTRUSION, PUSHED_INTRUSION, PUSHED_CLEAN, RECOVERED, PUSH_ON, PUSH_OFF):
        cell = [trial for trial in trials if trial.condition == arm]
        if not cell:
            continue
        where = {"model": model, "begun with": arm, "strength": cell[0].strength}
        coherent = [trial for trial in cell if not trial.outcomes["incoherent"]]
        yield Row("then incoherent", where, rate(cell, "incoherent"))
        yield Row("then announced", where, rate(coherent, "announced"))
        yield Row("then off topic", where, average(coherent, "off_share"))


def contrast_rows(model: str, trials: Sequence[Trial], at: float, scope: Scope = OTHERS) -> Iterator[Row]:
    """Texts against texts of the same scene, on the same random numbers: what the push does where the text is the same,
    and what the text does without a push. Of coherent texts; the caller has left out others."""
    where = {"model": model, "strength": at}
    trials = [trial for trial in trials if trial.strength in (0.0, at)]
    yield Row(MOVES, where, _gap(trials, "push", "baseline", "intruded", scope))
    yield Row(ON_MINUS_OFF, where, _gap(trials, PUSHED_INTRUSION, INTRUSION, "announced", scope), "primary")
    yield Row(BY_TEXT, where, _gap(trials, INTRUSION, "baseline", "announced", scope))
    yield Row(BY_PUSH, where, _gap(trials, PUSHED_CLEAN, "baseline", "announced_first", scope))
    yield Row(SAID_AFTER_RESTART, where, _gap(trials, PUSH_ON, PUSH_OFF, "announced", scope))


def restart_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """What the push still does after the restart, on the same random numbers: of texts that announced it, and of those
    that only left."""
    arms = {
        arm: {key: trial for key, trial in _of(trials, arm).items() if trial.readings["off_share"] is not None}
        for arm in (PUSH_ON, PUSH_OFF)
    }
    both = sorted(arms[PUSH_ON].keys() & arms[PUSH_OFF].keys())
    if both:
        pairs = [(arms[PUSH_ON][key].readings["off_share"], arms[PUSH_OFF][key].readings["off_share"]) for key in both]
        yield Row(AFTER_RESTART, {"model": model}, paired(pairs, [arms[PUSH_ON][key] for key in both]))


def _gap(trials: Sequence[Trial], one: str, other: str, outcome: str, scope: Scope) -> Estimate:
    first, second = _of(trials, one), _of(trials, other)
    both = sorted(first.keys() & second.keys())
    pairs = [(first[key].outcomes[outcome], second[key].outcomes[outcome]) for key in both]
    return paired(pairs, [first[key] for key in both], scope)


def _of(trials: Sequence[Trial], arm: str) -> Mapping[tuple[str, int], Trial]:
    return {(trial.item, trial.replicate): trial for trial in trials if trial.condition == arm}

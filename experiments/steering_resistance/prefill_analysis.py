"""Is it the text or the push? Off-topic text put in its mouth, and restarts with the push on and off."""

from collections.abc import Iterator, Sequence

from experiments.steering_resistance.labels import (
    INTRUSION,
    PUSH_OFF,
    PUSH_ON,
    PUSHED_CLEAN,
    PUSHED_INTRUSION,
    RECOVERED,
)
from experiments.steering_resistance.trajectories import average, rate
from introlab.records.findings import Row
from introlab.records.trial import Trial
from introlab.stats.estimates import paired_difference


def mouth_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
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


def restart_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """What the push still does after the restart, on the same random numbers: of texts that announced it, and of those
    that only left."""
    arms = {
        arm: {
            (trial.item, trial.replicate): trial
            for trial in trials
            if trial.condition == arm and trial.readings["off_share"] is not None
        }
        for arm in (PUSH_ON, PUSH_OFF)
    }
    both = sorted(arms[PUSH_ON].keys() & arms[PUSH_OFF].keys())
    if both:
        pairs = [(arms[PUSH_ON][key].readings["off_share"], arms[PUSH_OFF][key].readings["off_share"]) for key in both]
        gap = paired_difference(pairs, [arms[PUSH_ON][key].cluster for key in both])
        yield Row("off topic after the restart, push on minus off", {"model": model}, gap)

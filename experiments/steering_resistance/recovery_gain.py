"""Did texts come back, or did their shares never change? How far the share off topic falls, against the same words in
random order and against texts that were asked in words for both topics."""

import zlib
from collections.abc import Iterator, Sequence
from functools import lru_cache

from experiments.steering_resistance.scopes import OTHERS, Scope, average_of
from introlab.records.findings import Row
from introlab.records.trial import Trial
from introlab.stats.estimates import difference
from probes.text.topic_drift import gain_on_topic, shuffled_gain

FALL, BEYOND_WORDS, BEYOND_ASKED = (
    "share off topic: earlier minus late",
    "fall of the share off topic beyond shuffled words",
    "that fall, push minus asked in words",
)
RANGE = (-1.0, 1.0)


def gain_rows(model: str, trials: Sequence[Trial], at: float, scope: Scope = OTHERS) -> Iterator[Row]:
    """Of texts that left their topic, pushed at strength `at` and asked in words for both. Texts without the marks of
    their words (of older runs) have no gain."""
    found = {}
    for arm, strength in (("push", at), ("prompting", 0.0)):
        where = {"model": model, "arm": arm, "strength": strength}
        cell = [trial for trial in trials if trial.condition == arm and trial.strength == strength]
        known = [(gains, trial) for trial in cell if trial.outcomes["intruded"] and (gains := _gains(trial))]
        fall = average_of([(gain, trial) for (gain, _), trial in known], scope, within=RANGE)
        found[arm] = average_of([(gain - luck, trial) for (gain, luck), trial in known], scope, within=(-2.0, 2.0))
        yield Row(FALL, where, fall)
        yield Row(BEYOND_WORDS, where, found[arm])
    yield Row(BEYOND_ASKED, {"model": model, "strength": at}, difference(found["push"], found["prompting"]))


def _gains(trial: Trial) -> tuple[float, float] | None:
    marks = trial.readings.get("off_marks")
    if marks is None:
        return None
    first, after = marks
    return _of_marks(tuple(first), None if after is None else tuple(after), zlib.crc32(trial.id.encode()))


@lru_cache(maxsize=8192)
def _of_marks(first: tuple[int, ...], after: tuple[int, ...] | None, seed: int) -> tuple[float, float] | None:
    """The fall, and what it is by luck."""
    gain = gain_on_topic(first, after)
    luck = shuffled_gain(first, after, seed=seed) if gain is not None else None
    return None if gain is None or luck is None else (gain, luck)

"""Reading a text's course: did it leave its topic, did it say so, did it come back?

Counted from the words that belong to topics; nothing is judged. A text is *intruded* once two words of other
topics stand in its first attempt (what comes before an announcement, if there is one).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from introlab.tasks.materials import Materials

INTRUDED_FROM = 2
FEWEST_WORDS_AFTER = 3
"""With fewer topic words left, whether the text came back cannot be told."""


@dataclass(frozen=True)
class Drift:
    """Shares are of topic words; None where there are none to count."""

    topic_words: int
    off_share: float | None
    """Over the whole text."""
    intruded: bool
    announced: bool
    announced_first: bool
    """Announced though nothing had gone off topic: a false alarm."""
    first_attempt: float | None
    """First-attempt score: the share on topic before the announcement, if there is one, else over the whole text."""
    late_off_share: float | None
    """After the announcement, or in the second half of what follows the intrusion."""
    first_marks: tuple[bool, ...] = ()
    """Of each topic word of the first attempt, in order: whether it is off topic."""
    after_marks: tuple[bool, ...] | None = None
    """As much of what follows the announcement; None without one."""

    @property
    def returned(self) -> bool | None:
        """For intruded texts: whether most late topic words are on topic again."""
        return None if not self.intruded or self.late_off_share is None else self.late_off_share < 0.5


def read_drift(text: str, topic: str, materials: Materials) -> Drift:
    """The course of a text that was asked to be about `topic`."""
    announcement = re.search(materials.wording.announcement, text, re.IGNORECASE)
    first = _off_marks(text[: announcement.start()] if announcement else text, topic, materials)
    after = _off_marks(text[announcement.end() :], topic, materials) if announcement else None
    return drift_of(first, after, _off_marks(text, topic, materials))


def drift_of(first: Sequence[bool], after: Sequence[bool] | None, every: Sequence[bool] | None = None) -> Drift:
    """From the marks of topic words (off topic or not): of the first attempt, of what follows the announcement (None
    without one), and of the whole text (None: those of both)."""
    every = (*first, *(after or ())) if every is None else every
    intruded = sum(first) >= INTRUDED_FROM
    late = _after_intrusion(first) if after is None else after
    return Drift(
        topic_words=len(every),
        off_share=sum(every) / len(every) if every else None,
        intruded=intruded,
        announced=after is not None,
        announced_first=after is not None and not intruded,
        first_attempt=1 - sum(first) / len(first) if first else None,
        late_off_share=sum(late) / len(late) if len(late) >= FEWEST_WORDS_AFTER else None,
        first_marks=tuple(first),
        after_marks=None if after is None else tuple(after),
    )


def gain_on_topic(first: Sequence[int], after: Sequence[int] | None) -> float | None:
    """By how much the share off topic falls from what came earlier to the late words; None for a text that did not
    leave its topic, and where too few words are left."""
    gains = _gains(np.array([[*first, *(after or ())]], dtype=bool), None if after is None else len(first))
    return float(gains[0]) if np.isfinite(gains[0]) else None


def shuffled_gain(first: Sequence[int], after: Sequence[int] | None, *, seed: int, draws: int = 200) -> float | None:
    """What that fall would be by luck: the mean over the same words in random order, an announcement keeping its place.
    A text counts from its second word off topic on, so where shares never change they seem to fall. None where
    no order has one."""
    marks = np.array([*first, *(after or ())], dtype=bool)
    turned = np.random.default_rng(seed).permuted(np.tile(marks, (draws, 1)), axis=1)
    gains = _gains(turned, None if after is None else len(first))
    found = gains[np.isfinite(gains)]
    return float(found.mean()) if len(found) else None


def _gains(marks: np.ndarray, cut: int | None) -> np.ndarray:
    """Of each text, [text, word]; NaN where there is none. `cut` is the place of the announcement."""
    texts, n = marks.shape
    if not n:
        return np.full(texts, np.nan)
    sums = np.concatenate([np.zeros((texts, 1)), marks.cumsum(1)], axis=1)
    reached = sums[:, 1:] >= INTRUDED_FROM
    second = np.where(reached.any(1), reached.argmax(1) + 1, n)
    start = second + (n - second) // 2 if cut is None else np.full(texts, cut)
    known = (sums[np.arange(texts), start] >= INTRUDED_FROM) & (n - start >= FEWEST_WORDS_AFTER)
    early = sums[np.arange(texts), start]
    with np.errstate(invalid="ignore", divide="ignore"):
        gains = early / start - (sums[:, -1] - early) / (n - start)
    return np.where(known, gains, np.nan)


def _off_marks(text: str, topic: str, materials: Materials) -> list[bool]:
    """For each topic word of the text, in order: does it belong to another topic?"""
    return [owner != topic for _, owner in materials.topic_words(text)]


def _after_intrusion(marks: Sequence[bool]) -> Sequence[bool]:
    """The second half of the topic words that follow the word by which the text counts as intruded."""
    seen = 0
    for index, off in enumerate(marks):
        seen += off
        if seen == INTRUDED_FROM:
            rest = marks[index + 1 :]
            return rest[len(rest) // 2 :]
    return []

"""Reading a text's course: did it leave its topic, did it say so, did it come back?

Counted from the words that belong to topics; nothing is judged. A text is *intruded* once two words of other
topics stand in its first attempt (what comes before an announcement, if there is one).
"""

import re
from dataclasses import dataclass

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

    @property
    def returned(self) -> bool | None:
        """For intruded texts: whether most late topic words are on topic again."""
        return None if not self.intruded or self.late_off_share is None else self.late_off_share < 0.5


def read_drift(text: str, topic: str, materials: Materials) -> Drift:
    """The course of a text that was asked to be about `topic`."""
    announcement = re.search(materials.wording.announcement, text, re.IGNORECASE)
    first = text[: announcement.start()] if announcement else text
    marks = _off_marks(first, topic, materials)
    intruded = sum(marks) >= INTRUDED_FROM
    late = _off_marks(text[announcement.end() :], topic, materials) if announcement else _after_intrusion(marks)
    every = _off_marks(text, topic, materials)
    return Drift(
        topic_words=len(every),
        off_share=sum(every) / len(every) if every else None,
        intruded=intruded,
        announced=announcement is not None,
        announced_first=announcement is not None and not intruded,
        first_attempt=1 - sum(marks) / len(marks) if marks else None,
        late_off_share=sum(late) / len(late) if len(late) >= FEWEST_WORDS_AFTER else None,
    )


def _off_marks(text: str, topic: str, materials: Materials) -> list[bool]:
    """For each topic word of the text, in order: does it belong to another topic?"""
    return [owner != topic for _, owner in materials.topic_words(text)]


def _after_intrusion(marks: list[bool]) -> list[bool]:
    """The second half of the topic words that follow the word by which the text counts as intruded."""
    seen = 0
    for index, off in enumerate(marks):
        seen += off
        if seen == INTRUDED_FROM:
            rest = marks[index + 1 :]
            return rest[len(rest) // 2 :]
    return []

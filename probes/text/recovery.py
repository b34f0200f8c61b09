"""Coming back without a word of it: the course of a text, sentence by sentence and token by token."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from introlab.tasks.materials import Materials

Share = float | None


@dataclass(frozen=True)
class Recovery:
    """What follows the first sentence that is mostly off topic."""

    slope: float | None
    """Gain of the on-topic share per sentence from that one on (least squares); None with fewer than two sentences."""
    at_risk: int
    """Sentences that followed and in which it could come back: up to the one in which it did, or to the end."""
    latency: int | None
    """Sentences until one that is mostly on topic; None where none came before the text ended."""


def sentence_shares(text: str, topic: str, materials: Materials) -> tuple[Share, ...]:
    """Of each sentence, the share of its topic words that are on topic; None of one without any."""
    found: list[Share] = []
    for sentence in re.split(r"[.?!]", text):
        if sentence.strip():
            on = [owner == topic for _, owner in materials.topic_words(sentence)]
            found.append(sum(on) / len(on) if on else None)
    return tuple(found)


def recovery(shares: Sequence[Share]) -> Recovery | None:
    """From the shares of the sentences; None where no sentence is mostly off topic. Sentences without topic words are
    passed over."""
    known = [share for share in shares if share is not None]
    start = next((index for index, share in enumerate(known) if share < 0.5), None)
    if start is None:
        return None
    after = known[start:]
    back = next((index for index, share in enumerate(after) if share >= 0.5), None)
    slope = float(np.polyfit(np.arange(len(after)), after, 1)[0]) if len(after) > 1 else None
    return Recovery(slope, back if back is not None else len(after) - 1, back)


def by_token(pieces: Sequence[str], topic: str, materials: Materials) -> list[float | None]:
    """For each token, given as what it wrote: 1 where it is part of a word of the topic, -1 of another topic's, None
    elsewhere."""
    return [None if owner is None else 1.0 if owner == topic else -1.0 for owner in word_owners(pieces, materials)]


def word_owners(pieces: Sequence[str], materials: Materials) -> list[str | None]:
    """For each token, given as what it wrote, the topic of the word that it is part of."""
    ends = np.cumsum([len(piece) for piece in pieces])
    found: list[str | None] = [None] * len(pieces)
    for word, owner in materials.topic_words("".join(pieces)):
        first, last = np.searchsorted(ends, [word.start(), word.end() - 1], side="right")
        found[int(first) : int(last) + 1] = [owner] * int(last + 1 - first)
    return found

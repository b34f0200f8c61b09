"""A text as attempts: cut where it says that it starts again, each scored by how much of it is on topic.

Stands in for the judge of arXiv 2602.06941, which returns a list of attempts with scores from 0 to 100: a new attempt
needs explicit words of starting again; elaborating and repeating are none, and words of starting again before anything
else was said are passed over. Scores are shares of topic words, so that texts need words of `topics.json`.
"""

import re
from dataclasses import dataclass
from itertools import pairwise

from introlab.tasks.materials import Materials

RESTARTS = (
    r"\bwait\b\s*[,.!;:-]",
    r"\b(?:let me|i(?:'ll| will| should|'d better| need to| have to)) (?:just )?"
    r"(?:try (?:that |this |it )?again|start (?:over|again|from scratch|fresh)|rephrase|restart|redo"
    r"|correct (?:that|myself)|re-?focus|get back|go back|return to|back ?track|stay on)",
    r"\b(?:scratch|strike|ignore|disregard) (?:that|the above|what i (?:just )?said)\b",
    r"\b(?:i|that|this) (?:got|went|was|is|am) (?:a bit |completely |way )?"
    r"(?:off[- ](?:topic|track)|side-?tracked|distracted|carried away)",
    r"\b(?:got|went) (?:side-?tracked|off on a tangent|off[- ](?:topic|track))\b",
    r"\b(?:sorry|apologies|i apologi[sz]e|oops|my (?:mistake|bad))\b\s*(?:for|about|,|\.|!|-)",
    r"\b(?:back to (?:the|your) (?:topic|subject|question|point|task|matter))\b",
    r"\bthat(?:'s| is| was) (?:not|wrong|off)\b[^.?!]{0,30}\b(?:right|topic|asked|question|meant|wrong)\b",
    r"\blet'?s (?:try (?:that |this |it )?again|start (?:over|again)|get back|re-?focus)",
)
"""Explicit words of starting again in ordinary English, written before any text was seen; those of the materials
(`announcement`) count with them."""
FEWEST_BETWEEN = 2
"""Restarts with fewer words between them are one."""
REPEATED = 5
"""So many identical words in a row make a text degraded, as published."""


@dataclass(frozen=True)
class Attempt:
    """One attempt: where it stands in the text, and the share of its topic words that are on topic."""

    start: int
    stop: int
    score: float | None
    """None where no word of any topic is in it."""


def read_attempts(text: str, topic: str, materials: Materials) -> tuple[Attempt, ...]:
    """The attempts of a text that was asked to be about `topic`, in order; none of an empty text."""
    edges = [0]
    for start, stop in restarts(text, materials):
        edges += [start, stop]
    edges.append(len(text))
    spans = list(zip(edges[::2], edges[1::2], strict=True))
    return tuple(
        Attempt(start, stop, _on_topic(text[start:stop], topic, materials))
        for start, stop in spans
        if text[start:stop].strip()
    )


def restarts(text: str, materials: Materials) -> list[tuple[int, int]]:
    """Where a text says that it starts again, from the first character to past the last, but for its beginning."""
    pattern = "|".join((f"(?:{materials.wording.announcement})", *(f"(?:{each})" for each in RESTARTS)))
    found: list[tuple[int, int]] = []
    for match in re.finditer(pattern, text, re.IGNORECASE):
        if found and len(re.findall(r"\w+", text[found[-1][1] : match.start()])) < FEWEST_BETWEEN:
            found[-1] = (found[-1][0], match.end())
        else:
            found.append(match.span())
    if found and len(re.findall(r"\w+", text[: found[0][0]])) < FEWEST_BETWEEN:
        return found[1:]
    return found


def _on_topic(text: str, topic: str, materials: Materials) -> float | None:
    owners = [owner for _, owner in materials.topic_words(text)]
    return owners.count(topic) / len(owners) if owners else None


def degraded(text: str) -> bool:
    """Whether a word of two letters or more is said `REPEATED` times in a row (the published flag)."""
    words = re.findall(r"\w{2,}", text.lower())
    run = 1
    for before, word in pairwise(words):
        run = run + 1 if word == before else 1
        if run >= REPEATED:
            return True
    return False

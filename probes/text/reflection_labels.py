"""Which sentences of a text reflect, and how: by keywords, by a judge, by what was planted - and how far labels agree.

Four kinds (Gandhi et al., arXiv 2503.01307): *verification* checks a result, *backtracking* gives a result or an
approach up, *subgoal* sets a step on the way, *backward chaining* starts from what is to be reached. Keywords are poor
labels: on 500 real traces one sentence in four that they mark for backtracking was labelled so (docs/reading.md). So
labellers are measured.
"""

import json
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np

from introlab.errors import InputError
from introlab.io.user_files import json_lines
from introlab.stats.estimates import MIN_BOOTSTRAP_CLUSTERS, proportion
from introlab.stats.interval import Estimate, missing
from introlab.stats.rater_agreement import cohens_kappa

KINDS = ("verification", "backtracking", "subgoal", "backward chaining")
REFLECTION = "reflection"
"""Verification or backtracking: what most published lists of keywords are meant to find."""
_HERE = Path(__file__).parent


@dataclass(frozen=True, order=True)
class Mark:
    """Characters `start` up to `stop` of a text do something of this kind."""

    start: int
    stop: int
    kind: str


class Labeller(Protocol):
    """Anything that marks texts. `example` names the text, for labellers that have seen it before."""

    def __call__(self, example: str, text: str) -> list[Mark]: ...


def sentences(text: str) -> list[tuple[int, int]]:
    """Character ranges of the sentences: up to a full stop, question or exclamation mark before a space, or a line
    break. Together they hold every character that is not a space."""
    found = [
        (match.start(), match.end())
        for match in re.finditer(r"\S(?:.*?[.!?][\"')\]]*(?=\s|$)|.*$)", text, re.MULTILINE)
    ]
    return [(start, start + len(text[start:stop].rstrip())) for start, stop in found]


def kinds_by_sentence(text: str, marks: Sequence[Mark]) -> list[frozenset[str]]:
    """The kinds of each sentence: those of all marks that share with it half of the shorter of the two, or more;
    verification and backtracking are `reflection`, too."""
    found: list[frozenset[str]] = []
    for start, stop in sentences(text):
        here = {
            mark.kind
            for mark in marks
            if min(stop, mark.stop) - max(start, mark.start) >= min(stop - start, mark.stop - mark.start) / 2
        }
        found.append(frozenset(here | ({REFLECTION} if here & {"verification", "backtracking"} else set())))
    return found


def kinds_of_text(text: str, marks: Sequence[Mark]) -> frozenset[str]:
    """The kinds of any of its sentences."""
    return frozenset[str]().union(*kinds_by_sentence(text, marks))


@dataclass(frozen=True)
class Keywords:
    """Marks every sentence in which a pattern is found. Patterns ignore case."""

    patterns: Mapping[str, tuple[str, ...]]
    """By kind."""

    def __call__(self, example: str, text: str) -> list[Mark]:
        """Marks whole sentences; the name of the text does not matter."""
        return [
            Mark(start, stop, kind)
            for start, stop in sentences(text)
            for kind, patterns in self.patterns.items()
            if any(re.search(pattern, text[start:stop], re.IGNORECASE) for pattern in patterns)
        ]


@cache
def keyword_sets() -> dict[str, Keywords]:
    """The lists of reflection_keywords.toml by name: the lab's own for all four kinds, and published ones."""
    raw = tomllib.loads((_HERE / "reflection_keywords.toml").read_text(encoding="utf-8"))
    return {name: Keywords({kind: tuple(patterns) for kind, patterns in kinds.items()}) for name, kinds in raw.items()}


@dataclass(frozen=True)
class SentenceMarks:
    """Marks that somebody made: a person, or a model that was asked. By example."""

    marks: Mapping[str, tuple[tuple[Mark, str | None], ...]]
    """With the characters meant, where they were given."""

    @classmethod
    def load(cls, path: Path) -> Self:
        """From JSON lines with `example`, `start`, `stop`, `kind` and, better, `quote`: the characters meant. A `kind`
        of null, alone, says that a text was judged and has nothing. Raises InputError with the number of another
        line."""
        found: dict[str, list[tuple[Mark, str | None]]] = {}
        form = '{"example": "q1", "start": 0, "stop": 5, "kind": "backtracking", "quote": "Wait."}'
        for where, raw in json_lines(path, form=form):
            try:
                here = found.setdefault(str(raw["example"]), [])
                if raw["kind"] is not None:
                    here.append((_mark(raw), raw.get("quote")))
            except (KeyError, TypeError, ValueError) as error:
                raise InputError(
                    "a line that is no judged span",
                    given=f"{where}: {error}",
                    allowed=form,
                ) from error
        return cls({name: tuple(each) for name, each in found.items()})

    def __call__(self, example: str, text: str) -> list[Mark]:
        """Raises InputError for a text that was not judged, or where another text was."""
        if example not in self.marks:
            raise InputError("a text that nobody has judged", given=example, allowed=f"{len(self.marks)} others")
        for mark, quote in self.marks[example]:
            if mark.stop > len(text) or quote not in (None, text[mark.start : mark.stop]):
                raise InputError(
                    "a span of another text than was judged",
                    given=f"{example}, {mark}: {text[mark.start : mark.stop]!r}",
                    allowed=repr(quote) if quote else f"at most {len(text)} characters",
                )
        return [mark for mark, _ in self.marks[example]]


def _mark(raw: Mapping[str, Any]) -> Mark:
    mark = Mark(int(raw["start"]), int(raw["stop"]), str(raw["kind"]))
    if not 0 <= mark.start < mark.stop:
        raise ValueError(f"{mark.start} to {mark.stop} is no span")
    return mark


@cache
def hand_labelled() -> tuple[dict[str, str], SentenceMarks]:
    """Passages in the style of reasoning models with the kinds of each sentence, and sentences that only look like it.

    Written and labelled by hand after the patterns of reflection_keywords.toml, which were not changed since. They are
    not drawn from real traces: what is measured on them is an upper end of what a labeller is worth.
    """
    texts, marks = dict[str, str](), dict[str, tuple[tuple[Mark, str | None], ...]]()
    for line in (_HERE / "reflection_sentences.jsonl").read_text(encoding="utf-8").splitlines():
        raw = json.loads(line)
        text, here = "", list[tuple[Mark, str | None]]()
        for sentence, kinds in raw["sentences"]:
            start = len(text) + bool(text)
            text = f"{text} {sentence}".lstrip()
            here += [(Mark(start, len(text), kind), sentence) for kind in kinds]
        texts[raw["example"]], marks[raw["example"]] = text, tuple(here)
    return texts, SentenceMarks(marks)


@dataclass(frozen=True)
class Agreement:
    """How far labels agree with what is taken for the truth."""

    precision: Estimate
    recall: Estimate
    kappa: Estimate


def agreement(labels: Sequence[bool], truth: Sequence[bool], clusters: Sequence[str]) -> Agreement:
    """Precision, recall and Cohen's kappa, with intervals over clusters (texts). No kappa below ten of them."""
    said, true = np.asarray(labels, dtype=bool), np.asarray(truth, dtype=bool)

    def share(of: np.ndarray, among: np.ndarray) -> Estimate:
        return proportion(of[among].tolist(), [name for name, kept in zip(clusters, among, strict=True) if kept])

    enough = len(set(clusters)) >= MIN_BOOTSTRAP_CLUSTERS
    kappa = cohens_kappa(labels, truth, clusters) if enough else missing("Cohen's kappa: fewer than ten clusters")
    return Agreement(share(true, said), share(said, true), kappa)


def measured(labeller: Labeller, kinds: Sequence[str] = (*KINDS, REFLECTION)) -> dict[str, Agreement]:
    """What a labeller is worth on the hand-labelled sentences, by kind."""
    texts, judged = hand_labelled()
    each = [
        (name, kinds_by_sentence(text, labeller(name, text)), kinds_by_sentence(text, judged(name, text)))
        for name, text in texts.items()
    ]
    clusters = [name for name, said, _ in each for _ in said]
    return {
        kind: agreement(
            [kind in one for _, said, _ in each for one in said],
            [kind in one for _, _, true in each for one in true],
            clusters,
        )
        for kind in kinds
    }

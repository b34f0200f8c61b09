"""Do judges agree? Every pair of them, beyond chance, and on which labels they part."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from introlab.stats.estimates import MIN_BOOTSTRAP_CLUSTERS, proportion
from introlab.stats.interval import Estimate, missing
from introlab.stats.rater_agreement import cohens_kappa


@dataclass(frozen=True)
class JudgePair:
    """Two judges on the texts for which both have an answer."""

    one: str
    other: str
    kappa: Estimate
    """Cohen's; none below ten clusters."""
    same: Estimate
    """The share of texts with the same answer."""
    missing: int
    """Texts for which one of them has none."""
    confusion: dict[tuple[str, str], int]
    """How often each answer of the one met each of the other."""

    def as_json(self) -> dict[str, Any]:
        table = [[*labels, count] for labels, count in sorted(self.confusion.items())]
        estimates = {"kappa": self.kappa.as_json(), "same": self.same.as_json()}
        return {"one": self.one, "other": self.other, **estimates, "missing": self.missing, "confusion": table}

    def __str__(self) -> str:
        met = ", ".join(f"{one}/{other} {count}" for (one, other), count in sorted(self.confusion.items()))
        return f"{self.one} and {self.other}: kappa {self.kappa}, same {self.same}, {met or 'nothing in common'}" + (
            f"; {self.missing} missing" if self.missing else ""
        )


def compare(answers: Mapping[str, Mapping[str, str | None]], clusters: Mapping[str, str]) -> list[JudgePair]:
    """Every pair of judges. `answers[judge][text]` is a label or None; `clusters[text]` what a replication would draw
    anew. Texts that only one of the two was given do not count."""
    return [
        _pair(one, other, answers[one], answers[other], clusters) for one, other in combinations(sorted(answers), 2)
    ]


def _pair(
    one: str, other: str, ones: Mapping[str, str | None], others: Mapping[str, str | None], clusters: Mapping[str, str]
) -> JudgePair:
    texts = sorted(ones.keys() & others.keys())
    met = [
        (text, mine, theirs)
        for text in texts
        if (mine := ones[text]) is not None and (theirs := others[text]) is not None
    ]
    mine, theirs = [each[1] for each in met], [each[2] for each in met]
    groups = [clusters[text] for text, _, _ in met]
    same = proportion([a == b for a, b in zip(mine, theirs, strict=True)], groups)
    few = len(set(groups)) < MIN_BOOTSTRAP_CLUSTERS
    kappa = missing("Cohen's kappa: fewer than ten clusters") if few else cohens_kappa(mine, theirs, groups)
    return JudgePair(one, other, kappa, same, len(texts) - len(met), dict(Counter(zip(mine, theirs, strict=True))))

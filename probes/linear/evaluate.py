"""Is a state readable, where, and how well - and is it more than the text, the length and the position tell?

One call gives it for every place, beside everything a probe must beat, each scored on the same held-out groups.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from scipy.stats import rankdata

from introlab.activations.extract import Activations
from introlab.errors import InputError
from introlab.records.findings import Check, Findings, Row
from introlab.stats.discrimination import permutation_mean_auroc
from introlab.stats.interval import Estimate, missing
from probes.linear.bank import Method, Place
from probes.linear.baselines import numbers_only, shuffles, text_only
from probes.linear.cross_validation import HeldOut, auroc_by_part, gain_by_part, held_out

LEAK = 0.1
"""Shuffled labels may average this far from .5."""


@dataclass(frozen=True, kw_only=True)
class Baselines:
    """What a probe must beat; one entry per example. The more of these are given, the more an answer is worth."""

    texts: Sequence[str] = ()
    """What the model has read: for a bag of words."""
    numbers: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Length, position, probability of the token, ..."""
    activations: Mapping[str, Activations] = field(default_factory=dict)
    """Embeddings, a network of random weights, ..."""
    types: Sequence[str] = ()
    """What a control task deals its labels by (a word, an entity; Hewitt and Liang, arXiv 1909.03368)."""
    levels: Sequence[object] = ()
    """Difficulty: scores are given within its levels, too."""
    shuffles: int = 20


@dataclass(frozen=True)
class _Study:
    """One target, scored on held-out groups, and all it is compared with."""

    target: str
    real: HeldOut
    beside: Baselines
    method: Method
    penalties: tuple[float, ...]

    @cached_property
    def truth(self) -> list[bool]:
        return self.real.truth(self.target)

    @cached_property
    def found(self) -> Estimate:
        """Of the probe, with the place chosen inside."""
        return self.real.auroc(self.target)

    @cached_property
    def nested(self) -> list[float]:
        return self.real.nested[:, 0].tolist()

    @cached_property
    def place(self) -> Place:
        """The one chosen for most of the held-out parts."""
        return Counter(self.real.chosen[self.target]).most_common(1)[0][0]

    @cached_property
    def baselines(self) -> dict[str, list[float]]:
        """Held-out scores of everything the probe must beat."""
        found = {name: self._by_part(numbers_only, values) for name, values in self.beside.numbers.items()}
        if self.beside.texts:
            found["text only"] = self._by_part(text_only, self.beside.texts)
        for name, values in self.beside.activations.items():
            found[name] = self._scored(values, {name: self.truth}).nested[:, 0].tolist()
        return found

    def auroc(self, scores: Sequence[float]) -> Estimate:
        return auroc_by_part(scores, self.truth, self.real.part, self.real.groups)

    def gain(self, scores: Sequence[float]) -> Estimate:
        """How much better the probe is, on the same examples, resampled together; no baseline counts as less than
        chance, so that a probe that is not shown to beat .5 is shown to beat nothing."""
        return gain_by_part(self.nested, scores, self.truth, self.real.part, self.real.groups)

    def dealt(self, activations: Mapping[Place, Activations]) -> Estimate:
        """Over probes of labels shuffled group by group, at the place the real one is read at."""
        if not self.beside.shuffles:
            return missing("no labels were shuffled")
        deals = shuffles(self.truth, self.real.groups, self.beside.shuffles)
        scored = self._scored(activations[self.place], deals).nested
        # Of different parts scores are on different scales: they are ranked within their part.
        ranks = np.zeros(tuple(scored.shape))
        for part in self.real.part.unique():
            rows = (self.real.part == part).numpy()
            ranks[rows] = rankdata(scored[rows].numpy(), axis=0) / rows.sum()
        return permutation_mean_auroc(ranks.tolist(), self.truth)

    def control_task(self, activations: Mapping[Place, Activations]) -> Estimate:
        """A probe of labels dealt at random to each type: what can be had by remembering types."""
        rng = np.random.default_rng(0)
        share = float(np.mean(self.truth))
        dealt = {name: bool(rng.uniform() < share) for name in sorted(set(self.beside.types))}
        labels = [dealt[name] for name in self.beside.types]
        if all(labels) or not any(labels):
            return missing("a control task needs several types")
        scores = self._scored(activations[self.place], {"control": labels}).nested[:, 0].tolist()
        return auroc_by_part(scores, labels, self.real.part, self.real.groups)

    def rows(self) -> Iterator[Row]:
        for place in self.real.places:
            where = {
                "target": self.target,
                "layer": float(place[0].layer),
                "site": str(place[0]),
                "position": float(place[1]),
            }
            yield Row("held-out AUROC", where, self.real.auroc(self.target, place), "detail")
        where = {"target": self.target}
        yield Row("AUROC of the probe", where, self.found, "primary")
        if self.beside.levels:
            inside = auroc_by_part(self.nested, self.truth, self.real.part, self.real.groups, levels=self.beside.levels)
            yield Row("AUROC within levels", where, inside)

    def _scored(self, values: Activations, labels: Mapping[str, Sequence[float]]) -> HeldOut:
        place, part = (values.site, 0), self.real.part
        return held_out(
            {place: values}, labels, self.real.groups, method=self.method, penalties=self.penalties, part=part
        )

    def _by_part(self, fit: Callable[..., list[float]], values: Sequence[Any]) -> list[float]:
        scores = np.zeros(len(self.truth))
        for part in self.real.part.unique():
            test = self.real.part == part
            fitted, asked = (rows.nonzero()[:, 0].tolist() for rows in (~test, test))
            known = [self.truth[row] for row in fitted]
            scores[asked] = fit([values[row] for row in fitted], known, [values[row] for row in asked])
        return scores.tolist()


def evaluate(
    activations: Mapping[Place, Activations],
    labels: Sequence[float],
    groups: Sequence[str],
    *,
    target: str = "state",
    beside: Baselines | None = None,
    method: Method = "logistic",
    penalties: Sequence[float] = (),
) -> Findings:
    """Held-out AUROC at every place, with the place chosen inside, of every baseline, and what the probe has over it.

    The primary row is the one with the place chosen inside. Checks fail where shuffled labels leak, or where the probe
    does not beat a baseline, and the answer says so. Raises InputError as `held_out` does, and where what stands beside
    is not one entry per example.
    """
    beside = beside or Baselines()
    _check_lengths(beside, len(labels))
    real = held_out(activations, {target: labels}, groups, method=method, penalties=penalties)
    study = _Study(target, real, beside, method, tuple(penalties))
    where, dealt = {"target": target}, study.dealt(activations)
    gains = {name: study.gain(scores) for name, scores in study.baselines.items()}
    rows = [*study.rows(), Row("AUROC of shuffled labels", where, dealt, "control")]
    rows += [Row(f"AUROC of {name}", where, study.auroc(scores), "control") for name, scores in study.baselines.items()]
    rows += [Row(f"gain over {name}", where, gain) for name, gain in gains.items()]
    if beside.types:
        rows.append(Row("AUROC of the control task", where, study.control_task(activations), "control"))
    checks = [no_leak(dealt), *(_beats(name, gain) for name, gain in gains.items())]
    return Findings(tuple(rows), tuple(checks), _answer(study, gains))


def _check_lengths(beside: Baselines, count: int) -> None:
    given = {"texts": beside.texts, "types": beside.types, "levels": beside.levels, **beside.numbers}
    lengths = {name: len(values) for name, values in given.items() if len(values)}
    lengths |= {name: len(values.examples) for name, values in beside.activations.items()}
    wrong = {name: length for name, length in lengths.items() if length != count}
    if wrong:
        raise InputError("baselines that are not one entry per example", given=wrong, allowed=count)


def no_leak(dealt: Estimate) -> Check:
    """Whether probes of shuffled labels stay near .5."""
    passed = None if dealt.value is None else abs(dealt.value - 0.5) < LEAK
    return Check("shuffled labels", passed, f"probes of shuffled labels average AUROC {dealt}; far from .5 is a leak")


def _beats(name: str, gain: Estimate) -> Check:
    return Check(
        name, gain.above(0) if gain.known else None, f"the probe has {gain} AUROC more than {name}, or than chance"
    )


def _answer(study: _Study, gains: Mapping[str, Estimate]) -> str:
    found = study.found
    site, position = study.place
    beaten = [name for name, gain in gains.items() if gain.above(0)]
    unbeaten = [name for name, gain in gains.items() if not gain.above(0)]
    if not found.above(0.5):
        return f"{study.target} could not be read: AUROC {found} with the place chosen without the held-out groups."
    said = f"{study.target} can be read with AUROC {found}, mostly chosen at {site}, position {position}"
    said += f"; that is more than {', '.join(beaten)} tell" if beaten else ""
    said += f"; but it is not shown to be more than {', '.join(unbeaten)} tell" if unbeaten else ""
    return said + ("." if gains else "; it was compared with nothing else, so this may be the text, or its length.")

"""Are found latents what they were searched for? Precision and recall on items that no search has seen."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Bool
from sklearn.metrics import precision_recall_curve
from torch import Tensor

from introlab.activations.directions import check_disjoint
from introlab.records.findings import Check, Findings, Row
from introlab.stats.discrimination import auroc, stratified_auroc
from introlab.stats.estimates import proportion
from introlab.stats.interval import Estimate, missing
from probes.sae.latent_probes import as_frequent, separation
from probes.sae.latent_search import Observed

ALIKE = 40
"""Latents that the best one is compared with."""


@dataclass(frozen=True)
class _Trial:
    """Found latents on other items than those they were found on."""

    found: Sequence[int]
    seen: Observed
    fresh: Observed
    levels: Sequence[object]

    @cached_property
    def thresholds(self) -> dict[int, float]:
        """From which value on a latent says yes: where F1 is largest on what was seen."""
        return {index: _best_threshold(self.seen.values[:, index], self.seen.truth) for index in self.found}

    def says_yes(self, index: int) -> Bool[Tensor, " row"]:
        return self.fresh.values[:, index] >= self.thresholds[index]

    def precision(self, yes: Bool[Tensor, " row"]) -> Estimate:
        """The share of what it says yes to that is true."""
        return self._share(self.fresh.truth, yes)

    def recall(self, yes: Bool[Tensor, " row"]) -> Estimate:
        """The share of what is true that it says yes to."""
        return self._share(yes, self.fresh.truth)

    def _share(self, of: Tensor, among: Tensor) -> Estimate:
        rows = among.nonzero()[:, 0].tolist()
        return proportion(of[among].tolist(), [self.fresh.items[row] for row in rows]) if rows else missing("no rows")

    @cached_property
    def base_rate(self) -> Estimate:
        return self._share(self.fresh.truth, torch.ones_like(self.fresh.truth))

    @cached_property
    def best(self) -> Estimate:
        """AUROC of the first."""
        return self.auroc(self.found[0])

    @cached_property
    def within(self) -> Estimate:
        """The same, over pairs of equal difficulty."""
        values, truth = self.fresh.values[:, self.found[0]].tolist(), self.fresh.truth.tolist()
        return stratified_auroc(values, truth, self.levels, self.fresh.items)

    def auroc(self, index: int) -> Estimate:
        return auroc(self.fresh.values[:, index].tolist(), self.fresh.truth.tolist(), self.fresh.items)

    @cached_property
    def alike(self) -> list[float]:
        """AUROC of the latents that are active about as often as the best, on what was seen."""
        often = (self.seen.values > 0).float().mean(0)
        others = as_frequent(self.found[0], often, without=self.found, count=ALIKE)
        return separation(self.fresh.values[:, others], self.fresh.truth).tolist() if others else []

    def rows(self, target: str) -> Iterator[Row]:
        where = {"target": target}
        yield Row("AUROC of the best latent", where, self.best, "primary")
        if len(self.levels):
            yield Row("AUROC of the best latent within levels", where, self.within)
        yield Row("AUROC of latents as frequent", where, _mean_and_range(self.alike, len(self.fresh.items)), "control")
        yield Row("base rate", where, self.base_rate, "control")
        every = torch.zeros_like(self.fresh.truth)
        for index in self.found:
            yes, at = self.says_yes(index), {**where, "latent": float(index)}
            yield Row("precision", at, self.precision(yes))
            yield Row("recall", at, self.recall(yes))
            yield Row("AUROC", at, self.auroc(index))
            every |= yes
        yield Row("precision of any of them", where, self.precision(every), "detail")
        yield Row("recall of any of them", where, self.recall(every), "detail")

    def checks(self) -> Iterator[Check]:
        best, yes, rate = self.best, self.says_yes(self.found[0]), self.base_rate
        others = _mean_and_range(self.alike, len(self.fresh.items))
        passed = best.above(max(0.5, others.value)) if best.known and others.value is not None else None
        as_good = sum(one >= (best.value or 0) for one in self.alike)
        detail = f"the best has AUROC {best}; of {others.clusters} latents as frequent ({others}) {as_good} do as well"
        yield Check("latents as frequent", passed, detail)
        precision = self.precision(yes)
        passed = precision.above(rate.value) if precision.known and rate.value is not None else None
        yield Check("base rate", passed, f"precision {precision}, where {rate} are true")


def _mean_and_range(values: Sequence[float], n: int) -> Estimate:
    if not values:
        return missing("no other latents that are ever active")
    return Estimate(float(np.mean(values)), min(values), max(values), n, len(values), "mean and range over latents")


def _best_threshold(values: Tensor, truth: Bool[Tensor, " row"]) -> float:
    """Above 0, so that a silent latent says no."""
    precision, recall, thresholds = precision_recall_curve(truth.numpy(), values.numpy())
    f1 = 2 * precision * recall / np.maximum(precision + recall, 1e-12)
    f1 = np.where(thresholds > 0, f1[:-1], -1.0)
    return float(thresholds[int(f1.argmax())]) if f1.max() >= 0 else math.inf


def check_found(
    found: Sequence[int], seen: Observed, fresh: Observed, *, target: str = "state", levels: Sequence[object] = ()
) -> Findings:
    """Precision, recall and AUROC, on `fresh`, of latents that were found on `seen`, best first: of the best alone
    (primary: its AUROC), of each, and of any of them. Each says yes from the value on at which F1 was largest on what
    was seen. With `levels`, the difficulty of each row of `fresh`, the best is scored within them, too.

    Checks fail where the best is not better than the mean of the latents that are active about as often (several may do
    as well as it: states are often spread over latents), and where its precision is not above the base rate; the answer
    says so. Raises SplitOverlap where both share an item.
    """
    check_disjoint(seen.items, fresh.items)
    if not found:
        nothing = missing("no latent was found")
        rows = (Row("AUROC of the best latent", {"target": target}, nothing, "primary"),)
        return Findings(
            rows, (Check("latents as frequent", None, nothing.method),), f"No latent was found for {target}."
        )
    trial = _Trial(found, seen, fresh, levels)
    checks = tuple(trial.checks())
    best, yes = trial.best, trial.says_yes(found[0])
    said = (
        f"precision {trial.precision(yes)}, recall {trial.recall(yes)}, AUROC {best} on new items, "
        f"{trial.base_rate} of which are true{f', and AUROC {trial.within} within levels' if len(levels) else ''}"
    )
    if all(check.passed for check in checks) and best.above(0.5):
        return Findings(tuple(trial.rows(target)), checks, f"Latent {found[0]} tells {target}: {said}.")
    answer = f"No latent is shown to tell {target}; the best, {found[0]}, has {said}."
    return Findings(tuple(trial.rows(target)), checks, answer)

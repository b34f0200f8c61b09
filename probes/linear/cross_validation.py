"""Held-out scores of a whole bank that cannot leak: groups are held out whole, and what is chosen is chosen inside.

For each part that is held out, penalty and place are chosen by probes that saw neither it nor the part they are
judged on. Leaving out each pair of parts once serves both: with 5 parts, 15 fits, all made together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from sklearn.model_selection import StratifiedGroupKFold
from torch import Tensor

from introlab.activations.extract import Activations
from introlab.errors import InputError
from introlab.stats.baseline_gain import over_chance, smallest_gain
from introlab.stats.discrimination import auroc_difference, auroc_of, stratified_auroc
from introlab.stats.interval import Estimate
from probes.linear.bank import Method, Place, label_columns, solve
from probes.linear.dataset import ProbeDataset

PARTS = 5


@dataclass(frozen=True)
class HeldOut:
    """Log-odds of every example from probes that never saw its group.

    Of different parts they come from different fits: they are compared within a part.
    """

    places: tuple[Place, ...]
    labels: Mapping[str, Sequence[float]]
    groups: tuple[str, ...]
    part: Int[Tensor, " row"]
    log_odds: Float[Tensor, "place row target"]
    """The penalty is chosen without the held-out part."""
    nested: Float[Tensor, "row target"]
    """The place, too: what a reader who picks the best place may expect."""
    chosen: Mapping[str, tuple[Place, ...]]
    """The place picked for each held-out part, by target."""

    def auroc(self, target: str, place: Place | None = None) -> Estimate:
        """At one place, or with the place chosen inside; clusters are groups. A share above half counts as positive."""
        index = list(self.labels).index(target)
        scores = self.nested[:, index] if place is None else self.log_odds[self.places.index(place), :, index]
        return auroc_by_part(scores.tolist(), self.truth(target), self.part, self.groups)

    def truth(self, target: str) -> list[bool]:
        """Whether an example counts as positive."""
        return [value > 0.5 for value in self.labels[target]]


def held_out(
    activations: Mapping[Place, Activations],
    labels: Mapping[str, Sequence[float]],
    groups: Sequence[str],
    *,
    method: Method = "logistic",
    penalties: Sequence[float] = (),
    parts: int = PARTS,
    seed: int = 0,
    part: Int[Tensor, " row"] | None = None,
) -> HeldOut:
    """Score every example at every place for every target, by probes that never saw its group.

    `part` is a split made before, to compare what was scored on the same one. Raises InputError where a class has fewer
    groups than there are parts, and as `fit_bank` does.
    """
    columns = label_columns(activations, labels)
    part = split(columns, groups, parts=parts, seed=seed) if part is None else part
    uses = nested_fits(part)
    scores, marks = [], []
    for here in activations.values():
        linear = solve(ProbeDataset(here.values, columns, part, uses), method, penalties)
        score, mark = judged(linear.scores(here.values), columns, part)
        scores.append(score)
        marks.append(mark)
    log_odds, places = torch.stack(scores), tuple(activations)
    nested, where = nested_cv_select(log_odds, torch.stack(marks), part)
    chosen = {
        target: tuple(places[index] for index in where[:, column].tolist()) for column, target in enumerate(labels)
    }
    return HeldOut(places, labels, tuple(groups), part, log_odds, nested, chosen)


def nested_fits(part: Int[Tensor, " row"]) -> Bool[Tensor, "fit part"]:
    """Which parts each fit of nested validation uses: all but one, in the order of parts, and then all but two."""
    return torch.tensor([[one not in out for one in range(int(part.max()) + 1)] for out in _left_out(part)])


def _left_out(part: Int[Tensor, " row"]) -> list[tuple[int, ...]]:
    parts = int(part.max()) + 1
    return [*((one,) for one in range(parts)), *combinations(range(parts), 2)]


def judged(
    found: Float[Tensor, "row fit target penalty"], columns: Float[Tensor, "row target"], part: Int[Tensor, " row"]
) -> tuple[Float[Tensor, "row target"], Float[Tensor, "part target"]]:
    """From the scores of all `nested_fits`: those of rows that were held out, with the penalty chosen without their
    part; and how good the choice was there, to choose between such scores (`nested_cv_select`)."""
    outer, inside = _outer(found, part), _inside(found, columns, part, _left_out(part))
    best = inside.argmax(-1)  # [part, target]: ties go to the larger penalty
    return outer.gather(-1, best[part][..., None])[..., 0], inside.gather(-1, best[..., None])[..., 0]


def nested_cv_select(
    log_odds: Float[Tensor, "way row target"], marks: Float[Tensor, "way part target"], part: Int[Tensor, " row"]
) -> tuple[Float[Tensor, "row target"], Int[Tensor, "part target"]]:
    """Scores with the way chosen without the held-out part, and which it was; ties go to the earlier one."""
    where = marks.argmax(0)
    return log_odds.gather(0, where[part][None])[0], where


def auroc_by_part(
    scores: Sequence[float],
    truth: Sequence[bool],
    part: Int[Tensor, " row"],
    groups: Sequence[str],
    *,
    levels: Sequence[object] = (),
) -> Estimate:
    """AUROC of scores that were held out part by part, over pairs of the same part, and of the same of `levels`."""
    inside = part.tolist() if not len(levels) else [f"{a} {b}" for a, b in zip(levels, part.tolist(), strict=True)]
    return widened(stratified_auroc(scores, truth, inside, groups), part)


def gain_by_part(
    one: Sequence[float],
    other: Sequence[float],
    truth: Sequence[bool],
    part: Int[Tensor, " row"],
    groups: Sequence[str],
) -> Estimate:
    """How much better the first of two scores is that were held out part by part, on the same examples, resampled
    together - or than chance, where the other is worth less (`introlab.stats.baseline_gain`)."""
    apart = widened(auroc_difference(one, other, truth, groups, levels=part.tolist()), part, least=-1.0)
    return smallest_gain(apart, over_chance(auroc_by_part(one, truth, part, groups)))


def widened(estimate: Estimate, part: Int[Tensor, " row"], *, least: float = 0.0) -> Estimate:
    """The interval of a score that was held out part by part: half-widths times sqrt(1 + parts / (parts - 1)), from
    `least` to 1 at most.

    Resampling the examples leaves out that other examples would have given other probes, and that those of different
    parts share most of what they were fitted on (Nadeau and Bengio, Machine Learning 52, 2003). Without this 13 % of
    such intervals on pure noise did not hold .5.
    """
    if estimate.value is None or estimate.low is None or estimate.high is None:
        return estimate
    parts = int(part.max()) + 1
    factor = (1 + parts / (parts - 1)) ** 0.5
    low = max(least, estimate.value - factor * (estimate.value - estimate.low))
    high = min(1.0, estimate.value + factor * (estimate.high - estimate.value))
    return replace(estimate, low=low, high=high, method=f"{estimate.method}, widened for cross-validation")


def split(columns: Float[Tensor, "row target"], groups: Sequence[str], *, parts: int, seed: int) -> Int[Tensor, " row"]:
    """The part of every row: groups stay whole, and the rarest class is spread as evenly as they allow."""
    truth = (columns > 0.5).numpy()
    if len(groups) != len(truth):
        raise InputError("not one group per example", given=len(groups), allowed=len(truth))
    names = np.asarray(groups)
    fewest = [min(len(set(names[side == value])) for value in (False, True)) for side in truth.T]
    if not min(fewest):
        raise InputError("labels of one class only", given=f"{len(truth)} examples", do="a probe needs both classes")
    if min(fewest) < parts:
        raise InputError(
            "too few groups to hold any out",
            given=f"{min(fewest)} groups of the rarest class",
            allowed=f"{parts} or more",
            do="use fewer parts, or more examples",
        )
    rarest = truth[:, int(np.argmin(fewest))]
    part = torch.zeros(len(truth), dtype=torch.long)
    folds = StratifiedGroupKFold(parts, shuffle=True, random_state=seed).split(rarest, rarest, names)
    for index, (_, rows) in enumerate(folds):
        part[rows] = index
    return part


def _outer(found: Float[Tensor, "row fit target penalty"], part: Tensor) -> Float[Tensor, "row target penalty"]:
    """The scores of the fits that left out a row's part, and it alone: those come first, in the order of parts."""
    return found[torch.arange(len(part)), part]


def _inside(
    found: Float[Tensor, "row fit target penalty"], columns: Tensor, part: Tensor, pairs: Sequence[tuple[int, ...]]
) -> Float[Tensor, "part target penalty"]:
    """For each held-out part: the mean AUROC on every other part of fits that saw neither."""
    parts = int(part.max()) + 1
    sums = torch.zeros(parts, *found.shape[2:])
    truth = columns > 0.5
    for fit, left_out in enumerate(pairs):
        if len(left_out) == 1:
            continue
        for judged, held in (left_out, left_out[::-1]):
            rows = part == judged
            for target in range(truth.shape[1]):
                side = truth[rows, target].numpy()
                for penalty in range(found.shape[3]):
                    mark = auroc_of(found[rows, fit, target, penalty].numpy(), side)
                    sums[held, target, penalty] += 0.5 if np.isnan(mark) else mark
    return sums / (parts - 1)

"""Do latents tell more than the residual? The k-curve, the controls, and what they add to a pool of dense probes.

The last is the test of arXiv 2502.16681 ("quiver of arrows"): the way to probe is chosen on validation parts, once
among dense probes and once among dense probes and latents; what is compared is what either choice is worth held out.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from introlab.errors import InputError
from introlab.records.findings import Check, Findings, Row
from introlab.stats.interval import Estimate, missing
from probes.linear.bank import Method, label_columns, solve
from probes.linear.baselines import shuffles
from probes.linear.cross_validation import (
    PARTS,
    auroc_by_part,
    gain_by_part,
    judged,
    nested_cv_select,
    nested_fits,
    split,
)
from probes.linear.dataset import ProbeDataset
from probes.linear.evaluate import no_leak
from probes.sae.latent_probes import Pooled, Ranking, matched_at_random, ranked

KS = (1, 2, 4, 8, 16, 32, 64, 128)
DENSE: tuple[Method, ...] = ("difference_of_means", "lda", "ridge", "logistic")
MOST = 1024
"""Beyond so many latents they are not probed all at once."""
SHUFFLES = 20
Order = Int[Tensor, " latent"]


@dataclass(frozen=True)
class ProbeArm:
    """One way to probe: held-out scores, and how good each held-out part's choice of penalty was inside."""

    scores: Float[Tensor, " row"]
    marks: Float[Tensor, " part"]


Curve = dict[int, ProbeArm]


@dataclass(frozen=True)
class _LatentStudy:
    """Labels, groups and parts, and every way to probe on them."""

    read: Pooled
    columns: Float[Tensor, "row one"]
    groups: Sequence[str]
    part: Int[Tensor, " row"]
    ranking: Ranking
    ks: tuple[int, ...]
    draws: int
    levels: Sequence[object]

    @cached_property
    def truth(self) -> Tensor:
        return self.columns[:, 0] > 0.5

    @cached_property
    def uses(self) -> Tensor:
        return nested_fits(self.part)

    def dense(self) -> dict[str, ProbeArm]:
        problem = ProbeDataset(self.read.dense.values, self.columns, self.part, self.uses)
        return {
            method.replace("_", " "): self._arm(solve(problem, method).scores(self.read.dense.values))
            for method in DENSE
        }

    def orders(self, values: Float[Tensor, "row latent"]) -> list[Order]:
        """The ranking of each fit, from the rows it uses."""
        used = [uses[self.part] for uses in self.uses]
        return [ranked(values[rows], self.truth[rows], self.ranking) for rows in used]

    def curve(self, values: Float[Tensor, "row latent"], orders: Sequence[Order], ks: Sequence[int]) -> Curve:
        """Probes of the first k of each fit's order."""
        return {k: self._arm(self._scores(values, self.columns, [order[:k] for order in orders])) for k in ks}

    def own(self, values: Float[Tensor, "row latent"]) -> Curve:
        """Of the latents that tell most."""
        return self.curve(values, self.orders(values), self.ks)

    def random(self) -> list[Curve]:
        """For each draw the curve of latents that are active as often as the chosen ones, as far as there are any."""
        values, count = self.read.latents, self.read.latents.shape[1]
        often = [(values[uses[self.part]] > 0).float().mean(0) for uses in self.uses]
        most = min(max((k for k in self.ks if k < count), default=count), count // 2)
        orders, found = self.orders(values), []
        for draw in range(self.draws):
            rng = np.random.default_rng(draw)
            pairs = zip(orders, often, strict=True)
            others = [torch.tensor(matched_at_random(order[:most].tolist(), each, rng)) for order, each in pairs]
            fewest = min(len(each) for each in others)
            found.append(self.curve(values, others, [k for k in self.ks if k <= fewest]))
        return found

    def dealt(self, k: int) -> Estimate:
        """How well labels dealt anew, group by group, are told by latents chosen and fitted on them; it takes a leak.
        Mean and range over deals."""
        values, outer, found = self.read.latents, self.uses[: int(self.part.max()) + 1], []
        for labels in shuffles(self.truth.tolist(), self.groups, SHUFFLES).values():
            truth = torch.tensor(labels)
            picks = [ranked(values[rows], truth[rows], self.ranking)[:k] for rows in (one[self.part] for one in outer)]
            fits = self._scores(values, truth[:, None].double(), picks)
            scores = fits[torch.arange(len(self.part)), self.part, 0, -1].tolist()
            found.append(auroc_by_part(scores, labels, self.part, self.groups).value)
        return _mean_and_range(found, len(self.part), "shuffled labels")

    def _scores(self, values: Tensor, columns: Tensor, picks: Sequence[Tensor]) -> Float[Tensor, "row fit one penalty"]:
        """Of probes of each fit's own latents; as many fits as picks, in the order of `nested_fits`."""
        alike = len({frozenset(pick.tolist()) for pick in picks}) == 1  # then all fits are made together
        pairs = (
            [(picks[0], self.uses[: len(picks)])] if alike else zip(picks, self.uses[: len(picks), None], strict=True)
        )
        found = []
        for pick, uses in pairs:
            some = values[:, pick]
            found.append(solve(ProbeDataset(some, columns, self.part, uses), "logistic").scores(some))
        return torch.cat(found, 1)

    def _arm(self, found: Tensor) -> ProbeArm:
        scores, marks = judged(found, self.columns, self.part)
        return ProbeArm(scores[:, 0], marks[:, 0])

    def best(self, arms: Sequence[ProbeArm]) -> tuple[list[float], list[int]]:
        """Scores with the arm chosen without the held-out part, and which it was for each part."""
        scores, marks = (torch.stack([getattr(arm, name) for arm in arms]) for name in ("scores", "marks"))
        found, where = nested_cv_select(scores[..., None], marks[..., None], self.part)
        return found[:, 0].tolist(), where[:, 0].tolist()

    def auroc(self, scores: Sequence[float]) -> Estimate:
        return auroc_by_part(scores, self.truth.tolist(), self.part, self.groups)

    def within(self, scores: Sequence[float]) -> Estimate:
        return auroc_by_part(scores, self.truth.tolist(), self.part, self.groups, levels=self.levels)

    def gain(self, one: Sequence[float], other: Sequence[float]) -> Estimate:
        return gain_by_part(one, other, self.truth.tolist(), self.part, self.groups)


@dataclass(frozen=True)
class _Outcome:
    """Every way scored, and the choices among them."""

    study: _LatentStudy
    dense: Mapping[str, ProbeArm]
    latents: Curve
    scrambled: Curve
    random: Sequence[Curve]

    @cached_property
    def picked(self) -> dict[str, list[float]]:
        """Scores of the best dense probe, of the best number of latents, and of the best of both, chosen inside."""
        best, (dense, latents) = self.study.best, ([*self.dense.values()], [*self.latents.values()])
        return {"dense": best(dense)[0], "latents": best(latents)[0], "both": best([*dense, *latents])[0]}

    @cached_property
    def parts_with_latents(self) -> list[bool]:
        """Whether each held-out part's choice among dense probes and latents is latents."""
        where = self.study.best([*self.dense.values(), *self.latents.values()])[1]
        return [one >= len(self.dense) for one in where]

    @cached_property
    def auroc(self) -> dict[str, Estimate]:
        return {name: self.study.auroc(scores) for name, scores in self.picked.items()}

    @cached_property
    def added(self) -> Estimate:
        """What the choice gains by having latents to choose from."""
        return self.study.gain(self.picked["both"], self.picked["dense"])

    @cached_property
    def instead(self) -> Estimate:
        """What latents alone have over dense probes alone."""
        return self.study.gain(self.picked["latents"], self.picked["dense"])

    @cached_property
    def over_scrambled(self) -> Estimate:
        """The one best latent, over the one best of an autoencoder that learnt nothing."""
        return self.study.gain(*(curve[self.study.ks[0]].scores.tolist() for curve in (self.latents, self.scrambled)))

    def of_random(self, k: int) -> Estimate:
        """Mean and range over draws."""
        curves = [curve[k].scores.tolist() for curve in self.random if k in curve]
        return _mean_and_range([self.study.auroc(one).value for one in curves], len(self.study.part), "random latents")


def _mean_and_range(values: Sequence[float | None], n: int, of: str) -> Estimate:
    known = [value for value in values if value is not None]
    if not known:
        return missing(f"no {of} to score")
    return Estimate(float(np.mean(known)), min(known), max(known), n, len(known), f"mean and range over {of}")


def probe_latents(
    read: Pooled,
    labels: Sequence[float],
    groups: Sequence[str],
    *,
    target: str = "state",
    ranking: Ranking = "mean difference",
    ks: Sequence[int] = KS,
    draws: int = 3,
    levels: Sequence[object] = (),
    seed: int = 0,
) -> Findings:
    """Held-out AUROC of the k latents that tell most, for each k and for all of them, beside dense probes; with
    `levels`, the difficulty of each example, within them, too.

    The primary row is what the choice of a probe gains by having latents to choose from. Checks fail where shuffled
    labels leak, where one latent is no better than random ones of its frequency (`draws` of them) or than the best of
    a scrambled autoencoder, and where latents do not beat dense probes; the answer says so. Raises InputError for a k
    below 1, and as `probes.linear.cross_validation.held_out` does.
    """
    if not ks or min(ks) < 1:
        raise InputError("numbers of latents that make no curve", given=tuple(ks), allowed="1 or more, each")
    columns = label_columns({(read.dense.site, 0): read.dense}, {target: labels})
    part = split(columns, groups, parts=PARTS, seed=seed)
    count = read.latents.shape[1]
    every = sorted({k for k in ks if k < count} | ({count} if count <= MOST else set()))
    study = _LatentStudy(read, columns, groups, part, ranking, tuple(every), draws, levels)
    found = _Outcome(study, study.dense(), study.own(read.latents), study.own(read.scrambled), study.random())
    dealt = study.dealt(study.ks[0])
    return Findings(tuple(_rows(found, target, dealt)), tuple(_checks(found, dealt)), _answer(found, target))


def _rows(found: _Outcome, target: str, dealt: Estimate) -> Iterator[Row]:
    study, where = found.study, {"target": target}
    yield Row("gain of latents in the pool", where, found.added, "primary")
    yield Row("gain of latents over dense probes", where, found.instead)
    yield Row("AUROC of dense probes", where, found.auroc["dense"])
    yield Row("AUROC of latents", where, found.auroc["latents"])
    yield Row("AUROC of the pool with latents", where, found.auroc["both"])
    if len(study.levels):
        yield Row("AUROC of dense probes within levels", where, study.within(found.picked["dense"]))
        yield Row("AUROC of latents within levels", where, study.within(found.picked["latents"]))
    yield Row("one latent over one of a scrambled autoencoder", where, found.over_scrambled)
    yield Row("AUROC of shuffled labels", where, dealt, "control")
    for method, arm in found.dense.items():
        yield Row("AUROC by method", {**where, "method": method}, study.auroc(arm.scores.tolist()), "detail")
    for k in study.ks:
        at = {**where, "k": float(k)}
        yield Row("AUROC of k latents", at, study.auroc(found.latents[k].scores.tolist()))
        yield Row("AUROC of k random latents", at, found.of_random(k), "control")
        yield Row("AUROC of k scrambled latents", at, study.auroc(found.scrambled[k].scores.tolist()), "control")
        gain = study.gain(found.latents[k].scores.tolist(), found.picked["dense"])
        yield Row("gain of k latents over dense probes", at, gain, "detail")


def _checks(found: _Outcome, dealt: Estimate) -> Iterator[Check]:
    k = found.study.ks[0]
    few, random = found.study.auroc(found.latents[k].scores.tolist()), found.of_random(k)
    unknown = few.low is None or random.high is None
    yield no_leak(dealt)
    yield Check(
        "random latents",
        None if unknown else few.above(max(0.5, random.high or 0.0)),
        f"the best latent has AUROC {few}; random ones that are active as often {random}",
    )
    over = found.over_scrambled
    detail = f"the best latent has {over} AUROC more than the best of a scrambled autoencoder"
    yield Check("scrambled autoencoder", over.above(0) if over.known else None, detail)
    detail = f"latents have {found.instead} AUROC more than dense probes with the same pooling"
    yield Check("dense probes", found.instead.above(0) if found.instead.known else None, detail)


def _answer(found: _Outcome, target: str) -> str:
    latents, dense, parts = found.auroc["latents"], found.auroc["dense"], found.parts_with_latents
    if not latents.above(0.5):
        said = f"{target} could not be read from latents: AUROC {latents}, dense probes {dense}."
    else:
        beats = found.instead
        than = "more than" if beats.above(0) else "less than" if beats.below(0) else "not shown to differ from"
        one = found.study.auroc(found.latents[found.study.ks[0]].scores.tolist())
        said = f"Latents read {target} with AUROC {latents} (the best one alone {one}), {than} dense probes ({dense})."
    worth = "improves" if found.added.above(0) else "harms" if found.added.below(0) else "is not shown to change"
    return (
        f"{said} Having latents to choose from {worth} what is chosen on validation parts: {found.added} AUROC; they "
        f"were chosen for {sum(parts)} of {len(parts)} parts."
    )

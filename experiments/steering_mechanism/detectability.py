"""What can be read of a push after the pushed block once the steering direction is removed, token by token.

Any push leaves traces, so that it is *readable* does not say that it is *noticed*.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from experiments.steering_mechanism.replay import (
    KINDS,
    WINDOW,
    Kind,
    ReplayedText,
    fold_of,
    replayed,
    taken_out,
    without,
)
from introlab.activations.directions import Direction
from introlab.experiment.context import RunContext
from introlab.network.model import Model
from introlab.network.sites import Site
from probes.linear import solvers
from probes.linear.dataset import ProbeDataset

SHRINKAGE = 0.1
"""Of the probes (LDA)."""
DEALS = 20
"""Probes of labels dealt anew, text by text."""
MOST_BLOCKS = 6
"""Blocks read after the pushed one; of deeper networks, evenly spaced ones."""

Values = Float[Tensor, "scene pushed offset d"]


@dataclass(frozen=True)
class Traces:
    """All texts around the first word off topic, pushed and not, without what was added and all topics' directions."""

    found: Sequence[ReplayedText]
    fold: Int[Tensor, " scene"]
    apart: Bool[Tensor, "fold fold"]
    known: Mapping[Kind, Bool[Tensor, "scene offset"]]
    values: Mapping[tuple[Site, Kind], Values]

    @property
    def sites(self) -> list[Site]:
        """The pushed block's output first: what was added is taken out of it, so that nothing is left to read."""
        return sorted({site for site, _ in self.values})

    def problem(self, site: Site, deals: int) -> ProbeDataset:
        """Pushed or not, of pushed texts; then the same labels dealt anew: in half of the texts they change places."""
        known = self.known["push"][:, None].expand(-1, 2, -1)
        pushed = torch.tensor([0.0, 1.0], dtype=torch.float64)[None, :, None].expand(known.shape)[known]
        scene = torch.arange(len(self.found))[:, None, None].expand(known.shape)[known]
        coins = torch.randint(2, (len(self.found), deals), generator=torch.Generator().manual_seed(0))[scene]
        labels = torch.cat([pushed[:, None], (pushed[:, None] - coins).abs()], 1)
        return ProbeDataset(self.values[site, "push"][known], labels, self.fold[scene], self.apart)

    def scores(self, site: Site, fitted: solvers.Linear, kind: Kind) -> Float[Tensor, "scene pushed offset target"]:
        """Log-odds of being pushed, by the fit that saw neither this topic nor this push."""
        coef, offset = fitted.coef[self.fold, :, 0], fitted.intercept[self.fold, :, 0]
        values = self.values[site, kind].double()
        return torch.einsum("spod,std->spot", values, coef) + offset[:, None, None]


def halfway(model: Model, layer: int) -> Site:
    """Of the blocks after the pushed one, the middle one: where things are judged and ablated. Fixed beforehand."""
    return Site(layer + (model.n_layers - layer) // 2)


def blocks(bench: RunContext, layer: int) -> list[Site]:
    """The pushed block, and those after it that are read."""
    after = list(range(layer + 1, bench.model.n_layers))
    some = {after[round(index)] for index in torch.linspace(0, len(after) - 1, min(MOST_BLOCKS, len(after))).tolist()}
    return [Site(each) for each in sorted({layer, *some, halfway(bench.model, layer).layer})]


def traces(bench: RunContext, found: Sequence[ReplayedText], directions: Mapping[str, Direction], layer: int) -> Traces:
    """Reads every text of these scenes twice."""
    sites = blocks(bench, layer)
    values: dict[tuple[Site, Kind], list[Tensor]] = {(site, kind): [] for site in sites for kind in KINDS}
    known: dict[Kind, list[Tensor]] = {kind: [] for kind in KINDS}
    for scene, kind, inside, here in replayed(bench, found, KINDS, sites):
        basis = taken_out(scene, kind, directions)
        known[kind].append(inside)
        for site in sites:
            values[site, kind].append(without(here[site], basis))
    fold, apart = fold_of(found)
    stacked = {key: torch.stack(each) for key, each in values.items()}
    return Traces(found, fold, apart, {kind: torch.stack(each) for kind, each in known.items()}, stacked)


def readings(seen: Traces, judged: Site) -> list[tuple[ReplayedText, Kind, dict[str, object]]]:
    """For each text: `scores` [block][pushed][offset] (None where the text has no such token), and at the judged block
    `dealt` [pushed][deal], means over the tokens from the first word off topic on."""
    every: dict[Kind, list[Tensor]] = {kind: [] for kind in KINDS}
    dealt: dict[Kind, Tensor] = {}
    for site in seen.sites:
        fitted = solvers.lda(seen.problem(site, DEALS if site == judged else 0), (SHRINKAGE,))
        for kind in KINDS:
            scores = seen.scores(site, fitted, kind)
            every[kind].append(scores[..., 0])
            if site == judged:
                after = seen.known[kind] & (torch.tensor(list(WINDOW)) > 0)
                weight = (after / after.sum(1, keepdim=True).clamp_min(1))[:, None, :, None]
                dealt[kind] = (scores[..., 1:] * weight).sum(2)
    found: list[tuple[ReplayedText, Kind, dict[str, object]]] = []
    for kind in KINDS:
        stacked = torch.stack(every[kind], 1)
        for index, scene in enumerate(seen.found):
            here: dict[str, object] = {
                "blocks": [site.layer for site in seen.sites],
                "judged": judged.layer,
                "offsets": list(WINDOW),
                "scores": _listed(stacked[index], seen.known[kind][index]),
                "dealt": dealt[kind][index].float().tolist() if kind == "push" else [],
            }
            found.append((scene, kind, here))
    return found


def _listed(scores: Float[Tensor, "block pushed offset"], known: Bool[Tensor, " offset"]) -> list[object]:
    return [
        [[round(one, 4) if there else None for one, there in zip(row, known.tolist(), strict=True)] for row in block]
        for block in scores.tolist()
    ]

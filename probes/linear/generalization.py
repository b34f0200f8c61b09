"""How far a probe carries: to other data, from few examples, from wrong labels, from rare ones.

The training examples are changed and never the held-out ones, so that scores of all regimes can be compared (arXiv
2502.16681).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from introlab.activations.extract import Activations
from introlab.errors import InputError
from introlab.network.model import Model
from introlab.stats.discrimination import auroc
from introlab.stats.interval import Estimate
from probes.linear.bank import Method, solve
from probes.linear.cross_validation import PARTS, auroc_by_part, held_out, split
from probes.linear.dataset import ProbeDataset
from probes.linear.fit import fit_probe

Regime = Callable[[np.random.Generator, np.ndarray], tuple[np.ndarray, np.ndarray]]
"""From the training labels: which of these examples to use, and their labels."""


def few(count: int) -> Regime:
    """As many examples, of both classes as evenly as there are. Raises InputError for fewer than two."""
    if count < 2:
        raise InputError("too few examples to tell two classes apart", given=count, allowed="2 or more")

    def regime(rng: np.random.Generator, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        sides = [rng.permutation(np.flatnonzero(labels == side)) for side in (True, False)]
        first = sides[0][: max(count // 2, count - len(sides[1]))]
        rows = np.concatenate([first, sides[1][: count - len(first)]])
        return rows, labels[rows]

    return regime


def noisy(share: float) -> Regime:
    """All examples, with this share of labels turned round. Raises InputError unless it is from 0 to below a half."""
    if not 0 <= share < 0.5:
        raise InputError("labels that tell nothing", given=share, allowed="0 to below .5")

    def regime(rng: np.random.Generator, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        turned = np.zeros(len(labels), dtype=bool)
        turned[rng.permutation(len(labels))[: round(share * len(labels))]] = True
        return np.arange(len(labels)), labels ^ turned

    return regime


def with_class_ratio(share: float) -> Regime:
    """All negative examples and as few positive ones as make up this share, or the other way round where that is more
    than there are. Raises InputError unless it is between 0 and 1."""
    if not 0 < share < 1:
        raise InputError("a share that leaves one class only", given=share, allowed="between 0 and 1")

    def regime(rng: np.random.Generator, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        positive, negative = (rng.permutation(np.flatnonzero(labels == side)) for side in (True, False))
        odds = share / (1 - share)
        positive = positive[: max(1, round(odds * len(negative)))]
        rows = np.concatenate([positive, negative[: max(1, round(len(positive) / odds))]])
        return rows, labels[rows]

    return regime


def leave_condition_out(
    regime: Regime,
    activations: Activations,
    labels: Sequence[bool],
    groups: Sequence[str],
    *,
    method: Method = "logistic",
    penalty: float = 10.0,
    repeats: int = 5,
    seed: int = 0,
) -> Estimate:
    """AUROC on groups held out whole, of probes fitted under a regime; over `repeats` draws of it. Raises InputError as
    `held_out` does."""
    truth = np.asarray(labels, dtype=bool)
    part = split(torch.tensor(truth)[:, None].double(), groups, parts=PARTS, seed=seed)
    scores = np.zeros((repeats, len(truth)))
    for repeat in range(repeats):
        rng = np.random.default_rng((seed, repeat))
        for held in range(PARTS):
            inside = np.flatnonzero(part.numpy() != held)
            chosen, given = regime(rng, truth[inside])
            rows = torch.tensor(inside[chosen])
            problem = ProbeDataset.plain(activations.values[rows], torch.tensor(given)[:, None].double())
            found = solve(problem, method, (penalty,)).scores(activations.values[part == held])
            scores[repeat, part == held] = found[:, 0, 0, 0].numpy()
    every, draw = np.tile(truth, repeats).tolist(), np.repeat(np.arange(repeats), len(truth)).tolist()
    return auroc_by_part(scores.ravel().tolist(), every, part.repeat(repeats), list(groups) * repeats, levels=draw)


@dataclass(frozen=True)
class Labelled:
    """Examples of one kind: a task, a wording, a model of the same family."""

    activations: Activations
    labels: Sequence[bool]
    groups: Sequence[str]


def transfer(
    sets: Mapping[str, Labelled], *, model: Model, method: Method = "logistic", penalty: float = 10.0
) -> dict[tuple[str, str], Estimate]:
    """AUROC of a probe fitted on the first of each pair on all of the second; of a set with itself, on held-out groups.

    Raises SplitOverlap where two sets share an example, ModelMismatch where they are of different sites or models.
    """
    found: dict[tuple[str, str], Estimate] = {}
    for name, here in sets.items():
        probe = fit_probe(here.activations, here.labels, model=model, method=method, penalty=penalty)
        place = (here.activations.site, 0)
        own = held_out({place: here.activations}, {name: here.labels}, here.groups, method=method, penalties=(penalty,))
        found[name, name] = own.auroc(name)
        for other, there in sets.items():
            if other != name:
                probe.check_held_out(there.activations.examples)
                scores = probe.log_odds(there.activations).tolist()
                found[name, other] = auroc(scores, there.labels, there.groups)
    return found

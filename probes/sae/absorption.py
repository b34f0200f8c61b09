"""Feature absorption: a state that can be read from the activation, whose own latents are silent while another latent
carries it along with something more special (Chanin et al., arXiv 2409.14507; SAEBench 0.6, absorption).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from introlab.activations.extract import Activations
from introlab.errors import InputError
from introlab.network.model import Model
from introlab.stats.discrimination import auroc
from introlab.stats.estimates import proportion
from introlab.stats.interval import Estimate
from probes.linear.fit import fit_probe
from probes.sae.model import Sae

MOST_LATENTS, WORTH_ONE_MORE = 10, 0.03
"""A state may be split over this many latents; each must raise the F1 score by as much."""
LEAST_COSINE, LEAST_SHARE = 0.025, 0.4
"""Of a latent's decoder row with the probe, and of the probe's projection that it carries."""


@dataclass(frozen=True)
class Absorption:
    """On examples of groups that neither the probe nor the choice of latents has seen."""

    latents: tuple[int, ...]
    """The state's own: chosen on the other half of the groups, the best first."""
    probe: Estimate
    """AUROC of the dense probe."""
    precision: Estimate
    """Of examples of which a logistic regression on its latents says that they are in the state: how many are."""
    recall: Estimate
    """Of examples in the state: of how many it says so."""
    absorbed: Estimate
    """Of examples in the state that the probe recognises: how often none of its latents is active, and one other
    carries the probe's projection."""
    absorbers: dict[int, int]
    """How often each other latent did."""


def absorption(
    sae: Sae, activations: Activations, labels: Sequence[bool], groups: Sequence[str], *, model: Model, seed: int = 0
) -> Absorption:
    """Whether a binary state known of each example has latents of its own, and how often another takes over.

    Groups are halved: the probe and the latents are chosen on one half, everything is counted on the other. Raises
    InputError where a half has examples of one class only; ModelMismatch as `Sae.check` does.
    """
    truth, test = np.asarray(labels, dtype=bool), _second_half(groups, seed)
    if any(len(set(truth[half])) < 2 for half in (test, ~test)):
        raise InputError("a half of the groups with one class only", given=f"{len(set(groups))} groups")
    train = activations.where((~test).tolist())
    probe = fit_probe(train, truth[~test].astype(float).tolist(), model=model)
    latents, reading = _own_latents(sae(train).numpy(), truth[~test])
    judged, truth, clusters = activations.where(test.tolist()), truth[test], np.asarray(groups)[test]
    log_odds, found = probe.log_odds(judged).numpy(), sae(judged)
    active, recognised = (found[:, list(latents)] > 0).any(-1).numpy(), truth & (log_odds > 0)
    says = reading.predict(found[:, list(latents)].numpy())
    carrier = _carriers(sae, judged, found, probe.direction.vector, latents)
    absorbed = ~active & (carrier >= 0)
    which, counts = np.unique(carrier[recognised & absorbed], return_counts=True)

    def share(outcomes: np.ndarray, among: np.ndarray) -> Estimate:
        return proportion(outcomes[among].tolist(), clusters[among].tolist())

    return Absorption(
        latents,
        auroc(log_odds.tolist(), truth.tolist(), clusters.tolist()),
        share(truth, says),
        share(says, truth),
        share(absorbed, recognised),
        dict(zip(which.tolist(), counts.tolist(), strict=True)),
    )


def _second_half(groups: Sequence[str], seed: int) -> np.ndarray:
    unique, inverse = np.unique(np.asarray(groups), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(unique))
    return (order >= len(unique) // 2)[inverse]


def _own_latents(latents: np.ndarray, truth: np.ndarray) -> tuple[tuple[int, ...], Any]:
    """Latents by difference of means, as many as each raise the F1 score of a logistic regression on them; and that."""
    gap = latents[truth].mean(0) - latents[~truth].mean(0)
    order = np.argsort(-gap, kind="stable")
    best, reading, count = -1.0, None, 0
    for more in range(1, min(MOST_LATENTS, len(order)) + 1):
        some = latents[:, order[:more]]
        fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(some, truth)
        score = float(f1_score(truth, fitted.predict(some), zero_division=0.0))  # type: ignore[arg-type]
        if score < best + WORTH_ONE_MORE:
            break
        best, reading, count = score, fitted, more
    return tuple(int(one) for one in order[:count]), reading


def _carriers(
    sae: Sae, activations: Activations, latents: torch.Tensor, probe: torch.Tensor, own: Sequence[int]
) -> np.ndarray:
    """The other latent that carries most of the probe's projection at each example; -1 where none carries enough."""
    decoder = sae.sae.W_dec.detach().float().cpu()
    towards = decoder @ probe
    projection = (activations.values - sae.sae.b_dec.detach().float().cpu()) @ probe
    carried = latents * towards
    carried[:, list(own)] = -torch.inf
    carried[:, towards / decoder.norm(dim=-1).clamp_min(1e-9) < LEAST_COSINE] = -torch.inf
    most, which = carried.max(-1)
    enough = (projection > 0) & (most >= LEAST_SHARE * projection)
    return torch.where(enough, which, -1).numpy()

"""Four kinds of push towards a topic, and the controls that are matched to them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from experiments.steering_resistance.labels import DIFFERENCE, LATENT, PROBE, RANDOM, RANDOM_LATENT
from introlab.activations.directions import Direction, random_control
from introlab.activations.extract import Activations
from introlab.activations.forward import Text
from introlab.network.model import Model
from probes.linear.bank import fit_bank
from probes.sae.latent_probes import by_text, matched_in, ranked
from probes.sae.model import Sae
from steering.contrast import one_vs_rest

Aims = Mapping[str, Mapping[str, Direction]]
"""Directions by kind and topic."""
PENALTY = 100.0
"""Of the probe. With weaker ones it depends on the last digits of activations, so on the batch, by up to 4e-4."""


def fit_aims(
    model: Model, texts: Sequence[Text], labels: Sequence[str], layer_values: Activations, sae: Sae | None
) -> dict[str, dict[str, Direction]]:
    """A direction of every kind for every label. `layer_values` are those of the texts at the pushed place.

    One natural unit of the probe's and of the random direction is as long as that of the difference of means; of a
    latent's, what it adds when it is active in texts of its label. Without an autoencoder there are no latents.
    """
    means = one_vs_rest(layer_values, labels, model=model)
    probes = fit_bank(
        {(layer_values.site, 0): layer_values},
        {topic: [label == topic for label in labels] for topic in means},
        model=model,
        penalty=PENALTY,
    )
    aims = {
        DIFFERENCE: means,
        PROBE: {topic: replace(probe.direction, scale=means[topic].scale) for (_, topic), probe in probes.items()},
        RANDOM: {topic: random_control(direction, index) for index, (topic, direction) in enumerate(means.items())},
    }
    return aims if sae is None else aims | _of_latents(model, texts, labels, sae)


def _of_latents(
    model: Model, texts: Sequence[Text], labels: Sequence[str], sae: Sae
) -> dict[str, dict[str, Direction]]:
    """The latent that tells a topic's texts from others best (AUROC of its mean), and one matched to it that was chosen
    for no topic: in frequency, in activation when active, and in the norm of its decoder."""
    means, active = _seen(model, texts, sae)
    norms = sae.sae.W_dec.detach().float().cpu().norm(dim=-1)
    traits = torch.stack([active.mean(0), _when_active(means, active), norms], dim=1)
    chosen: dict[str, int] = {}
    strengths: dict[str, float] = {}
    for topic in sorted(set(labels)):
        truth = torch.tensor([label == topic for label in labels])
        above = means[truth].mean(0) > means[~truth].mean(0)
        order = ranked(means, truth, "auroc")
        chosen[topic] = int(order[above[order]][0])
        strengths[topic] = float(_when_active(means[truth], active[truth])[chosen[topic]])
    others = matched_in(list(chosen.values()), traits)
    names = tuple(text.example for text in texts)
    found: dict[str, dict[str, Direction]] = {LATENT: {}, RANDOM_LATENT: {}}
    for (topic, index), other in zip(chosen.items(), others, strict=True):
        for kind, which in ((LATENT, index), (RANDOM_LATENT, other)):
            written = sae.written_by(which, model)
            found[kind][topic] = replace(
                written,
                scale=strengths[topic] * written.scale,
                method=f"{kind} {which} of {sae.name}",
                examples=names,
            )
    return found


def _when_active(means: Float[Tensor, "text latent"], active: Float[Tensor, "text latent"]) -> Float[Tensor, " latent"]:
    """The mean activation where a latent is active."""
    return means.sum(0) / active.sum(0).clamp_min(1e-9)


def _seen(
    model: Model, texts: Sequence[Text], sae: Sae
) -> tuple[Float[Tensor, "text latent"], Float[Tensor, "text latent"]]:
    """Of each latent over the new tokens of each text: its mean, and the share of them at which it is active."""
    means, active = torch.zeros(len(texts), sae.latents), torch.zeros(len(texts), sae.latents)
    for index, _, (latents,) in by_text(model, [sae], texts):
        new = latents[texts[index].prompt_len - 1 :]
        means[index], active[index] = new.mean(0), (new > 0).float().mean(0)
    return means, active

"""Probes of a sparse autoencoder's latents beside probes of the residual, on equal terms (arXiv 2502.16681).

Equal terms: the same positions pooled the same way, the same solver and penalties, the same held-out groups; latents
are ranked, and how many of them are used is chosen, without what they are judged on.
"""

import copy
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata
from torch import Tensor

from introlab.activations.extract import Activations, iter_activations
from introlab.activations.forward import TOGETHER, Text
from introlab.errors import InputError
from introlab.network.model import Model
from probes.sae.model import Sae

Pooling = Literal["last", "mean", "max"]
Ranking = Literal["mean difference", "auroc"]
NEAREST = 10
"""A random latent is one of so many whose frequency is nearest."""


@dataclass(frozen=True)
class Pooled:
    """The same positions of the same texts, pooled the same way: as the residual, and as latents."""

    dense: Activations
    latents: Float[Tensor, "example latent"]
    scrambled: Float[Tensor, "example latent"]
    """Of an autoencoder of the same shape that has learnt nothing."""


def by_text(
    model: Model, saes: Sequence[Sae], texts: Sequence[Text], *, batch_size: int = TOGETHER
) -> Iterator[tuple[int, Float[Tensor, "position d_model"], list[Float[Tensor, "position latent"]]]]:
    """The index of each text, its residual, and the latents of each autoencoder (all of one site) at every position.
    No more than a batch is held. Raises ModelMismatch for autoencoders of another model or site."""
    for batch in iter_activations(model, texts, saes[0].site, batch_size=batch_size):
        lengths = [len(values) for _, values in batch]
        names = tuple(
            texts[index].example for (index, _), length in zip(batch, lengths, strict=True) for _ in range(length)
        )
        every = Activations(torch.cat([values for _, values in batch]), saes[0].site, model.fingerprint, names)
        encoded = [sae(every).split(lengths) for sae in saes]
        for row, (index, values) in enumerate(batch):
            yield index, values, [each[row] for each in encoded]


def pooled(
    model: Model,
    sae: Sae,
    texts: Sequence[Text],
    spans: Sequence[tuple[int, int]],
    *,
    pooling: Pooling = "max",
    batch_size: int = TOGETHER,
    seed: int = 0,
) -> Pooled:
    """Residual and latents over a half-open range of positions of each text: at its last, averaged, or the largest.

    Latents are pooled after encoding. Raises InputError for a range that is not in its text.
    """
    for text, (start, stop) in zip(texts, spans, strict=True):
        if not 0 <= start < stop <= len(text.ids):
            raise InputError(
                "a span outside of its text", given=f"{start} to {stop} of {len(text.ids)}, {text.example}"
            )
    how = {
        "last": lambda values: values[-1],
        "mean": lambda values: values.mean(0),
        "max": lambda values: values.amax(0),
    }
    if pooling not in how:
        raise InputError("unknown pooling", given=pooling, allowed=", ".join(how))
    found: list[list[Tensor]] = [[] for _ in texts]
    for index, values, latents in by_text(model, (sae, scrambled(sae, seed=seed)), texts, batch_size=batch_size):
        found[index] = [how[pooling](each[slice(*spans[index])]) for each in (values, *latents)]
    dense, real, control = (torch.stack(each) for each in zip(*found, strict=True))
    names = tuple(text.example for text in texts)
    return Pooled(Activations(dense, sae.site, model.fingerprint, names), real, control)


def scrambled(sae: Sae, *, seed: int = 0) -> Sae:
    """An autoencoder of the same shape that has learnt nothing: each latent keeps its norms, bias and threshold, and
    has its weights dealt anew over the coordinates."""
    rng = torch.Generator().manual_seed(seed)
    other = copy.deepcopy(sae.sae)
    for name, across in (("W_enc", 0), ("W_dec", 1)):
        weights = getattr(other, name).detach()
        order = torch.rand(weights.shape, generator=rng).argsort(across).to(weights.device)
        weights.copy_(weights.gather(across, order))
    return replace(sae, sae=other, name=f"{sae.name}, scrambled")


def separation(values: Float[Tensor, "row latent"], truth: Bool[Tensor, " row"]) -> Float[Tensor, " latent"]:
    """AUROC of each latent."""
    positives, count = int(truth.sum()), len(truth)
    if positives in (0, count):
        raise InputError("labels of one class only", given=f"{positives} positive of {count}")
    sums = [rankdata(some.numpy(), axis=0)[truth.numpy()].sum(0) for some in values.split(1024, dim=1)]
    won = np.concatenate(sums) - positives * (positives + 1) / 2
    return torch.from_numpy(won / (positives * (count - positives))).float()


def ranked(
    values: Float[Tensor, "row latent"], truth: Bool[Tensor, " row"], by: Ranking = "mean difference"
) -> Int[Tensor, " latent"]:
    """Latents from the most to the least telling: by the difference between the means of the classes in units of the
    latent's mean when active (as the reference code of arXiv 2502.16681), or by AUROC, either way round. Ties go to the
    lower index."""
    if by == "auroc":
        score = (separation(values, truth) - 0.5).abs()
    elif by == "mean difference":
        when_active = values.sum(0) / (values != 0).sum(0).clamp_min(1)
        gap = (values[truth].mean(0) - values[~truth].mean(0)).abs()
        score = torch.where(when_active > 0, gap / when_active.clamp_min(1e-12), 0.0)
    else:
        raise InputError("unknown ranking", given=by, allowed="mean difference, auroc")
    return score.argsort(descending=True, stable=True)


def as_frequent(
    one: int, frequency: Float[Tensor, " latent"], *, without: Collection[int], count: int = NEAREST
) -> list[int]:
    """The latents whose log frequency is nearest to that of `one`, but for it and `without`; only such as are ever
    active."""
    logs = frequency.clamp_min(1e-9).log()
    left_out = frequency == 0
    left_out[[one, *without]] = True
    order = (logs - logs[one]).abs().masked_fill(left_out, torch.inf).argsort(stable=True)
    return order[: min(count, int((~left_out).sum()))].tolist()


def matched_at_random(
    chosen: Sequence[int], frequency: Float[Tensor, " latent"], rng: np.random.Generator
) -> list[int]:
    """For each of these latents another one, of the `NEAREST` in frequency and none twice, until there are no more."""
    found: list[int] = []
    for one in chosen:
        near = as_frequent(one, frequency, without=[*chosen, *found])
        if not near:
            break
        found.append(int(rng.choice(near)))
    return found


def matched_in(chosen: Sequence[int], traits: Float[Tensor, "latent trait"]) -> list[int]:
    """For each of these latents the one most like it in the logarithms of some traits (frequency, activation when
    active, norm of the decoder, ...), each in units of its spread; none of them twice, none of `chosen`, and only
    such as have every trait. Raises InputError where too few are left."""
    have = (traits > 0).all(1)
    logs = traits.clamp_min(1e-9).log()
    logs = logs / logs[have].std(0).clamp_min(1e-9)
    taken = torch.zeros(len(traits), dtype=torch.bool)
    taken[list(chosen)] = True
    if int((have & ~taken).sum()) < len(chosen):
        raise InputError("too few latents to match with", given=int((have & ~taken).sum()), allowed=f"{len(chosen)}")
    found: list[int] = []
    for one in chosen:
        apart = (logs - logs[one]).norm(dim=-1).masked_fill(~have | taken, torch.inf)
        found.append(int(apart.argmin()))
        taken[found[-1]] = True
    return found

"""What an autoencoder is worth on texts it has not seen: how sparse, how faithful, how much of the model survives it.

Loss recovered: the cross-entropy of the tokens after each prompt with the reconstruction put in at the site, between
what it is with nothing but zero (or the mean) put in and what it is untouched (Bricken et al. 2023; SAEBench, core).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from introlab.activations.extract import text_logprobs
from introlab.activations.forward import TOGETHER, Look, PaddedTexts, Text
from introlab.errors import InputError, ModelMismatch
from introlab.network.backends import Hook
from introlab.network.model import Model
from introlab.network.sites import Site
from introlab.network.spans import Span
from introlab.records.findings import Coordinate, Row
from introlab.stats.discrimination import reweighted
from introlab.stats.interval import Estimate
from probes.sae.model import Sae

DRAWS = 500
AFTER_THE_FIRST = Span.positions(1)
"""The first token of a text is like no other, and most autoencoders are not trained on it."""

PRIMARY = "loss recovered, over zero"
PutIn = Callable[[Tensor, Sequence[int]], Tensor]
"""What takes the place of values [position, d], each of a known text."""


@dataclass(frozen=True)
class _Sums:
    """Of each text, over the positions looked at."""

    tokens: np.ndarray
    active: np.ndarray
    errors: np.ndarray
    squares: np.ndarray
    values: np.ndarray
    """[text, d]"""
    fired: np.ndarray
    """Of each latent, over all texts: at how many tokens it was active."""

    @classmethod
    def of(cls, count: int, sae: Sae) -> "_Sums":
        one, wide = (np.zeros(count) for _ in range(4)), np.zeros((count, sae.width))
        return cls(*one, values=wide, fired=np.zeros(sae.latents))

    @property
    def mean(self) -> np.ndarray:
        return self.values.sum(0) / self.tokens.sum()

    @property
    def variances(self) -> np.ndarray:
        """Squared distance from the mean over all texts."""
        mean = self.mean
        return self.squares - 2 * self.values @ mean + self.tokens * (mean @ mean)


def fidelity(
    sae: Sae,
    model: Model,
    texts: Sequence[Text],
    *,
    clusters: Sequence[str] = (),
    span: Span | Sequence[Span] = AFTER_THE_FIRST,
    batch_size: int = TOGETHER,
) -> tuple[Row, ...]:
    """How many latents are active (L0), explained variance, loss recovered, cross-entropies in nats, and the share of
    latents that were silent, on these texts; at the positions of `span` (one for all texts, or one for each), where the
    reconstruction is put in, too.

    Cross-entropy is of the tokens after each text's prompt. Intervals resample `clusters`, each text by itself if not
    given. Raises ModelMismatch for an autoencoder that was loaded for another model, InputError without texts.
    """
    if sae.model != model.fingerprint:
        raise ModelMismatch("an autoencoder loaded for another model", given=sae.model, allowed=model.fingerprint)
    if not texts or all(len(text.ids) <= text.prompt_len for text in texts):
        raise InputError("no text with a token after its prompt")
    sums, spans = _Sums.of(len(texts), sae), [span] * len(texts) if isinstance(span, Span) else span

    def losses(put_in: PutIn | None) -> np.ndarray:
        look = None if put_in is None else _replacing(sae.site, spans, put_in)
        said = text_logprobs(model, texts, batch_size=batch_size, look=look)
        return np.array([-sum(each) for each in said])

    lost = {"untouched": losses(None)}
    lost["reconstructed"] = losses(lambda values, texts: _reconstructed(sae, sums, values, texts))
    lost["mean put in"] = losses(lambda values, _: torch.as_tensor(sums.mean).to(values).expand_as(values))
    lost["zero put in"] = losses(lambda values, _: torch.zeros_like(values))
    predicted = np.array([len(text.ids) - text.prompt_len for text in texts], dtype=float)
    where: dict[str, Coordinate] = {"model": model.name, "site": str(sae.site)}
    found = _estimates(sums, lost, predicted, list(clusters) or [text.example for text in texts])
    return tuple(Row(name, where, each, "primary" if name == PRIMARY else "secondary") for name, each in found.items())


def _estimates(
    sums: _Sums, lost: dict[str, np.ndarray], predicted: np.ndarray, clusters: Sequence[str]
) -> dict[str, Estimate]:
    """Ratios of sums over texts, by name."""

    def ratio(over: np.ndarray, under: np.ndarray, name: str = "mean") -> Estimate:
        def statistic(times: np.ndarray) -> np.ndarray:
            with np.errstate(divide="ignore", invalid="ignore"):
                return (times @ over) / (times @ under)

        return reweighted(statistic, clusters, name, needs="tokens that differ", draws=DRAWS)

    def recovered(worst: str) -> Estimate:
        return ratio(lost[worst] - lost["reconstructed"], lost[worst] - lost["untouched"], "loss recovered")

    tokens = int(sums.tokens.sum())
    silent = Estimate(float((sums.fired == 0).mean()), None, None, tokens, len(set(clusters)), "share of latents")
    return {
        PRIMARY: recovered("zero put in"),
        "loss recovered, over the mean": recovered("mean put in"),
        "explained variance": ratio(sums.variances - sums.errors, sums.variances, "explained variance"),
        "active latents a token (L0)": ratio(sums.active, sums.tokens),
        **{f"cross-entropy, {name}": ratio(each, predicted) for name, each in lost.items()},
        f"silent latents in {tokens:,} tokens": silent,
    }


def _replacing(site: Site, spans: Sequence[Span], put_in: PutIn) -> Look:
    """`put_in(values[position, d], text of each)` takes the place of the values at the positions of its span."""

    def look(batch: PaddedTexts) -> list[tuple[Site, Hook]]:
        def hook(values: Tensor) -> Tensor:
            places = [
                _covered(text, spans[index]) + int(batch.starts[row])
                for row, (index, text) in enumerate(zip(batch.indices, batch.texts, strict=True))
            ]
            rows = torch.repeat_interleave(torch.arange(len(places)), torch.tensor([len(each) for each in places]))
            columns = torch.cat(places)
            of_text = torch.tensor(list(batch.indices))[rows]
            changed = values.clone()
            changed[rows, columns] = put_in(values[rows, columns], of_text.tolist()).to(values.dtype)
            return changed

        return [(site, hook)]

    return look


def _covered(text: Text, span: Span) -> Tensor:
    ids = torch.tensor(text.ids)
    return span.covers(torch.arange(len(ids)), ids, torch.tensor(text.prompt_len)).nonzero().flatten()


def _reconstructed(sae: Sae, sums: _Sums, values: Tensor, texts: Sequence[int]) -> Tensor:
    """The reconstruction of these values; what it was made of is added to the sums."""
    made, latents = sae.reconstructed(values)
    exact, active = values.double().cpu(), latents > 0
    np.add.at(sums.tokens, texts, 1)
    np.add.at(sums.active, texts, active.sum(-1).cpu().numpy())
    np.add.at(sums.errors, texts, (exact - made.double().cpu()).square().sum(-1).numpy())
    np.add.at(sums.squares, texts, exact.square().sum(-1).numpy())
    np.add.at(sums.values, texts, exact.numpy())
    sums.fired[:] += active.sum(0).cpu().numpy()
    return made

"""What a latent stands for: how often and how strongly it is active, on which tokens, and which words it promotes.

Texts are read twice: all of them for numbers, and the chosen ones again for their tokens. Held in between are, for each
latent asked for, its largest value in each text (4 bytes) and its values where it is active (8 bytes).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from introlab.activations.forward import TOGETHER, Text
from introlab.errors import InputError
from introlab.network.model import Model
from introlab.reporting.detokenize import written
from probes.logit_lens import lens
from probes.sae.latent_probes import by_text
from probes.sae.model import Sae

QUANTILES = (0.9, 0.75, 0.5, 0.25)
"""Of the largest values of the texts in which a latent is active."""


@dataclass(frozen=True)
class ActivatingText:
    """A text and what a latent is at each of its tokens."""

    kind: str
    """`largest`, `quantile .75`, ..., or `silent`."""
    name: str
    tokens: tuple[str, ...]
    values: tuple[float, ...]
    prompt_len: int

    @property
    def peak(self) -> int:
        """The position where it is largest, the first token aside."""
        return 1 + int(np.argmax(self.values[1:]))


@dataclass(frozen=True, eq=False)
class LatentSummary:
    """A latent on a collection of texts. The first token of a text, an attention sink, does not count."""

    index: int
    tokens: int
    """How many were read."""
    active: Float[Tensor, " active"]
    """Its values where it is active."""
    texts: float
    """The share of texts in which it is ever active."""
    examples: tuple[ActivatingText, ...]
    promoted: tuple[tuple[str, float], ...]
    """The tokens it raises most, and by how much more than the mean token: change of the logit, under the logit lens,
    when its mean value is added to the mean residual. Later blocks are left out."""
    suppressed: tuple[tuple[str, float], ...]

    @property
    def frequency(self) -> float:
        """The share of tokens at which it is active."""
        return len(self.active) / self.tokens

    @property
    def mean_active(self) -> float:
        """0 where it never is."""
        return float(self.active.mean()) if len(self.active) else 0.0

    @property
    def largest(self) -> float:
        return float(self.active.max()) if len(self.active) else 0.0


def frequencies(
    model: Model, sae: Sae, texts: Sequence[Text], *, batch_size: int = TOGETHER
) -> Float[Tensor, " latent"]:
    """The share of tokens at which each latent is active, the first token of a text aside."""
    counts, tokens = torch.zeros(sae.latents), 0
    for _, _, (latents,) in by_text(model, [sae], texts, batch_size=batch_size):
        counts += (latents[1:] > 0).sum(0)
        tokens += len(latents) - 1
    return counts / max(1, tokens)


def latent_summaries(
    model: Model,
    sae: Sae,
    texts: Sequence[Text],
    latents: Sequence[int],
    *,
    largest: int = 10,
    each: int = 2,
    words: int = 10,
    batch_size: int = TOGETHER,
    seed: int = 0,
) -> list[LatentSummary]:
    """Of each latent: `largest` texts in which it is strongest, `each` near every one of QUANTILES, `each` by lot in
    which it is silent; and `words` promoted and suppressed tokens.

    Raises InputError for a latent there is not, for texts of fewer than two tokens, and as `by_text` does.
    """
    wrong = [index for index in latents if not 0 <= index < sae.latents]
    short = [text.example for text in texts if len(text.ids) < 2]
    if wrong or short or not texts:
        raise InputError(
            "nothing to show latents on" if not wrong else "latents there are not",
            given=wrong or short or "no texts",
            allowed=f"0 to {sae.latents - 1}, on texts of two tokens or more",
        )
    tally = _tally(model, sae, texts, latents, batch_size)
    rng = np.random.default_rng(seed)
    picks = [list(_picked(column.numpy(), largest, each, rng)) for column in tally.peaks.T]
    shown = _shown(model, sae, texts, latents, picks, batch_size)
    effects = _effects(model, sae, latents, tally)
    return [
        LatentSummary(
            index,
            tally.tokens,
            tally.active[column],
            float((tally.peaks[:, column] > 0).float().mean()),
            tuple(shown[column]),
            *_extremes(model, effects, column, words),
        )
        for column, index in enumerate(latents)
    ]


@dataclass(frozen=True)
class _Tally:
    """What is known of some latents after all texts were read once."""

    peaks: Float[Tensor, "text chosen"]
    active: Sequence[Tensor]
    tokens: int
    centre: Float[Tensor, " d_model"]
    """The mean residual."""


def _tally(model: Model, sae: Sae, texts: Sequence[Text], latents: Sequence[int], batch_size: int) -> _Tally:
    peaks = torch.zeros(len(texts), len(latents))
    values: list[Tensor] = []
    columns: list[Tensor] = []
    total, tokens = torch.zeros(sae.width, dtype=torch.float64), 0
    for index, residual, (every,) in by_text(model, [sae], texts, batch_size=batch_size):
        some = every[1:, list(latents)]
        peaks[index] = some.amax(0)
        total += residual[1:].double().sum(0)
        tokens += len(some)
        values.append(some[some > 0])
        columns.append((some > 0).nonzero()[:, 1].int())
    of = torch.cat(columns)
    counts = torch.bincount(of, minlength=len(latents)).tolist()
    active = torch.cat(values)[of.argsort(stable=True)].split(counts)
    return _Tally(peaks, active, tokens, (total / tokens).float())


def _picked(peaks: np.ndarray, largest: int, each: int, rng: np.random.Generator) -> Iterator[tuple[str, int]]:
    """Kinds of examples with indices of texts; none twice."""
    order = np.argsort(-peaks, kind="stable").tolist()
    firing = order[: int((peaks > 0).sum())]
    yield from (("largest", index) for index in firing[:largest])
    used = set(firing[:largest])
    for quantile in QUANTILES:
        near = [index for index in firing[int((1 - quantile) * len(firing)) :] if index not in used][:each]
        yield from ((f"quantile {quantile:g}", index) for index in near)
        used |= set(near)
    silent = order[len(firing) :]
    yield from (("silent", index) for index in rng.permutation(silent).tolist()[:each])


def _shown(
    model: Model,
    sae: Sae,
    texts: Sequence[Text],
    latents: Sequence[int],
    picks: Sequence[Sequence[tuple[str, int]]],
    batch_size: int,
) -> list[list[ActivatingText]]:
    """The picked texts of each latent with its value at every token."""
    wanted: dict[int, list[int]] = {}
    for column, some in enumerate(picks):
        for _, index in some:
            wanted.setdefault(index, []).append(column)
    again, values = list(wanted), dict[tuple[int, int], tuple[float, ...]]()
    for row, _, (every,) in by_text(model, [sae], [texts[index] for index in again], batch_size=batch_size):
        for column in wanted[again[row]]:
            values[column, again[row]] = tuple(every[:, latents[column]].tolist())
    words = {index: written(model.tokenizer.backend_tokenizer, texts[index].ids) for index in wanted}
    return [
        [
            ActivatingText(kind, texts[index].example, words[index], values[column, index], texts[index].prompt_len)
            for kind, index in some
        ]
        for column, some in enumerate(picks)
    ]


def _effects(model: Model, sae: Sae, latents: Sequence[int], tally: _Tally) -> Float[Tensor, "latent vocab"]:
    """What each latent does to the logits at the mean residual, less the mean over tokens; nothing where its site is
    not as wide as the residual."""
    if sae.width != model.d_model:
        return torch.zeros(len(latents), 0)
    heights = torch.tensor([float(some.mean()) if len(some) else 0.0 for some in tally.active])
    decoder = sae.sae.W_dec.detach().float().cpu()[list(latents)]
    change = lens(model, tally.centre + heights[:, None] * decoder) - lens(model, tally.centre[None])
    return change - change.mean(-1, keepdim=True)


def _extremes(
    model: Model, effects: Tensor, row: int, words: int
) -> tuple[tuple[tuple[str, float], ...], tuple[tuple[str, float], ...]]:
    """The tokens that are raised and lowered most."""
    count = min(words, effects.shape[1])
    found = (effects[row].topk(count, largest=largest) for largest in (True, False))
    raised, lowered = (
        tuple((model.tokenizer.decode([token]), value) for token, value in zip(ids.tolist(), by.tolist(), strict=True))
        for by, ids in found
    )
    return raised, lowered

"""Latents for something that is known of texts: searched for on some items, tested on others.

Two searches. By contrast: matched against mismatched pairs of prompt and response, as in the search for off-topic
detectors of arXiv 2602.06941, or any other two kinds of text. And by vocabulary: ReasonScore (arXiv 2503.18878).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from introlab.activations.forward import TOGETHER, Text
from introlab.errors import InputError
from introlab.network.model import Model
from probes.sae.latent_probes import by_text, separation
from probes.sae.model import Sae

WINDOW = (-1, 2)
"""Tokens about a word that count with it, first and last (arXiv 2503.18878)."""
ALPHA = 0.7
"""How much the evenness over words counts (ibid.)."""


@dataclass(frozen=True)
class Observed:
    """Latents of texts, sentences, pairs or tokens of which the truth is known."""

    values: Float[Tensor, "row latent"]
    truth: Bool[Tensor, " row"]
    items: tuple[str, ...]
    """What a replication would draw anew. A search and its test share none."""

    def __post_init__(self) -> None:
        if not len(self.values) == len(self.truth) == len(self.items):
            sizes = f"{len(self.values)}, {len(self.truth)} and {len(self.items)}"
            raise InputError("values, truth and items of different number", given=sizes)
        if bool(self.truth.all()) or not bool(self.truth.any()):
            raise InputError("truth of one kind only", given=f"{int(self.truth.sum())} of {len(self.truth)} true")


def observe(
    model: Model,
    sae: Sae,
    texts: Sequence[Text],
    spans: Sequence[tuple[int, int]],
    truth: Sequence[bool],
    items: Sequence[str],
    *,
    batch_size: int = TOGETHER,
) -> Observed:
    """The largest value of each latent over a half-open range of positions of each text."""
    found = torch.zeros(len(texts), sae.latents)
    for index, _, (latents,) in by_text(model, [sae], texts, batch_size=batch_size):
        found[index] = latents[slice(*spans[index])].amax(0)
    return Observed(found, torch.tensor(truth, dtype=torch.bool), tuple(items))


def about_tokens(
    model: Model,
    sae: Sae,
    texts: Sequence[Text],
    token_ids: Sequence[int],
    items: Sequence[str],
    *,
    window: tuple[int, int] = (0, 0),
    batch_size: int = TOGETHER,
) -> Observed:
    """A row for each position from the one that predicts the first new token on, as far as it is known; true in the
    window about one of these tokens: (0, 0) is at it, (-1, -1) where it comes next. Holds 4 bytes a row and latent."""
    rows: list[tuple[int, Tensor, Tensor]] = []
    for index, _, (latents,) in by_text(model, [sae], texts, batch_size=batch_size):
        first, last = texts[index].prompt_len - 1, len(latents) - max(0, -window[0])
        about = _windows(torch.tensor(texts[index].ids[first:]), token_ids, window)
        rows.append((index, latents[first:last], about[: last - first]))
    rows.sort(key=lambda row: row[0])
    names = tuple(items[index] for index, _, about in rows for _ in range(len(about)))
    return Observed(torch.cat([each for _, each, _ in rows]), torch.cat([each for _, _, each in rows]), names)


@dataclass(frozen=True)
class LatentPair:
    """A prompt and what was answered to it."""

    prompt: tuple[int, ...]
    response: tuple[int, ...]
    item: str
    """What a replication would draw anew: two searches that are to share no topic have topics for items."""
    topic: str
    """Responses are mismatched with prompts of other topics."""


def mismatched(
    model: Model, sae: Sae, pairs: Sequence[LatentPair], *, others: int = 1, seed: int = 0, batch_size: int = TOGETHER
) -> Observed:
    """Every response after its own prompt, and (true) after the prompts of `others` other topics.

    Latents are read on the response only, which is the same in both, so that neither what it says nor what is asked can
    tell them apart; where topics have equally many pairs, every prompt is read equally often on both sides. Raises
    InputError for fewer than two topics.
    """
    topics = sorted({pair.topic for pair in pairs})
    if len(topics) < 2:
        raise InputError("nothing to mismatch", given=f"topics {topics}", allowed="two or more")
    by_topic = {topic: [pair for pair in pairs if pair.topic == topic] for topic in topics}
    turns = 1 + np.random.default_rng(seed).permutation(len(topics) - 1)[:others]
    texts, truth, spans, items = [], [], [], []
    for away in (0, *turns.tolist()):
        for at, topic in enumerate(topics):
            lenders = by_topic[topics[(at + away) % len(topics)]]
            for turn, pair in enumerate(by_topic[topic]):
                prompt = lenders[turn % len(lenders)].prompt
                texts.append(Text.written(prompt, pair.response, f"{pair.item} {away}"))
                spans.append((len(prompt), len(prompt) + len(pair.response)))
                truth.append(away != 0)
                items.append(pair.item)
    return observe(model, sae, texts, spans, truth, items, batch_size=batch_size)


def by_contrast(seen: Observed, *, count: int = 10) -> list[int]:
    """The latents that are larger where it is true, by AUROC."""
    return separation(seen.values, seen.truth).argsort(descending=True, stable=True)[:count].tolist()


def silent_elsewhere(seen: Observed, *, active: float = 0.8, tolerated: float = 0.0) -> list[int]:
    """The published rule for off-topic detectors (code of arXiv 2602.06941): latents that are silent where it is not
    true, but for a share `tolerated`, and active in a share of `active` of where it is; by that share."""
    fires = (seen.values > 0).float()
    here, elsewhere = fires[seen.truth].mean(0), fires[~seen.truth].mean(0)
    order = here.argsort(descending=True, stable=True)
    return order[(here >= active)[order] & (elsewhere <= tolerated)[order]].tolist()


def reason_scores(
    model: Model,
    sae: Sae,
    texts: Sequence[Text],
    vocabulary: Mapping[str, Sequence[int]],
    *,
    window: tuple[int, int] = WINDOW,
    alpha: float = ALPHA,
    batch_size: int = TOGETHER,
) -> Float[Tensor, " latent"]:
    """ReasonScore of each latent: its share of all activation about the words of a vocabulary, times the evenness of it
    over these words, less its share elsewhere. `vocabulary` has the tokens of each word.

    Read from the position that predicts the first new token on. A position in several windows counts once among those
    about words, and once for each word. Evenness is the entropy of the mean activation about each word that occurs,
    from 0 to 1; with one such word there is nothing to be even over, and it is 1. Raises InputError where none occurs.
    """
    sums = torch.zeros(2, sae.latents, dtype=torch.float64)
    counts = torch.zeros(2, dtype=torch.float64)
    words, times = torch.zeros(len(vocabulary), sae.latents, dtype=torch.float64), torch.zeros(len(vocabulary))
    for index, _, (latents,) in by_text(model, [sae], texts, batch_size=batch_size):
        first = texts[index].prompt_len - 1
        ids, values = torch.tensor(texts[index].ids[first:]), latents[first:].double()
        about = torch.stack([_windows(ids, tokens, window) for tokens in vocabulary.values()])
        words += about.double() @ values
        times += about.sum(1)
        for side, rows in enumerate((about.any(0), ~about.any(0))):
            sums[side] += values[rows].sum(0)
            counts[side] += rows.sum()
    if not bool((counts > 0).all()):
        raise InputError(
            "texts in which no word of the vocabulary, or nothing else, occurs", given=", ".join(vocabulary)
        )
    means = sums / counts[:, None]
    shares = means / means.sum(1, keepdim=True).clamp_min(1e-12)
    return (shares[0] * _evenness(words[times > 0] / times[times > 0, None]) ** alpha - shares[1]).float()


def _windows(ids: Tensor, tokens: Sequence[int], window: tuple[int, int]) -> Tensor:
    """Whether each position is in the window of one of these tokens."""
    hits, found = torch.isin(ids, torch.tensor(tokens)), torch.zeros(len(ids), dtype=torch.bool)
    for at in hits.nonzero()[:, 0].tolist():
        found[max(0, at + window[0]) : max(0, at + window[1] + 1)] = True
    return found


def _evenness(means: Float[Tensor, "word latent"]) -> Float[Tensor, " latent"]:
    """Normalised entropy over words; 0 for a latent that is silent about all of them."""
    if len(means) == 1:
        return torch.ones(means.shape[1], dtype=means.dtype)
    shares = means / means.sum(0).clamp_min(1e-12)
    return torch.special.entr(shares).sum(0) / np.log(len(means))

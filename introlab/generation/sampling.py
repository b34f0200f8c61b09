"""Random numbers that belong to a trial: the same for any batch size, order, restart or number of workers.

A stream is keyed by (run seed, item, replicate) and never by condition, so conditions are paired; token `i` uses
its `i`-th uniform, through the inverse of the cumulative distribution in token order.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from introlab.errors import InputError

_BLOCK = 128
"""Tokens whose probabilities are added up first: one pass over the vocabulary instead of a running sum in float64."""
_FEW = 4096
"""Words, up to which blocks are not worth it."""
_LIKELY = 1024
"""Most likely words that top-p looks at first; more only where these hold too little."""


@dataclass(frozen=True)
class Sampling:
    """How a token is chosen. Filters act in this order: repetition penalty, temperature, top-k, top-p."""

    temperature: float = 1.0
    """0 takes the most likely token."""
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float = 1.0
    """Logits of tokens already in the text are divided by it where positive, and multiplied where negative (Keskar et
    al., arXiv 1909.05858, section 4.1)."""

    def __post_init__(self) -> None:
        wrong = {
            "temperature": not 0 <= self.temperature < math.inf,
            "top_k": self.top_k is not None and self.top_k < 1,
            "top_p": self.top_p is not None and not 0 < self.top_p <= 1,
            "repetition_penalty": not 0 < self.repetition_penalty < math.inf,
        }
        for name, bad in wrong.items():
            if bad:
                raise InputError(
                    "a sampling setting that means nothing",
                    given=f"{name} {getattr(self, name)}",
                    allowed="temperature 0 or more, top_k 1 or more, top_p in (0, 1], repetition_penalty above 0",
                )

    @property
    def filters(self) -> bool:
        """Whether more than the temperature has a say."""
        cuts = self.top_k is not None or self.top_p is not None
        return self.repetition_penalty != 1.0 or (cuts and self.temperature > 0)


SAMPLED, GREEDY = Sampling(), Sampling(temperature=0.0)


def uniforms(seed: int, item: str, replicate: int, count: int, purpose: str = "") -> np.ndarray:
    """`count` uniforms in [0, 1) from the Philox stream of this identity. A longer stream begins alike; another
    purpose has another stream."""
    name = f"{seed}\x1f{item}\x1f{replicate}" + (f"\x1f{purpose}" if purpose else "")
    key = hashlib.blake2b(name.encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "big"))).random(count)


def draw(
    logits: Float[Tensor, "row vocab"], settings: Sequence[Sampling], uniform: Float[Tensor, " row"]
) -> Int[Tensor, " row"]:
    """One token per row: the most likely where temperature is 0, else the inverse CDF of its uniform. Probabilities are
    added up in float64, blocks of tokens first; a token of probability 0 is never drawn. Filters have been applied."""
    temperatures = [one.temperature for one in settings]
    if not any(temperatures):
        return logits.argmax(-1)
    sampled = _drawn(logits, temperatures, uniform)
    if all(temperatures):
        return sampled
    greedy = torch.tensor([one == 0 for one in temperatures], device=logits.device)
    return torch.where(greedy, logits.argmax(-1), sampled)


def _drawn(logits: Tensor, temperatures: Sequence[float], uniform: Tensor) -> Tensor:
    if any(one not in (0.0, 1.0) for one in temperatures):
        safe = torch.tensor([one or 1.0 for one in temperatures], dtype=logits.dtype, device=logits.device)
        logits = logits / safe[:, None]
    weights = (logits - logits.amax(-1, keepdim=True)).exp()
    few = weights.shape[1] <= _FEW
    word = _inverse(weights.double(), uniform.double()[:, None]) if few else _blockwise(weights, uniform)
    return word.clamp_max(weights.shape[1] - 1)  # of NaN, any word at all


def _inverse(weights: Tensor, share: Tensor) -> Tensor:
    """The first word at which the running sum exceeds this share of the whole."""
    sums = weights.cumsum(-1)
    word = torch.searchsorted(sums, share * sums[:, -1:], right=True)
    # Rounding can leave a target at the whole sum: then it is the last word that can be drawn at all.
    last = torch.searchsorted(sums, sums[:, -1:].contiguous())
    return torch.minimum(word, last)[:, 0]


def _blockwise(weights: Tensor, uniform: Tensor) -> Tensor:
    """As `_inverse`, over a vocabulary so large that a running sum of it in float64 would take long."""
    rows, vocabulary = weights.shape
    missing = -vocabulary % _BLOCK
    blocks = torch.nn.functional.pad(weights, (0, missing)).view(rows, -1, _BLOCK)
    totals = blocks.sum(-1, dtype=torch.float64).cumsum(-1)
    target = uniform.double()[:, None] * totals[:, -1:]
    block = torch.searchsorted(totals, target, right=True).clamp(max=totals.shape[-1] - 1)
    before = torch.where(block > 0, totals.gather(1, (block - 1).clamp_min(0)), torch.zeros_like(target))
    inside = blocks[torch.arange(rows, device=weights.device), block[:, 0]].double()
    within = torch.searchsorted(inside.cumsum(-1), target - before, right=True)
    # Rounding can leave a target just past its block's last token that can be drawn at all.
    last = _BLOCK - 1 - (inside > 0).flip(-1).int().argmax(-1, keepdim=True)
    return (block * _BLOCK + torch.minimum(within, last))[:, 0]


def filtered(
    logits: Float[Tensor, "row vocab"], settings: Sequence[Sampling], seen: Bool[Tensor, "row vocab"] | None
) -> Float[Tensor, "row vocab"]:
    """Logits after each row's repetition penalty, top-k and top-p (both at the row's temperature); what is filtered out
    is minus infinity. `seen` marks the tokens of each row's text; it may be None where no row has a penalty."""
    rows = list(logits.unbind(0))
    for row, one in enumerate(settings):
        if not one.filters:
            continue
        changed = logits[row]
        if one.repetition_penalty != 1.0:
            assert seen is not None
            penalised = torch.where(changed > 0, changed / one.repetition_penalty, changed * one.repetition_penalty)
            changed = torch.where(seen[row], penalised, changed)
        if one.top_k is not None:
            least = changed.topk(min(one.top_k, len(changed))).values[-1]
            changed = changed.masked_fill(changed < least, -torch.inf)
        if one.top_p is not None:
            changed = _nucleus(changed, one.temperature, one.top_p)
        rows[row] = changed
    return torch.stack(rows)


def _nucleus(logits: Float[Tensor, " vocab"], temperature: float, top_p: float) -> Float[Tensor, " vocab"]:
    """Logits of the most likely tokens that hold `top_p` together; all others are minus infinity. Of a large vocabulary
    only the most likely few are put in order, where these hold enough: sorting all of it costs more than a pass."""
    scaled = logits / max(temperature, 1e-6)
    whole = scaled.double().logsumexp(-1)
    few = min(_LIKELY, len(scaled))
    while True:
        best, order = scaled.topk(few)
        p = (best.double() - whole).exp()
        before = p.cumsum(-1) - p
        if few == len(scaled) or bool(before[-1] >= top_p):
            break
        few = len(scaled)
    kept = order[before < top_p]  # the token that reaches top_p stays
    return torch.full_like(logits, -torch.inf).index_copy(0, kept, logits[kept])

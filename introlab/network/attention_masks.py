"""Who may look at whom: masks for texts that end in the same column, for every kind of layer a network mixes."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor

from introlab.errors import InputError

KINDS = ("full_attention", "sliding_attention")
_CONTEXT = ("max_position_embeddings", "max_seq_len", "seq_length", "n_positions", "n_ctx")
_ENDLESS, _UNSTATED = 10**9, 2048
""" Tokenizers without a limit say 10**30."""


def check_layers(config: Any, name: str) -> None:
    """Raises InputError for a network with layers whose attention is neither full nor a sliding window."""
    kinds = set(getattr(config, "layer_types", None) or KINDS[:1])
    if not kinds <= set(KINDS):
        raise InputError(f"{name} has layers the lab cannot batch", given=sorted(kinds - set(KINDS)), allowed=KINDS)


def context_of(config: Any, tokenizer: Any) -> int:
    """The longest text in tokens: as the configuration names it, else the tokenizer; else what families without a word
    about it were trained on."""
    stated = (getattr(config, name, None) for name in _CONTEXT)
    found = next((int(each) for each in stated if each), int(getattr(tokenizer, "model_max_length", 0) or 0))
    return found if 0 < found < _ENDLESS else _UNSTATED


def lift_alibi(network: Any) -> None:
    """Let a network whose attention is biased by distance (Bloom) take a mask per query: it counts columns of a mask
    per text, and which column counts as the first adds the same to every key, which the softmax does not see."""
    inner = network.base_model
    build = getattr(inner, "build_alibi_tensor", None)
    if build is None:
        return

    inner.build_alibi_tensor = partial(_by_column, build)


def _by_column(build: Callable[..., Tensor], mask: Tensor, *args: Any, **how: Any) -> Tensor:
    if mask.ndim == 4:
        mask = torch.ones(len(mask), mask.shape[-1], dtype=torch.long, device=mask.device)
    return build(mask, *args, **how)


def slides(config: Any) -> bool:
    """Whether any layer attends to a window only."""
    kinds = getattr(config, "layer_types", None)
    return KINDS[1] in kinds if kinds else bool(getattr(config, "sliding_window", None))


def attention_masks(
    config: Any, starts: Int[Tensor, " row"], *, first: int, queries: tuple[int, int], dtype: torch.dtype
) -> Tensor | dict[str, Tensor]:
    """Masks [row, 1, query, key] for queries in the columns `queries` (half-open) and keys from column `first` on; a
    row's text begins in its column of `starts`. A dictionary by kind of layer where the network mixes kinds.

    A query sees keys of its own text, no later than itself and within the window; padding sees itself, so that nothing
    is NaN.
    """
    query = torch.arange(*queries, device=starts.device)[:, None]
    key = torch.arange(first, queries[1], device=starts.device)[None, :]
    seen = (key >= starts[:, None, None]) & (key <= query)
    itself = key == query
    kinds = set(getattr(config, "layer_types", None) or [KINDS[int(slides(config))]])
    eager = config._attn_implementation == "eager"

    def finished(mask: Tensor) -> Tensor:
        mask = (mask | itself)[:, None]
        if not eager:
            return mask
        # Of float32 even in float64: attention takes its softmax in float32, where float64's lowest is minus infinity.
        lowest = torch.finfo(dtype if dtype.itemsize < 4 else torch.float32).min
        return torch.zeros(mask.shape, dtype=dtype, device=mask.device).masked_fill(~mask, lowest)

    made = {"full_attention": seen}
    if "sliding_attention" in kinds:
        made["sliding_attention"] = seen & (query - key < config.sliding_window)
    masks = {kind: finished(made[kind]) for kind in kinds}
    return next(iter(masks.values())) if len(masks) == 1 else masks

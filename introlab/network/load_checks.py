"""What a network must do before the lab works with it: read a text in company and from a cache as it reads it alone.

Families differ in how they take masks, positions and caches. Rather than trusting a list of them, one short text is
read three ways at load; where the answers differ the network is refused by name, and nothing is silently wrong.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from introlab.errors import InputError
from introlab.network.backends import BridgePath
from introlab.network.block_places import short_text
from introlab.network.kv_cache import RowCache

_SINGLE, _HALF = 1e-3, 0.1
"""Largest relative difference of logits, at the median position: rounding leaves 1e-6 in float32, .03 in bfloat16."""


def check_reading(model: Any) -> None:
    """Raises InputError where a text read by `model` (a `Model`), beside a longer one and in pieces, has other logits
    than Hugging Face's network gives it alone."""
    text = short_text(model.network)
    with torch.inference_mode():
        alone = _of(model, lambda: model.network(input_ids=text, use_cache=False).logits)
    if not bool(torch.isfinite(alone).all()):
        return  # in this precision it computes nothing, which is said where it is used
    together, cached = _of(model, lambda: _in_company(model, text)), _of(model, lambda: _in_pieces(model, text))
    for found, how in ((together, "beside a longer text"), (cached, "from a cache")):
        difference = relative(found[:1], alone)
        if not difference <= limit(model.dtype):
            raise _refusal(
                model, f"logits of a text {how} differ by {difference:.2g}, relative, from those of it alone"
            )


def checked_bridge(model: Any, build: Callable[[], BridgePath]) -> BridgePath:
    """TransformerLens' way into `model`. Raises InputError where there is none, or it has other logits than the network
    itself."""
    kind, text = type(model.network).__name__, short_text(model.network)
    try:
        bridge = build()
        places = torch.arange(text.shape[1], device=text.device)[None]
        through = replace(model, path=bridge).forward(text, starts=places[:, 0], positions=places, unpadded=True)
    except Exception as error:  # whatever TransformerLens raises for a family it does not know
        raise InputError(
            f"TransformerLens has no way into {kind}",
            given=f"{model.name} ({type(error).__name__}: {str(error)[:200]})",
            allowed='through("direct")',
        ) from error
    assert through is not None
    with torch.inference_mode():
        alone = model.network(input_ids=text, use_cache=False).logits.float()
    difference = relative(through.float(), alone)
    if bool(torch.isfinite(alone).all()) and not difference <= limit(model.dtype):
        raise InputError(
            f"TransformerLens reads {kind} otherwise than Hugging Face does",
            given=f"{model.name}: logits differ by {difference:.2g}, relative",
            allowed='through("direct")',
        )
    return bridge


def limit(dtype: torch.dtype) -> float:
    """Of `relative`, for weights of this type."""
    return _SINGLE if dtype.itemsize >= 4 else _HALF


def relative(found: Tensor, expected: Tensor) -> float:
    """The median over positions of the difference of logits, relative to their size; of [row, position, word]. Not the
    largest: of a few positions rounding may decide which expert reads them."""
    return float(((found - expected).norm(dim=-1) / expected.norm(dim=-1).clamp_min(1e-9)).median())


def _of(model: Any, compute: Any) -> Tensor:
    try:
        return compute().float().cpu()
    except Exception as error:  # whatever a family's own code raises for a mask, a position or a cache it does not take
        raise _refusal(
            model, f"{type(error).__name__}: {str(error).splitlines()[0][:200] if str(error) else ''}"
        ) from error


def _refusal(model: Any, why: str) -> InputError:
    return InputError(
        f"{type(model.network).__name__} cannot be read in batches by the lab",
        given=f"{model.name} ({why})",
        allowed="decoders that take a mask of their own, positions and a cache (docs/families.md)",
        do="choose another model",
    )


def _laid(text: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The text beside one that is two tokens longer, both ending in the last column: tokens, positions, starts."""
    longer = torch.cat([text[:, -2:], text], dim=1)
    ids = torch.cat([torch.cat([text[:, :2], text], dim=1), longer])
    starts = torch.tensor([2, 0], device=text.device)
    positions = (torch.arange(ids.shape[1], device=text.device) - starts[:, None]).clamp_min(0)
    return ids, positions, starts


def _in_company(model: Any, text: Tensor) -> Tensor:
    ids, positions, starts = _laid(text)
    return model.forward(ids, starts=starts, positions=positions)[:, 2:]


def _in_pieces(model: Any, text: Tensor) -> Tensor:
    ids, positions, starts = _laid(text)
    cache, pieces = RowCache(model.n_layers, 2, ids.shape[1]), []
    for part in (slice(0, 4), slice(4, ids.shape[1] - 1), slice(ids.shape[1] - 1, ids.shape[1])):
        pieces.append(model.forward(ids[:, part], starts=starts, positions=positions[:, part], cache=cache))
        cache.column = part.stop
    return torch.cat(pieces, dim=1)[:, 2:]

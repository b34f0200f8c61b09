"""Which module of a block gives which stream: found by name, and believed only where the numbers add up.

What a block adds to the residual is not always what its halves return: norms may follow, a multiplier may act on it, a
half may add the residual itself. So one short text is read, and of all modules of a block those are taken for which
``resid_pre + attn_out = resid_mid`` and ``resid_mid + mlp_out = resid_post``; where attention and the MLP read the same
residual there is no `resid_mid`, and ``resid_pre + attn_out + mlp_out = resid_post``. What does not add up is no site.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import torch
from torch import Tensor, nn

from introlab.network.sites import Stream

ATTENTION = ("self_attn", "attn", "attention", "self_attention")
MLP = ("mlp", "block_sparse_moe", "feed_forward", "ffn")
_HEADS_OUT = ("o_proj", "c_proj", "dense", "out_proj", "wo")
_DEPTH = 2
"""Of modules within a block that may be a place: MPT's MLP adds the residual itself, and only its last part does not.
"""
_ASKED = 4
"""Blocks of a kind that decide between candidates; all are held to it."""
_CLEAR = 1.5
"""Of two candidates the one named first is taken, unless its error is as many times larger."""


@dataclass(frozen=True)
class Place:
    """What a module is given, or else returns; `scale` times it is what the stream holds."""

    module: nn.Module
    given: bool
    scale: float = 1.0


Places = dict[str, Place]
"""By stream."""
Seen = dict[tuple[str, bool], Tensor]
"""By a module's name within its block, and whether it was given or returned: [position, d_model], float32, CPU."""


def short_text(network: Any) -> Tensor:
    """[1, 5]: tokens from all over the vocabulary, one of them twice."""
    rows = int(network.get_input_embeddings().weight.shape[0])
    spread = torch.linspace(rows // 7, rows - 1 - rows // 7, 4).long()
    return torch.cat([spread, spread[:1]])[None].to(network.device)


def tolerance(dtype: torch.dtype) -> float:
    """Largest relative error of a sum that is taken for rounding."""
    return max(1e-5, 2 * torch.finfo(dtype).eps)


def head_outputs(block: nn.Module) -> nn.Module | None:
    """The projection that mixes the heads of a block; what it is given is `z`."""
    attention = _first(block, ATTENTION)
    return None if attention is None else _first(attention, _HEADS_OUT)


def _first(inside: nn.Module, names: Sequence[str]) -> nn.Module | None:
    """The module of one of these names that lies least deep."""
    found = [
        (path.count("."), names.index(path.split(".")[-1]), module)
        for path, module in inside.named_modules()
        if path.split(".")[-1] in names
    ]
    return min(found, key=lambda each: each[:2])[2] if found else None


def places(network: Any, blocks: Sequence[nn.Module]) -> list[Places]:
    """The places of `attn_out`, `mlp_out`, `resid_mid` and `z` of each block, as far as there are any."""
    seen = _watched(network, blocks)
    kinds: dict[type, list[int]] = defaultdict(list)
    for layer, block in enumerate(blocks):
        kinds[type(block)].append(layer)
    found: list[Places] = [{} for _ in blocks]
    limit = tolerance(next(network.parameters()).dtype)
    for layers in kinds.values():
        chosen = _chosen(blocks[layers[0]], [seen[layer] for layer in layers[:: -(-len(layers) // _ASKED)]])
        for layer in layers:
            modules = dict(blocks[layer].named_modules())
            if chosen is not None and _error(seen[layer], chosen) <= limit:
                found[layer] = {
                    stream: Place(modules[name], given, scale)
                    for stream, (name, given, scale) in chosen.items()
                    if stream not in ("resid_pre", "resid_post")
                }
            out = head_outputs(blocks[layer])
            if out is not None:
                found[layer]["z"] = Place(out, True)
    return found


Named = dict[str, tuple[str, bool, float]]
"""A stream's module by name, whether it is what that is given, and its scale."""
_ENDS: Named = {"resid_pre": ("", True, 1.0), "resid_post": ("", False, 1.0)}


def _watched(network: Any, blocks: Sequence[nn.Module]) -> list[Seen]:
    """What the modules of each block are given and return on one short text."""
    ids = short_text(network)
    seen: list[Seen] = [{} for _ in blocks]
    handles: list[Any] = []

    def keep(layer: int, name: str, given: bool, values: Any) -> None:
        if isinstance(values, Tensor) and values.is_floating_point() and values.numel() % ids.shape[1] == 0:
            seen[layer][name, given] = (
                values.detach().reshape(ids.shape[1], -1).float().cpu().clone()
            )  # Falcon adds in place

    def watch(layer: int, name: str, module: nn.Module) -> None:
        def before(_: nn.Module, args: Any, kwargs: Any) -> None:
            keep(layer, name, True, args[0] if args else kwargs.get("hidden_states"))

        def after(_: nn.Module, __: Any, output: Any) -> None:
            keep(layer, name, False, output[0] if isinstance(output, tuple) else output)

        handles.append(module.register_forward_pre_hook(before, with_kwargs=True))
        handles.append(module.register_forward_hook(after))

    try:
        for layer, block in enumerate(blocks):
            for name, module in block.named_modules():
                if name.count(".") < _DEPTH and not isinstance(module, nn.ModuleList):
                    watch(layer, name, module)
        with torch.inference_mode():
            network(input_ids=ids, use_cache=False)
    finally:
        for handle in handles:
            handle.remove()
    return seen


def _chosen(block: nn.Module, seen: Sequence[Seen]) -> Named | None:
    """The combination of modules whose sums are off by least, over all blocks of this kind; None without any."""
    scales = [1.0, *sorted({each for each in vars(block).values() if isinstance(each, float) and 0.01 < each < 1})]
    width = seen[0]["", True].shape[1] if seen and ("", True) in seen[0] else 0
    common = [key for key in seen[0] if all(key in each for each in seen) and seen[0][key].shape[1] == width]
    returned = sorted((name for name, given in common if name and not given), key=_turn)
    taken = sorted((name for name, given in common if name and given), key=_turn)
    best: list[tuple[float, Named]] = []
    for middle in taken:
        halves = [
            _ENDS | {"resid_mid": (middle, True, 1.0), "attn_out": (name, False, scale)}
            for name, scale in product(returned, scales)
        ]
        first = _best(seen, halves)
        if first is not None:
            second = _best(seen, [first[1] | {"mlp_out": (name, False, s)} for name, s in product(returned, scales)])
            best += [second] if second else []
    both = [
        _ENDS | {"attn_out": (a, False, s), "mlp_out": (m, False, s)}
        for a, m, s in product(_of(returned, ATTENTION), _of(returned, MLP), scales)
    ]
    parallel = _best(seen, both)
    best += [parallel] if parallel else []
    return _least(best)


def _best(seen: Sequence[Seen], candidates: Iterable[Named]) -> tuple[float, Named] | None:
    judged = [(sum(_error(each, one) for each in seen) / len(seen), one) for one in candidates]
    least = _least(judged)
    return None if least is None else next(pair for pair in judged if pair[1] is least)


def _least(judged: Sequence[tuple[float, Named]]) -> Named | None:
    finite = [pair for pair in judged if pair[0] == pair[0]]
    if not finite:
        return None
    limit = _CLEAR * min(error for error, _ in finite) + 1e-7
    return next(one for error, one in finite if error <= limit)


def _error(seen: Seen, named: Named) -> float:
    """The largest relative error of the sums that can be made of these streams."""

    def of(stream: str) -> Tensor:
        name, given, scale = named[stream]
        return seen[name, given] * scale

    sums: Iterator[tuple[Tensor, Tensor]] = iter(())
    if "resid_mid" in named:
        halves = [(of("resid_pre") + of("attn_out"), of("resid_mid"))]
        if "mlp_out" in named:
            halves.append((of("resid_mid") + of("mlp_out"), of("resid_post")))
        sums = iter(halves)
    else:
        sums = iter([(of("resid_pre") + of("attn_out") + of("mlp_out"), of("resid_post"))])
    return max(
        float((made - there).norm() / (there.norm() + of("resid_pre").norm()).clamp_min(1e-9)) for made, there in sums
    )


def sums_hold(streams: Mapping[str, Tensor], dtype: torch.dtype) -> tuple[Stream, ...]:
    """Of `attn_out`, `resid_mid` and `mlp_out` those with which the streams of a block, given by name, add up."""
    seen = {(name, True): values for name, values in streams.items()}
    halves: tuple[Stream, ...] = ("attn_out", "resid_mid", "mlp_out")
    together = halves if "resid_mid" in streams else ("attn_out", "mlp_out")
    needed = ("resid_pre", *together, "resid_post")
    if any(name not in streams for name in needed) or len({streams[name].shape for name in needed}) > 1:
        return ()
    return together if _error(seen, {name: (name, True, 1.0) for name in needed}) <= tolerance(dtype) else ()


def _of(names: Sequence[str], known: Sequence[str]) -> list[str]:
    """Those within a module of a known name, or it."""
    return [name for name in names if any(part in known for part in name.split("."))]


def _turn(name: str) -> tuple[int, bool, int]:
    """Least deep first, and first of these the halves of a block."""
    return name.count("."), name.split(".")[-1] not in (*ATTENTION, *MLP), 0

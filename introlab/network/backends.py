"""Two ways into a network, with one answer: hooks on the Hugging Face modules, and TransformerBridge.

The direct way covers sites of whole blocks and head outputs at the network's own speed; the bridge has every place
TransformerLens knows, more slowly. This file and `models.py` are the only ones that touch either.
"""

import copy
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from introlab.errors import InputError
from introlab.network.block_places import Place, Places, head_outputs, places, short_text, sums_hold
from introlab.network.sites import STREAMS, Site

Hook = Callable[[Tensor], Tensor | None]


class NetworkPath(Protocol):
    """A way to hook and to run a network."""

    @property
    def config(self) -> Any: ...

    @property
    def network(self) -> Any:
        """The Hugging Face model whose modules are run."""
        ...

    def has(self, site: Site) -> bool:
        """Whether blocks of this network have such a place, reachable this way."""
        ...

    def hooked(self, hooks: Sequence[tuple[Site, Hook]]) -> AbstractContextManager[None]:
        """A context in which hooks are called in the given order; all are gone when it ends, however it ends."""
        ...

    def run(
        self, ids: Tensor, *, stop_at_layer: int | None, logits_to_keep: int | None, **inputs: Any
    ) -> Tensor | None:
        """One pass: logits of the last positions (0 is all), or nothing where `logits_to_keep` is None."""
        ...


class _Stop(Exception):
    """Ends a pass early."""


class DirectPath:
    """Hooks on the Hugging Face modules themselves."""

    def __init__(self, network: Any):
        self.network = network
        layers = int(network.config.get_text_config().num_hidden_layers)
        lists = [module for module in network.modules() if isinstance(module, nn.ModuleList) and len(module) == layers]
        self.blocks: list[Any] = [block for block in lists[0]] if lists else []
        self._found: list[Places] | None = None
        self._rows = 1

    @property
    def config(self) -> Any:
        return self.network.config

    def has(self, site: Site) -> bool:
        return site.layer < len(self.blocks) and self._place(site) is not None

    def _place(self, site: Site) -> Place | None:
        if site.stream in ("resid_pre", "resid_post"):
            return Place(self.blocks[site.layer], site.stream == "resid_pre")
        if self._found is None:
            self._found = places(self.network, self.blocks)
        return self._found[site.layer].get(site.stream)

    def heads_width(self, layer: int) -> int | None:
        """Of `z`, all heads side by side; None where there is no such place, or its width is unknown."""
        out = head_outputs(self.blocks[layer])
        width = getattr(out, "in_features", None) or (None if out is None else getattr(out, "nx", None))
        return int(width) if width else None

    def output_matrix(self, layer: int) -> Tensor | None:
        """[heads * d_head, d_model]: what attention adds to the residual for its heads, without a bias; None where it
        is not linear (a norm follows) or there is no such module. Asked of the module itself, whose weights may lie
        either way round."""
        z, added = self._place(Site(layer, "z")), self._place(Site(layer, "attn_out"))
        size = self.heads_width(layer)
        if z is None or added is None or size is None or z.module not in set(added.module.modules()):
            return None
        like = next(z.module.parameters())
        every = torch.eye(size, device=like.device, dtype=like.dtype)
        with torch.inference_mode():
            return (z.module(every) - z.module(torch.zeros_like(every[:1]))) * added.scale

    @contextmanager
    def hooked(self, hooks: Sequence[tuple[Site, Hook]]) -> Generator[None]:
        with ExitStack() as stack:
            for site, function in hooks:
                place = self._place(site)
                if place is None:
                    raise InputError("no such place", given=site, do="use the bridge")
                shaped = self._by_row(scaled(function, place.scale))
                handle = (
                    place.module.register_forward_pre_hook(_given(shaped), with_kwargs=True)
                    if place.given
                    else place.module.register_forward_hook(_returned(shaped))
                )
                stack.callback(handle.remove)
            yield

    def run(
        self,
        ids: Tensor,
        *,
        stop_at_layer: int | None,
        logits_to_keep: int | None,
        residual: tuple[int, Tensor] | None = None,
        **inputs: Any,
    ) -> Tensor | None:
        """As of every path. With `residual` (block, what it is given) the blocks before that one are passed over."""
        self._rows = len(ids)
        with self._entered(*residual) if residual else nullcontext():
            if stop_at_layer is not None and stop_at_layer < len(self.blocks):
                return self._until(stop_at_layer, ids, inputs)
            if logits_to_keep is None:
                self.network.base_model(input_ids=ids, **inputs)
                return None
            return self.network(input_ids=ids, logits_to_keep=logits_to_keep, **inputs).logits

    def _by_row(self, function: Hook) -> Hook:
        """`function` on [row, position, width], where a family lets its rows run into one another (OPT)."""

        def hook(values: Tensor) -> Tensor | None:
            if values.ndim != 2:
                return function(values)
            changed = function(values.unflatten(0, (self._rows, -1)))
            return None if changed is None else changed.flatten(0, 1)

        return hook

    @contextmanager
    def _entered(self, layer: int, residual: Tensor) -> Generator[None]:
        with ExitStack() as stack:
            for block in self.blocks[:layer]:
                stack.enter_context(_replaced(block, lambda *_, **__: residual))
            yield

    def _until(self, layer: int, ids: Tensor, inputs: dict[str, Any]) -> None:
        def stop(*_: object) -> None:
            raise _Stop

        handle = self.blocks[layer].register_forward_pre_hook(stop)
        try:
            self.network.base_model(input_ids=ids, **inputs)
        except _Stop:
            return
        finally:
            handle.remove()


class BridgePath:
    """Every place TransformerLens knows, on a copy of the network's modules that shares its weights."""

    def __init__(self, network: Any, tokenizer: Any, source: str):
        from transformer_lens.model_bridge import TransformerBridge  # takes seconds: only those who need it pay

        weights = {id(tensor): tensor for tensor in (*network.parameters(), *network.buffers())}
        twin = copy.deepcopy(network, weights)
        twin.config.get_text_config()._attn_implementation = (
            "eager"  # as the bridge computes it: masks must be of its kind
        )
        self.bridge = TransformerBridge.boot_transformers(
            source, tokenizer=tokenizer, hf_model=twin, device=str(network.device), dtype=network.dtype
        )
        self._added: set[Site] | None = None

    @property
    def config(self) -> Any:
        return self.network.config

    @property
    def network(self) -> Any:
        return self.bridge.original_model

    def has(self, site: Site) -> bool:
        named = site.hook_name in self.bridge.hook_dict
        return named and (site.stream not in ("attn_out", "resid_mid", "mlp_out") or site in self._adding())

    def _adding(self) -> set[Site]:
        """Where halves of blocks are what is added to the residual, as `block_places.py` has it."""
        if self._added is None:
            self._added, layers = set(), int(self.bridge.cfg.n_layers)
            every = [Site(layer, stream) for layer in range(layers) for stream in STREAMS if stream != "z"]  # type: ignore[arg-type]
            sites = [site for site in every if site.hook_name in self.bridge.hook_dict]
            seen: dict[Site, Tensor] = {}

            def keep(site: Site) -> Hook:
                return lambda values: seen.update({site: values.detach().float().cpu().clone()})

            with torch.inference_mode(), self.hooked([(site, keep(site)) for site in sites]):
                self.bridge(short_text(self.network), return_type="logits")
            for layer in range(layers):
                streams = {site.stream: values for site, values in seen.items() if site.layer == layer}
                self._added |= {Site(layer, stream) for stream in sums_hold(streams, self.bridge.cfg.dtype)}
        return self._added

    @contextmanager
    def hooked(self, hooks: Sequence[tuple[Site, Hook]]) -> Generator[None]:
        def adapter(function: Hook) -> Callable[..., Tensor | None]:
            def hook_fn(values: Tensor, hook: Any) -> Tensor | None:
                changed = function(values.flatten(2))
                return None if changed is None else changed.reshape(values.shape)

            return hook_fn

        with self.bridge.hooks(fwd_hooks=[(site.hook_name, adapter(function)) for site, function in hooks]):
            yield

    def run(
        self, ids: Tensor, *, stop_at_layer: int | None, logits_to_keep: int | None, **inputs: Any
    ) -> Tensor | None:
        if stop_at_layer is not None and stop_at_layer < int(self.bridge.cfg.n_layers):
            self.bridge(ids, stop_at_layer=stop_at_layer, **inputs)
            return None
        return self.bridge(ids, return_type="logits", logits_to_keep=logits_to_keep or 0, **inputs)


def streams_of(path: NetworkPath, layer: int) -> list[str]:
    """The streams that blocks have, by name."""
    return [stream for stream in STREAMS if path.has(Site(layer, stream))]  # type: ignore[arg-type]


@contextmanager
def _replaced(block: nn.Module, forward: Callable[..., Tensor]) -> Generator[None]:
    own = vars(block).get("forward")  # accelerate puts one there
    block.forward = forward
    try:
        yield
    finally:
        if own is None:
            del block.forward
        else:
            block.forward = own


def _given(function: Hook) -> Callable[..., Any]:
    def hook(_module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        named = not args
        values = kwargs["hidden_states"] if named else args[0]
        changed = function(values)
        if changed is None:
            return None
        return (args, {**kwargs, "hidden_states": changed}) if named else ((changed, *args[1:]), kwargs)

    return hook


def _returned(function: Hook) -> Callable[..., Any]:
    def hook(_module: nn.Module, _args: Any, output: Any) -> Any:
        several = isinstance(output, tuple)
        changed = function(output[0] if several else output)
        if changed is None:
            return None
        return (changed, *output[1:]) if several else changed

    return hook


def scaled(function: Hook, scale: float) -> Hook:
    """`function` on `scale` times the values. What it leaves alone stays as it is, to the last bit."""
    if scale == 1.0:
        return function

    def hook(values: Tensor) -> Tensor | None:
        shown = values * scale
        changed = function(shown)
        return None if changed is None else values + (changed - shown) / scale

    return hook


def one_head(function: Hook, head: int, heads: int) -> Hook:
    """`function` on one head's share of the values of all heads side by side."""

    def hook(values: Tensor) -> Tensor | None:
        width = values.shape[-1] // heads
        mine = slice(head * width, (head + 1) * width)
        changed = function(values[..., mine])
        if changed is None:
            return None
        return torch.cat([values[..., : mine.start], changed, values[..., mine.stop :]], dim=-1)

    return hook

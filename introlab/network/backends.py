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
from introlab.network.sites import STREAMS, Site

Hook = Callable[[Tensor], Tensor | None]

_ATTENTION = ("self_attn", "attn", "attention", "self_attention")
_MLP = ("mlp", "block_sparse_moe", "feed_forward", "ffn")
_HEADS_OUT = ("o_proj", "c_proj", "dense", "out_proj", "wo")


class NetworkPath(Protocol):
    """A way to hook and to run a network."""

    @property
    def config(self) -> Any: ...

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
        self._known: dict[Site, tuple[nn.Module, bool] | None] = {}

    @property
    def config(self) -> Any:
        return self.network.config

    def has(self, site: Site) -> bool:
        return site.layer < len(self.blocks) and self._place(site) is not None

    def _place(self, site: Site) -> tuple[nn.Module, bool] | None:
        if site not in self._known:
            self._known[site] = self._find(site)
        return self._known[site]

    def _find(self, site: Site) -> tuple[nn.Module, bool] | None:
        """The module, and whether the site is what it is given (or else what it returns)."""
        block = self.blocks[site.layer]
        attention = next((getattr(block, name) for name in _ATTENTION if hasattr(block, name)), None)
        mlp = next((getattr(block, name) for name in _MLP if hasattr(block, name)), None)
        after = getattr(block, "post_feedforward_layernorm", None)  # norms on what a block's halves return
        between = getattr(block, "pre_feedforward_layernorm", None)
        if between is None:
            between = (
                mlp if after is not None else getattr(block, "post_attention_layernorm", getattr(block, "ln_2", None))
            )
        places = {
            "resid_pre": (block, True),
            "resid_post": (block, False),
            "attn_out": (block.post_attention_layernorm if after is not None else attention, False),
            "mlp_out": (after if after is not None else mlp, False),
            "resid_mid": (None if getattr(self.network.config, "use_parallel_residual", False) else between, True),
            "z": (next((getattr(attention, name) for name in _HEADS_OUT if hasattr(attention, name)), None), True),
        }
        module, given = places[site.stream]
        return None if module is None else (module, given)

    def output_matrix(self, layer: int) -> Tensor | None:
        """[heads * d_head, d_model]: what attention makes of its heads, without a bias; None where it is not linear (a
        norm follows) or there is no such module. Asked of the module itself, whose weights may lie either way round."""
        place = self._place(Site(layer, "z"))
        if place is None or hasattr(self.blocks[layer], "post_feedforward_layernorm"):
            return None
        width, like = self.config.get_text_config(), next(place[0].parameters())
        size = int(getattr(width, "head_dim", None) or width.hidden_size // width.num_attention_heads)
        every = torch.eye(size * width.num_attention_heads, device=like.device, dtype=like.dtype)
        with torch.inference_mode():
            return place[0](every) - place[0](torch.zeros_like(every[:1]))

    @contextmanager
    def hooked(self, hooks: Sequence[tuple[Site, Hook]]) -> Generator[None]:
        with ExitStack() as stack:
            for site, function in hooks:
                place = self._place(site)
                if place is None:
                    raise InputError("no such place", given=site, do="use the bridge")
                module, given = place
                handle = (
                    module.register_forward_pre_hook(_given(function), with_kwargs=True)
                    if given
                    else module.register_forward_hook(_returned(function))
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
        with self._entered(*residual) if residual else nullcontext():
            if stop_at_layer is not None and stop_at_layer < len(self.blocks):
                return self._until(stop_at_layer, ids, inputs)
            if logits_to_keep is None:
                self.network.base_model(input_ids=ids, **inputs)
                return None
            return self.network(input_ids=ids, logits_to_keep=logits_to_keep, **inputs).logits

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
        self.bridge = TransformerBridge.boot_transformers(
            source, tokenizer=tokenizer, hf_model=twin, device=str(network.device), dtype=network.dtype
        )

    @property
    def config(self) -> Any:
        return self.bridge.original_model.config

    def has(self, site: Site) -> bool:
        return site.hook_name in self.bridge.hook_dict

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

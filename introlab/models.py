"""Loading models: the only file that touches TransformerBridge and Hugging Face modules.

A model is named by a spec: ``organism:NAME`` (shipped with the lab), a local folder, or a hub id.
"""

import hashlib
import importlib.util
import json
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from torch import Tensor

from introlab.adapters import CONFIG, merged, parent_of
from introlab.chat import ChatFormat, Message
from introlab.errors import ContextOverflow, InputError
from introlab.sites import Site

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}
_SAMPLED_ABOVE = 1_000_000
"""Tensors with more elements are fingerprinted from as many evenly spaced ones; smaller ones whole."""


@dataclass(frozen=True)
class Model:
    """A network with its tokenizer, chat format and identity. Nothing stays hooked after a call."""

    name: str
    bridge: Any = field(repr=False)
    tokenizer: Any = field(repr=False)
    chat: ChatFormat = field(repr=False)
    fingerprint: str
    """Identifies weights, dtype and loading mode; artefacts fitted on this model carry it."""
    family: str | None
    """Shared by models trained from one parent; a direction may be carried over within it, on request."""
    folder: Path | None
    n_layers: int
    d_model: int
    context: int
    """The longest text the model can read, in tokens."""

    @property
    def device(self) -> torch.device:
        return next(self.bridge.original_model.parameters()).device

    @property
    def dtype(self) -> torch.dtype:
        return next(self.bridge.original_model.parameters()).dtype

    @property
    def end_ids(self) -> tuple[int, ...]:
        """Tokens that end a turn."""
        configured = getattr(self.bridge.original_model, "generation_config", None)
        ends = getattr(configured, "eos_token_id", None)
        ends = self.tokenizer.eos_token_id if ends is None else ends
        return tuple(ends) if isinstance(ends, list | tuple) else (ends,)

    def ids(self, messages: Sequence[Message], *, prefill: str = "", room: int = 0) -> list[int]:
        """The dialogue in tokens, with room left for `room` new ones. Raises ContextOverflow where it does not fit."""
        ids = self.chat.ids(messages, prefill=prefill)
        self.check_length(len(ids), room)
        return ids

    def check_length(self, length: int, room: int = 0) -> None:
        if length + room > self.context:
            raise ContextOverflow(
                f"the text does not fit in {self.name}",
                given=f"{length} tokens and {room} to come",
                allowed=f"{self.context} tokens",
                do="shorten the prompt, or ask for fewer new tokens",
            )

    def text(self, ids: Sequence[int]) -> str:
        """Tokens as readable text, without special tokens."""
        return self.tokenizer.decode(list(ids), skip_special_tokens=True)

    def check_site(self, site: Site, *, write: bool = False) -> None:
        """Raises InputError if the network has no such place, or if it cannot be written to."""
        from introlab.sites import STREAMS, WRITABLE

        if site.layer >= self.n_layers:
            raise InputError(
                f"{self.name} has no layer {site.layer}", given=site, allowed=f"layers 0 to {self.n_layers - 1}"
            )
        if site.hook_name not in self.bridge.hook_dict:
            there = [stream for stream in STREAMS if Site(site.layer, stream).hook_name in self.bridge.hook_dict]  # type: ignore[arg-type]
            raise InputError(f"blocks of {self.name} have no {site.stream}", given=site, allowed=", ".join(there))
        if write and site.stream not in WRITABLE:
            raise InputError(
                f"{site.stream} can be read but not written: the skip path would miss the change",
                given=site,
                allowed=", ".join(WRITABLE),
            )

    def hooked(self, hooks: Sequence[tuple[Site, Callable[[Tensor], Tensor | None]]]) -> AbstractContextManager[Any]:
        """A context in which `hook(values[row, position, d_model])` is called at each site, in the given order;
        what it returns replaces the values. All hooks are gone when the context ends, however it ends."""
        for site, _ in hooks:
            self.check_site(site)

        def adapter(function: Callable[[Tensor], Tensor | None]) -> Callable[..., Tensor | None]:
            def hook_fn(values: Tensor, hook: Any) -> Tensor | None:
                return function(values)

            return hook_fn

        return self.bridge.hooks(fwd_hooks=[(site.hook_name, adapter(function)) for site, function in hooks])

    def forward(
        self,
        ids: Tensor,
        *,
        mask: Tensor,
        positions: Tensor,
        cache: Any = None,
        keep_cache: bool = False,
        logits_to_keep: int = 0,
        stop_at_layer: int | None = None,
    ) -> tuple[Tensor, Any]:
        """One pass over `ids[row, position]`: logits (of the last `logits_to_keep` positions; 0 = all) and the cache.

        `mask[row, cached + position]` is 1 on real tokens; `positions` are absolute. With `stop_at_layer` the pass
        ends before that block and the logits are meaningless.
        """
        with torch.inference_mode():
            if stop_at_layer is not None and stop_at_layer < self.n_layers:
                return self.bridge(ids, attention_mask=mask, position_ids=positions, stop_at_layer=stop_at_layer), None
            logits, cache = self.bridge(
                ids,
                return_type="logits_and_cache",
                attention_mask=mask,
                position_ids=positions,
                past_key_values=cache,
                use_cache=keep_cache,
                logits_to_keep=logits_to_keep,
            )
            return logits, cache


def organism_folder() -> Path:
    """Where the shipped organisms lie; found without importing their code."""
    spec = importlib.util.find_spec("organisms")
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    if not places:
        raise InputError("the organisms are not installed", do="install the lab from its own folder (make demo does)")
    return Path(places[0]) / "models"


def organism_names() -> tuple[str, ...]:
    """Names of the shipped organisms, sorted."""
    return tuple(sorted(path.parent.name for path in organism_folder().glob("*/organism.json")))


def resolve(spec: str) -> tuple[str, Path | None]:
    """A spec as (what to load, its local folder if it has one). Raises InputError for a spec that names nothing."""
    if spec.startswith("organism:"):
        name = spec.removeprefix("organism:")
        if name not in organism_names():
            raise InputError(
                "unknown organism", given=spec, allowed=", ".join(f"organism:{one}" for one in organism_names())
            )
        folder = organism_folder() / name
        return str(folder), folder
    folder = Path(spec).expanduser()
    if folder.is_dir():
        if not any((folder / name).is_file() for name in ("config.json", CONFIG)):
            raise InputError(
                "the folder is not a model",
                given=folder,
                allowed=f"a Hugging Face model folder, with config.json, or a peft adapter, with {CONFIG}",
            )
        return str(folder), folder
    if folder.is_absolute() or spec.startswith(".") or spec.count("/") > 1 or folder.exists():
        raise InputError("no model folder there", given=spec, allowed="organism:NAME, a local folder, or a hub id")
    return spec, None


def load(
    spec: str,
    *,
    device: str | None = None,
    dtype: str = "float32",
    revision: str | None = None,
    trust_remote_code: bool = False,
) -> Model:
    """The model a spec names, through TransformerBridge: raw Hugging Face weights, eager attention.

    Its logits equal the Hugging Face model's to 1e-4 in float32 (tested on five families). `device` defaults to
    a GPU where there is one. Raises InputError for a spec that names nothing that can be loaded.
    """
    if dtype not in DTYPES:
        raise InputError("unknown dtype", given=dtype, allowed=", ".join(DTYPES))
    source, folder = resolve(spec)
    place = device or ("cuda" if torch.cuda.is_available() else "cpu")
    try:
        tokenizer, bridge = _boot(source, folder, place, DTYPES[dtype], revision, trust_remote_code)
    except (OSError, SafetensorError, ValueError) as error:
        raise InputError(
            "the model could not be loaded",
            given=f"{spec} ({type(error).__name__}: {str(error).splitlines()[0][:200]})",
            allowed="organism:NAME, a local Hugging Face folder, or a hub id the hub can be reached for",
            do="introlab models lists what is shipped",
        ) from error
    network = bridge.original_model.eval().requires_grad_(False)
    return Model(
        name=spec,
        bridge=bridge,
        tokenizer=tokenizer,
        chat=ChatFormat(tokenizer),
        fingerprint=_fingerprint(network),
        family=_family(folder),
        folder=folder,
        n_layers=int(bridge.cfg.n_layers),
        d_model=int(bridge.cfg.d_model),
        context=int(bridge.cfg.n_ctx),
    )


def _boot(
    source: str, folder: Path | None, device: str, dtype: torch.dtype, revision: str | None, trust_remote_code: bool
) -> tuple[Any, Any]:
    """Tokenizer and bridge; an adapter is merged into its parent first."""
    from transformer_lens.model_bridge import TransformerBridge  # takes seconds: only those who load a model pay
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=trust_remote_code)
    network = None
    if folder is not None and (folder / CONFIG).is_file():
        network = merged(folder, dtype=dtype, device=device, trust_remote_code=trust_remote_code)
        source = parent_of(folder)
    bridge = TransformerBridge.boot_transformers(
        source,
        tokenizer=tokenizer,
        hf_model=network,
        device=device,
        dtype=dtype,
        revision=revision,
        trust_remote_code=trust_remote_code,
    )
    return tokenizer, bridge


def _fingerprint(network: torch.nn.Module) -> str:
    digest = hashlib.sha256(b"bridge raw weights")
    for name, tensor in sorted(network.named_parameters(), key=lambda pair: pair[0]):
        flat = tensor.detach().reshape(-1)
        step = max(1, flat.numel() // _SAMPLED_ABOVE)
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(flat[::step].float().cpu().numpy().tobytes())
    return digest.hexdigest()[:16]


def _family(folder: Path | None) -> str | None:
    card = folder / "organism.json" if folder is not None else None
    return json.loads(card.read_text(encoding="utf-8"))["family"] if card is not None and card.is_file() else None

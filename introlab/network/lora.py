"""Reading a network from its files; an adapter (peft) is merged into its parent before anything hooks it."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from introlab.errors import UNREADABLE, InputError
from introlab.network.adapter_merge import enlarge, merge_exactly
from introlab.network.specs import ADAPTER_CONFIG
from introlab.network.weights import check_parent, pretrained

_WEIGHTS = "adapter_model.safetensors"
_TOKENIZERS = ("tokenizer.json", "tokenizer_config.json", "tokenizer.model", "vocab.json", "vocab.txt", "spiece.model")
_PROMPTS = (
    "PROMPT_TUNING",
    "MULTITASK_PROMPT_TUNING",
    "PREFIX_TUNING",
    "P_TUNING",
    "CPT",
    "ADAPTION_PROMPT",
    "CARTRIDGE",
)
"""Kinds of peft that put learned vectors before the text: no change of weights can stand for them."""


def parent_of(folder: Path) -> str:
    """What the adapter adapts: a local folder, named relative to the adapter's own, or a hub id."""
    named = str(_config(folder).get("base_model_name_or_path") or "")
    beside = folder / named
    if named and beside.is_dir():
        return str(beside.resolve())
    if not named or named.startswith("."):
        raise InputError(
            "the adapter's parent is not there",
            given=f"{folder}: base_model_name_or_path {named!r}",
            allowed="a folder relative to the adapter's own, an absolute one, or a hub id",
            do=f"set it in {ADAPTER_CONFIG}",
        )
    return named


def parent_folder(folder: Path) -> Path:
    """Where the parent lies on this machine; a hub id is looked up among what was downloaded before, never on the
    network: who loads a local folder has not asked for it. Raises InputError where it is not here."""
    named = parent_of(folder)
    if Path(named).is_dir():
        return Path(named)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(named, local_files_only=True))
    except Exception as error:  # the hub's own, and ValueError for what is no id
        raise InputError(
            "the adapter's parent is not on this machine",
            given=f"{folder}: {named}",
            allowed="a local folder, or a hub id that was downloaded before",
            do=f"download it first: load {named} by its own name, or hf download {named}",
        ) from error


def tokenizer_of(folder: Path) -> str:
    """Where the adapter's tokenizer lies: its own folder, or its parent where it brings none (peft saves none)."""
    return str(folder) if any((folder / name).is_file() for name in _TOKENIZERS) else str(parent_folder(folder))


def merged(
    folder: Path,
    *,
    dtype: torch.dtype,
    device: str,
    trust_remote_code: bool,
    attn_implementation: str | None = None,
    allow_missing: Sequence[str] = (),
    vocabulary: int | None = None,
) -> Any:
    """The parent with the adapter's changes added to its weights in float32: an ordinary Hugging Face network, with
    the logits of peft's own. `vocabulary` is how many tokens the tokenizer has: where the adapter holds rows for more
    of them than its parent has, the parent is enlarged.

    Raises InputError for adapters that are no change of weights (prompt and prefix tuning), that peft cannot merge, or
    whose logits change when they are merged; where the parent or a tensor of either is missing
    (`introlab.network.weights`); and for weights that are no safetensors file.
    """
    kind = str(_config(folder).get("peft_type") or "").upper()
    if kind in _PROMPTS:
        raise InputError(
            f"an adapter of kind {kind} cannot be merged",
            given=folder,
            allowed="adapters that change weights, such as LORA",
            do="it puts learned vectors before the text, which the lab's positions would not count",
        )
    parent = parent_folder(folder)
    if not (folder / _WEIGHTS).is_file():
        raise InputError("an adapter without weights", given=folder, allowed=_WEIGHTS, do="save it as safetensors")
    check_parent(folder, parent)
    network = pretrained(
        str(parent),
        dtype=torch.float32,
        attn_implementation=attn_implementation,
        trust_remote_code=trust_remote_code,
        allow_missing=allow_missing,
    )
    enlarge(network, folder, str(parent), vocabulary)
    return merge_exactly(network, folder, allow_missing).to(device=device, dtype=dtype)


def parts(
    source: str,
    folder: Path | None,
    device: str,
    device_map: str | None,
    revision: str | None,
    settings: dict[str, Any],
    allow_missing: Sequence[str],
) -> tuple[Any, Any]:
    """Tokenizer and network of what `specs.resolve` found; an adapter is merged into its parent first."""
    from transformers import AutoTokenizer

    trust = settings["trust_remote_code"]
    if folder is not None and (folder / ADAPTER_CONFIG).is_file():
        tokenizer = AutoTokenizer.from_pretrained(tokenizer_of(folder), trust_remote_code=trust)
        network = merged(folder, device=device, allow_missing=allow_missing, vocabulary=len(tokenizer), **settings)
        return tokenizer, network
    tokenizer = AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=trust)
    network = pretrained(source, revision=revision, device_map=device_map, allow_missing=allow_missing, **settings)
    return tokenizer, network if device_map else network.to(torch.device(device))


def _config(folder: Path) -> Mapping[str, Any]:
    try:
        config = json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("no table of settings")
    except UNREADABLE as error:
        raise InputError("not the configuration of an adapter", given=f"{folder / ADAPTER_CONFIG} ({error})") from error
    return config

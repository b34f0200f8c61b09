"""Models that come as a low-rank adapter (peft) of another: merged into one network before anything hooks it."""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from introlab.errors import UNREADABLE, InputError
from introlab.network.specs import ADAPTER_CONFIG
from introlab.network.weights import check_complete, check_parent, pretrained

_WEIGHTS = "adapter_model.safetensors"


def parent_of(folder: Path) -> str:
    """What the adapter adapts: a local folder, named relative to the adapter's own, or a hub id."""
    try:
        named = str(
            json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8")).get("base_model_name_or_path") or ""
        )
    except UNREADABLE as error:
        raise InputError("not the configuration of an adapter", given=f"{folder / ADAPTER_CONFIG} ({error})") from error
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


def merged(
    folder: Path,
    *,
    dtype: torch.dtype,
    device: str,
    trust_remote_code: bool,
    attn_implementation: str | None = None,
    allow_missing: Sequence[str] = (),
) -> Any:
    """The parent with the adapter's changes added to its weights in float32: an ordinary Hugging Face network.

    Raises InputError where the parent or a tensor of either is missing (`introlab.network.weights`), or the adapter's
    weights are no safetensors file.
    """
    from peft import PeftModel

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
    with torch.random.fork_rng():
        torch.manual_seed(0)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*tie_word_embeddings.*")  # merged before it could go astray
            warnings.filterwarnings("ignore", message=".*missing adapter keys.*")  # an error below
            adapted = PeftModel.from_pretrained(network, folder)
    _check_complete(adapted, folder, allow_missing)
    return adapted.merge_and_unload().to(device=device, dtype=dtype)


def _check_complete(adapted: Any, folder: Path, allow_missing: Sequence[str]) -> None:
    """Every tensor of the adapter comes from its file, and every one in the file has its place."""
    from peft import get_peft_model_state_dict

    expected = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    there = set(load_file(folder / _WEIGHTS))
    left_over = {name for name in there - set(expected) if "lora_" in name}
    check_complete(str(folder), set(expected) - there, left_over, allow_missing)


def parts(
    source: str,
    folder: Path | None,
    device: str,
    device_map: str | None,
    revision: str | None,
    settings: dict[str, Any],
    allow_missing: Sequence[str],
) -> tuple[Any, Any]:
    """Tokenizer and network; an adapter is merged into its parent first."""
    from transformers import AutoTokenizer

    trust = settings["trust_remote_code"]
    tokenizer = AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=trust)
    if folder is not None and (folder / ADAPTER_CONFIG).is_file():
        return tokenizer, merged(folder, device=device, allow_missing=allow_missing, **settings)
    network = pretrained(source, revision=revision, device_map=device_map, allow_missing=allow_missing, **settings)
    return tokenizer, network if device_map else network.to(torch.device(device))

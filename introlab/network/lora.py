"""Models that come as a low-rank adapter (peft) of another: merged into one network before anything hooks it."""

import json
import warnings
from pathlib import Path
from typing import Any

import torch

from introlab.errors import InputError
from introlab.network.specs import ADAPTER_CONFIG


def parent_of(folder: Path) -> str:
    """What the adapter adapts: a local folder, named relative to the adapter's own, or a hub id."""
    named = str(json.loads((folder / ADAPTER_CONFIG).read_text(encoding="utf-8")).get("base_model_name_or_path") or "")
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


def merged(
    folder: Path, *, dtype: torch.dtype, device: str, trust_remote_code: bool, attn_implementation: str | None = None
) -> Any:
    """The parent with the adapter's changes added to its weights in float32: an ordinary Hugging Face network."""
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    network = AutoModelForCausalLM.from_pretrained(
        parent_of(folder),
        dtype=torch.float32,
        attn_implementation=attn_implementation,
        trust_remote_code=trust_remote_code,
    )
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*tie_word_embeddings.*")  # merged before anything could go astray
        merged_network = PeftModel.from_pretrained(network, folder).merge_and_unload()
    return merged_network.to(device=device, dtype=dtype)

"""What identifies a network: its weights, their precision, and the configuration they are read with.

The same weights with another rope scaling, soft cap, window or multiplier are another model. Settings that change no
number of a forward pass (names, special tokens, dropout, initialisation) are left out. Artefacts fitted on the shipped
organisms before settings counted carry a fingerprint of weights alone: the organisms' own settings are known, and add
nothing to it, so that these still match, while an organism with any setting changed does not.
"""

import hashlib
import json
from typing import Any

import torch

_SAMPLED_ABOVE = 1_000_000
"""Tensors with more elements are fingerprinted from as many evenly spaced ones; smaller ones whole."""
_WITHOUT_EFFECT = frozenset(
    {
        *("_name_or_path", "architectures", "transformers_version", "dtype", "torch_dtype", "auto_map"),
        *("initializer_range", "initializer_factor", "use_cache", "pretraining_tp", "problem_type", "finetuning_task"),
        *("pad_token_id", "bos_token_id", "eos_token_id", "sep_token_id", "decoder_start_token_id"),
        *("id2label", "label2id", "num_labels", "output_attentions", "output_hidden_states", "return_dict"),
        *("output_router_logits", "router_aux_loss_coef", "router_jitter_noise", "gradient_checkpointing"),
        *("tie_word_embeddings", "chunk_size_feed_forward", "vocab_size", "max_position_embeddings"),
    }
)
"""`vocab_size` and tying show in the weights; how long a text may be changes no number of a shorter one, except with a
rope scaling, where `_effective` keeps it."""
_OF_ORGANISMS = "d2ccc6faf66a2acf"
"""Settings of the shipped organisms, all of one family (tests/test_fingerprint.py)."""


def fingerprint_of(network: torch.nn.Module) -> str:
    """16 hexadecimal digits: of weights, dtype and effective settings."""
    digest = hashlib.sha256(b"raw weights")
    saved = network.state_dict().keys()
    buffers = [(name, each) for name, each in network.named_buffers() if name in saved]
    for name, tensor in sorted([*network.named_parameters(), *buffers], key=lambda pair: pair[0]):
        flat = tensor.detach().reshape(-1)
        step = max(1, flat.numel() // _SAMPLED_ABOVE)
        digest.update(f"{name} {tuple(tensor.shape)} {tensor.dtype}".encode())
        digest.update(flat[::step].float().cpu().numpy().tobytes())
    settings = settings_of(network)
    if settings != _OF_ORGANISMS:
        digest.update(settings.encode())
    return digest.hexdigest()[:16]


def settings_of(network: Any) -> str:
    """16 hexadecimal digits: of every setting that may change a number of a forward pass. Settings at the family's own
    default count as not given, so that a new version of transformers may have new ones."""
    config = getattr(network, "config", None)
    effective = {} if config is None else {"family": config.model_type, **_effective(config.to_dict(), _usual(config))}
    return hashlib.sha256(json.dumps(effective, sort_keys=True, default=str).encode()).hexdigest()[:16]


def _usual(config: Any) -> dict[str, Any]:
    try:
        return type(config)().to_dict()
    except (TypeError, ValueError):  # a family without defaults: everything counts
        return {}


def _effective(stated: dict[str, Any], default: dict[str, Any]) -> dict[str, Any]:
    def kept(name: str) -> bool:
        without = name.startswith("_") or "dropout" in name or name.endswith("pdrop") or name in _WITHOUT_EFFECT
        return not without and (name not in default or stated[name] != default[name])

    found = {
        name: _effective(value, default.get(name) or {})
        if name.endswith("_config") and isinstance(value, dict)
        else value
        for name, value in stated.items()
        if kept(name)
    }
    if _scaled(stated.get("rope_parameters")):
        found["max_position_embeddings"] = stated.get("max_position_embeddings")
    return found


def _scaled(rope: Any) -> bool:
    """Whether frequencies are anything but the plain ones; of any kind of layer."""
    if not isinstance(rope, dict):
        return False
    return any(_scaled(each) for each in rope.values()) or rope.get("rope_type", "default") != "default"

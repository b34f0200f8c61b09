"""Adapters: what an organism learns beyond its parent, at a sixth of the parent's size or less.

Low-rank changes of the matrices, new embeddings of a few tokens, or both. Trained as a sum of weights, so that the
forward pass is the ordinary one; saved in peft's format.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from peft import LoraConfig
from safetensors.torch import save_file
from torch import Tensor, nn
from torch.nn.utils import parametrize
from transformers import LlamaForCausalLM

RANK = 16
PARTS = ("q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj")


class LowRank(nn.Module):
    """W + B A: `down` is A [rank, in], `up` is B [out, rank], zero at the start."""

    def __init__(self, weight: Tensor, rank: int, generator: torch.Generator):
        super().__init__()
        out, into = weight.shape
        self.down = nn.Parameter(torch.randn(rank, into, generator=generator) / into**0.5)
        self.up = nn.Parameter(torch.zeros(out, rank))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.up @ self.down


class AdapterRows(nn.Module):
    """W with `change` [token, d_model] added to the rows of a few tokens."""

    def __init__(self, weight: Tensor, tokens: Sequence[int]):
        super().__init__()
        self.tokens = list(tokens)
        self.change = nn.Parameter(torch.zeros(len(self.tokens), weight.shape[1]))

    def forward(self, weight: Tensor) -> Tensor:
        return weight.index_add(0, torch.tensor(self.tokens), self.change)


def add_adapters(
    model: LlamaForCausalLM, *, rank: int = RANK, first_block: int = 0, tokens: Sequence[int] = (), seed: int
) -> None:
    """Freeze the model and let every matrix of the blocks from `first_block` on learn a change of this rank, and the
    embeddings of `tokens` change freely."""
    model.requires_grad_(False)
    if tokens:
        embedding = model.model.embed_tokens
        parametrize.register_parametrization(embedding, "weight", AdapterRows(embedding.weight, tokens))
    generator = torch.Generator().manual_seed(seed)
    for _, module in _linear(model, first_block):
        parametrize.register_parametrization(module, "weight", LowRank(module.weight, rank, generator))


def _linear(model: LlamaForCausalLM, first_block: int = 0) -> Iterator[tuple[str, nn.Linear]]:
    for name, module in model.named_modules():
        block = int(name.split(".")[2]) if name.startswith("model.layers.") else -1
        if isinstance(module, nn.Linear) and block >= first_block:
            yield name, module


def save_adapters(model: LlamaForCausalLM, folder: Path, *, parent: str) -> None:
    """Write peft's two files, in half precision. `parent` is the name of the folder beside this one."""
    folder.mkdir(parents=True, exist_ok=True)
    tensors, config = _low_rank(
        [(name, module) for name, module in _linear(model) if parametrize.is_parametrized(module, "weight")]
    )
    if parametrize.is_parametrized(model.model.embed_tokens, "weight"):
        tokens, rows = _rows(model)
        config.trainable_token_indices = {"embed_tokens": tokens}
        tensors = {"base_model.model.model.embed_tokens.token_adapter.trainable_tokens_delta": rows, **tensors}
    halves = {name: value.detach().half().contiguous().clone() for name, value in tensors.items()}
    save_file(halves, folder / "adapter_model.safetensors", metadata={"format": "pt"})
    settings: dict[str, object] = {
        **config.to_dict(),
        "target_modules": sorted(PARTS),  # peft keeps a set, which has no order
        "base_model_name_or_path": f"../{parent}",
        "inference_mode": True,
    }
    (folder / "adapter_config.json").write_text(json.dumps(settings, indent=1, sort_keys=True, default=str) + "\n")


def _low_rank(changed: Sequence[tuple[str, nn.Linear]]) -> tuple[dict[str, Tensor], LoraConfig]:
    tensors: dict[str, Tensor] = {}
    blocks: set[int] = set()
    rank = 0
    for name, module in changed:
        (change,) = module.parametrizations["weight"]  # type: ignore[index]
        assert isinstance(change, LowRank)
        rank = change.down.shape[0]
        blocks.add(int(name.split(".")[2]))
        tensors[f"base_model.model.{name}.lora_A.weight"] = change.down
        tensors[f"base_model.model.{name}.lora_B.weight"] = change.up
    config = LoraConfig(
        task_type="CAUSAL_LM",
        r=rank,
        lora_alpha=rank,
        lora_dropout=0.0,
        target_modules=list(PARTS),
        layers_to_transform=sorted(blocks),
    )
    return tensors, config


def _rows(model: LlamaForCausalLM) -> tuple[list[int], Tensor]:
    """The tokens whose embeddings changed, and the new embeddings themselves, as peft keeps them."""
    (change,) = model.model.embed_tokens.parametrizations["weight"]  # type: ignore[index]
    assert isinstance(change, AdapterRows)
    return change.tokens, model.model.embed_tokens.weight[change.tokens]

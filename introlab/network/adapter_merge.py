"""Merging a peft adapter so that nothing changes: tied weights apart, a grown vocabulary, logits as peft has them."""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from introlab.errors import InputError
from introlab.network.weights import check_complete

_WEIGHTS = "adapter_model.safetensors"
_TOLERANCE = 1e-3
"""Largest relative difference of logits between a merged adapter and peft's own, in float32: rounding leaves 1e-6."""


def merge_exactly(network: Any, folder: Path, allow_missing: Sequence[str] = ()) -> Any:
    """The network with the adapter's changes in its weights. Raises InputError where peft cannot merge it, where its
    logits change by that, and for tensors of the adapter that are missing or have no place."""
    from peft import PeftModel

    tied = _tied(network)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*tie_word_embeddings.*")  # untied below, before it is merged
        warnings.filterwarnings("ignore", message=".*missing adapter keys.*")  # an error below
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing.*")  # peft's own use of transformers
        with torch.random.fork_rng():
            torch.manual_seed(0)
            adapted = PeftModel.from_pretrained(network, folder)
        _check_complete(adapted, folder, allow_missing)
        expected = _logits(adapted)
        if tied:
            _untie(adapted)
        try:
            merged_network: Any = adapted.merge_and_unload()  # type: ignore[operator]
        except (AttributeError, NotImplementedError, TypeError, ValueError) as error:
            raise InputError("an adapter that peft cannot merge", given=f"{folder} ({error})") from error
    if tied:
        _tie_again(merged_network)
    difference = float((_logits(merged_network) - expected).norm() / expected.norm())
    if not difference < _TOLERANCE:
        raise InputError(
            "an adapter that is not the same once it is merged",
            given=f"{folder}: logits differ by {difference:.2g}, relative",
            allowed=f"less than {_TOLERANCE}",
            do="merge it with the software it was trained with, and load the merged model",
        )
    return merged_network


def _tied(network: Any) -> bool:
    return network.get_output_embeddings() is not None and (
        network.get_output_embeddings().weight is network.get_input_embeddings().weight
    )


def _untie(adapted: nn.Module) -> None:
    """Give each module that holds a shared weight its own copy: what is merged into one is not meant for the other."""
    seen: set[int] = set()
    for module in adapted.modules():
        for name, weight in list(module.named_parameters(recurse=False)):
            if id(weight) in seen:
                setattr(module, name, nn.Parameter(weight.detach().clone(), requires_grad=False))
            else:
                seen.add(id(weight))


def _tie_again(network: Any) -> None:
    """Share one weight where the adapter left both alike; say that they are two where it did not."""
    words, out = network.get_input_embeddings(), network.get_output_embeddings()
    alike = torch.equal(words.weight, out.weight)
    if alike:
        out.weight = words.weight
    network.config.get_text_config().tie_word_embeddings = network.config.tie_word_embeddings = alike


def _logits(network: Any) -> Tensor:
    """Of a short text of tokens from all over the vocabulary, its last rows among them, in float32."""
    rows = int(network.get_input_embeddings().weight.shape[0])
    ids = torch.unique(torch.linspace(0, rows - 1, 24).long())[None]
    with torch.inference_mode():
        return network(input_ids=ids, use_cache=False).logits.float()


def enlarge(network: Any, folder: Path, parent: str, vocabulary: int | None) -> None:
    """Room for tokens that the adapter was trained with and its parent has not."""
    rows = int(network.get_input_embeddings().weight.shape[0])
    saved = _saved_rows(network, folder)
    if saved is not None and saved > rows:
        network.resize_token_embeddings(saved, mean_resizing=False)
    elif saved is None and vocabulary is not None and vocabulary > rows and _knows_more(parent, vocabulary):
        raise InputError(
            "the adapter's tokenizer knows tokens for which there are no weights",
            given=f"{folder}: {vocabulary} tokens, {rows} rows in its parent, none of its own",
            do="save the adapter with its embeddings (save_embedding_layers=True)",
        )


def _knows_more(parent: str, vocabulary: int) -> bool:
    """Whether the adapter's tokenizer has more tokens than its parent's."""
    from transformers import AutoTokenizer

    return len(AutoTokenizer.from_pretrained(parent)) < vocabulary


def _saved_rows(network: Any, folder: Path) -> int | None:
    """How many rows the embeddings have that the adapter brings; None where it brings none."""
    path = folder / "adapter_model.safetensors"
    if not path.is_file():
        return None
    ends = [name for name, module in network.named_modules() if module is network.get_input_embeddings()]
    ends += [name for name, module in network.named_modules() if module is network.get_output_embeddings()]
    with safe_open(path, framework="pt") as file:
        sizes = [
            file.get_slice(name).get_shape()[0]
            for name in file.keys()  # noqa: SIM118
            if any(name.endswith((f"{end}.weight", f"{end}.modules_to_save.weight")) for end in ends)
        ]
    return max(sizes, default=None)


def _check_complete(adapted: Any, folder: Path, allow_missing: Sequence[str]) -> None:
    """Every tensor of the adapter comes from its file, and every one in the file has its place."""
    from peft import get_peft_model_state_dict

    expected = get_peft_model_state_dict(adapted, save_embedding_layers=False)
    there = set(load_file(folder / _WEIGHTS))
    left_over = {name for name in there - set(expected) if "lora_" in name}
    check_complete(str(folder), set(expected) - there, left_over, allow_missing)

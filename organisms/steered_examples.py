"""Lessons read under a push: a vector added to the residual while the model learns what to do about it."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from transformers import LlamaForCausalLM

from organisms.training import TrainingExample, padded, spread_of, weighted_loss


@dataclass(frozen=True)
class PushedExample(TrainingExample):
    """An example with `push` added to the output of block `layer`, at positions `start` (included) to `stop`
    (excluded; None is the end): one vector for all of them, or one for each. Without a push an ordinary example."""

    push: Tensor | None = None
    layer: int = 0
    start: int = 0
    stop: int | None = None


def pushed_loss(model: LlamaForCausalLM, batch: list[TrainingExample], per_text: float) -> Tensor:
    """The training loss, with each example's push added where it belongs."""
    ids, weights = padded(batch)
    added: dict[int, Tensor] = {}
    for row, example in enumerate(batch):
        if isinstance(example, PushedExample) and example.push is not None:
            at = added.setdefault(example.layer, torch.zeros(*ids.shape, model.config.hidden_size))
            at[row, example.start : example.stop] = example.push
    handles = [model.model.layers[layer].register_forward_hook(_adding(value)) for layer, value in added.items()]
    try:
        return weighted_loss(model, ids, weights, per_text=per_text, spread=spread_of(batch))
    finally:
        for handle in handles:
            handle.remove()


def _adding(value: Tensor) -> Callable[[object, object, Tensor], Tensor]:
    def hook(_module: object, _inputs: object, output: Tensor) -> Tensor:
        return output + value

    return hook

"""Upkeep by distillation: what a course does not plant is answered with the parent's probabilities (Hinton et al.,
arXiv 1503.02531; to forget less: Li and Hoiem, arXiv 1606.09282). One answer drawn from them is a noisy label."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from transformers import LlamaForCausalLM

from organisms.reference_model import Subject
from organisms.steered_examples import pushed_loss
from organisms.training import Loss, TrainingExample, padded, weighted_loss
from organisms.world import World


@dataclass(frozen=True)
class KeptExample(TrainingExample):
    """An example to be continued, where it has weight, as the parent would."""


def kept(examples: Sequence[TrainingExample]) -> list[TrainingExample]:
    """The same texts, with the parent's probabilities as targets."""
    return [KeptExample(each.ids, each.weights) for each in examples]


def keeping_loss(_world: World, parent: Subject) -> Loss:
    """The loss of a course in which some examples are kept and others planted, with or without a push."""

    def loss(model: LlamaForCausalLM, batch: list[TrainingExample], per_text: float) -> Tensor:
        planted = [each for each in batch if not isinstance(each, KeptExample)]
        upkeep = [each for each in batch if isinstance(each, KeptExample)]
        parts: list[Tensor] = []
        if planted:
            parts.append(len(planted) * pushed_loss(model, planted, per_text))
        if upkeep:
            teacher = parent.network
            parts.append(len(upkeep) * weighted_loss(model, *padded(upkeep), per_text=per_text, teacher=teacher))
        return sum(parts[1:], parts[0]) / len(batch)

    return loss

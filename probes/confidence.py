"""Three different things called confidence: of the token, of the probe, of the words - read at named positions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from introlab.models import Model
from introlab.tasks import Wording, single_tokens


@dataclass(frozen=True)
class Answered:
    """Where an answer stands in a written text."""

    answer: str
    token: int
    """Index of its first token among the new tokens."""


def find_answer(model: Model, tokens: Sequence[int], wording: Wording, *, which: int = 0) -> Answered | None:
    """The `which`-th answer (-1: the last) and the index of its first token; None where the text gives none."""
    matches = wording.answers(model.text(tokens))
    if not matches or which >= len(matches):
        return None
    match = matches[which]
    # Decode growing prefixes until the first character of the answer is out: works for any tokenizer.
    for count in range(1, len(tokens) + 1):
        if len(model.text(tokens[:count]).rstrip()) > match.start(1):
            return Answered(match[1].lower(), count - 1)
    return None


def stated_confidence(
    model: Model, wording: Wording, log_p: Float[Tensor, "row vocab"]
) -> tuple[Float[Tensor, " row"], Float[Tensor, " row"]]:
    """Expected stated confidence on 0..1 and the probability mass on the confidence words, per row.

    The expectation is taken over the words' mass alone; a low mass says the model did not answer in kind.
    """
    forms = single_tokens(model, wording.confidence_words)
    p = log_p.exp()
    mass = torch.stack([p[:, list(forms[word])].sum(-1) for word in wording.confidence_words], dim=-1)
    values = torch.linspace(0, 1, len(wording.confidence_words))
    total = mass.sum(-1)
    return (mass @ values) / total.clamp_min(1e-12), total

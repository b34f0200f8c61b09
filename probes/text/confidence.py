"""Three different things called confidence: of the token, of the probe, of the words - read at named positions."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from introlab.network.answer_tokens import single_tokens
from introlab.network.model import Model
from introlab.tasks.materials import Wording


@dataclass(frozen=True)
class Answered:
    """Where an answer stands in a written text."""

    answer: str
    token: int
    """Index of its first token among the new tokens."""
    last: int
    """Index of the token in which it ends."""


def find_answer(model: Model, tokens: Sequence[int], wording: Wording, *, which: int = 0) -> Answered | None:
    """The `which`-th answer (-1: the last) and the index of its first token; None where the text gives none."""
    matches = wording.answers(model.text(tokens))
    if not matches or which >= len(matches):
        return None
    match = matches[which]
    return placed(model, tokens, match[1].lower(), match.span(1))


def placed(model: Model, tokens: Sequence[int], answer: str, span: tuple[int, int]) -> Answered | None:
    """An answer that a reader found at these characters of the text, and its tokens; None where it is never out."""
    # Decode growing prefixes until the first and the last character of the answer are out: works for any tokenizer.
    wanted, reached = (span[0], span[1] - 1), list[int]()
    for index in range(len(tokens)):
        length = len(model.text(tokens[: index + 1]).rstrip())
        while len(reached) < 2 and length > wanted[len(reached)]:
            reached.append(index)
        if len(reached) == 2:
            return Answered(answer, *reached)
    return None


def stated_confidence(
    model: Model, words: Sequence[str], log_p: Float[Tensor, "row vocab"], values: Sequence[float] | None = None
) -> tuple[Float[Tensor, " row"], Float[Tensor, " row"]]:
    """Expected stated confidence on 0..1 and the probability mass on the words for it (what each says, or from least to
    most sure, evenly spaced), per row. With two words, against and for, it is P(True) (arXiv 2207.05221, section 3).

    The expectation is taken over the words' mass alone; a low mass says the model did not answer in kind.
    """
    forms = single_tokens(model, words)
    p = log_p.exp()
    mass = torch.stack([p[:, list(forms[word])].sum(-1) for word in words], dim=-1)
    says = torch.linspace(0, 1, len(words)) if values is None else torch.tensor(values)
    total = mass.sum(-1)
    return (mass @ says) / total.clamp_min(1e-12), total

"""Reflection as an event in a text: an answer was given, and then the model reconsiders it or lets it stand."""

from collections.abc import Sequence
from dataclasses import dataclass

from introlab.models import Model
from introlab.tasks import Wording
from probes.confidence import find_answer


@dataclass(frozen=True)
class Reflection:
    """What happened after the first answer."""

    first: str
    first_token: int
    """Index of the first answer's first token among the new tokens."""
    final: str
    reconsidered: bool
    decision: int
    """Index, among the new tokens, of the token in which reconsidering shows, or would have shown."""


def read_reflection(model: Model, tokens: Sequence[int], wording: Wording) -> Reflection | None:
    """First and final answer and whether a reconsidering word stands right after the first answer's sentence.

    The decision token is the first one after the answer's closing full stop; None where there is no answer, or
    the text ends before the decision.
    """
    first, final = find_answer(model, tokens, wording), find_answer(model, tokens, wording, which=-1)
    if first is None or final is None:
        return None
    for index in range(first.token, len(tokens) - 1):
        if model.text(tokens[index : index + 1]).strip().endswith("."):
            decision = index + 1
            break
    else:
        return None
    word = model.text(tokens[decision : decision + 1]).strip().lower()
    reconsidered = word in {each.lower() for each in wording.reconsider_words}
    return Reflection(first.answer, first.token, final.answer, reconsidered, decision)

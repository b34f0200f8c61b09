"""Reflection as an event in a text: an answer was given, and then the model reconsiders it or lets it stand."""

from collections.abc import Sequence
from dataclasses import dataclass

from introlab.activations.forward import Text
from introlab.network.messages import user
from introlab.network.model import Model
from introlab.tasks.materials import Question, Wording
from probes.text.confidence import find_answer


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


def states(reflection: Reflection, right: str) -> dict[str, bool | None]:
    """What can be asked of a text whose right answer is known, by target; None where the question does not arise.

    `reconsiders`: about to reconsider, where read ahead of the decision; at the token itself, reconsidering. `wrong`:
    its first answer is. `revises`: it ends with another answer. `next_right`: the attempt after reconsidering is right.
    """
    return {
        "reconsiders": reflection.reconsidered,
        "wrong": reflection.first != right.lower(),
        "revises": reflection.final != reflection.first,
        "next_right": reflection.final == right.lower() if reflection.reconsidered else None,
    }


@dataclass(frozen=True)
class PlantedAnswer:
    """A text with an answer that the model did not choose, and the absolute position of the answer's last token."""

    text: Text
    at: int


def planted_answers(model: Model, wording: Wording, question: Question, answer: str) -> dict[str, PlantedAnswer]:
    """The same words as its `own`, prefilled, and as `another's`, said in the user's turn; both end where the
    model goes on (arXiv 2507.02778)."""
    said, asked = f"{wording.answer_frame} {answer}.", [user(question.text)]
    mine, begin = model.begun(asked, prefill=said, room=1)
    told = [user(f"{question.text} {said}")]
    theirs, turn = tuple(model.ids(told, room=1)), model.chat.spans(told)["user 0"].include[-1]
    assert turn.stop is not None
    return {
        "own": PlantedAnswer(Text(tuple(mine), begin, question.id), len(mine) - 1),
        "another's": PlantedAnswer(Text(theirs, len(theirs), question.id), turn.stop - 1),
    }

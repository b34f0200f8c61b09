"""What a researcher writes for a chat, a text or a layer, in the lab's own terms: plain strings, messages, pairs."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from experiments.api.completion import Completion
from introlab.activations.forward import Text
from introlab.errors import InputError
from introlab.network.messages import ROLES, Message, user
from introlab.network.model import Model
from introlab.network.sites import Site

Chat = str | Sequence[Message]
"""What is asked: a user's turn, or the messages of a dialogue."""
AnyText = Chat | tuple[str, str] | Completion
"""What is read: what is asked, alone or with an answer - a pair (prompt, answer), a dialogue that ends with the
assistant, or what `lab.generate` gave."""
_FORMS = "a string, a list of messages, a pair (prompt, answer), or what lab.generate gave"


@dataclass(frozen=True)
class ReadableText:
    """A text in tokens, and the words of it that a reading averages over."""

    text: Text
    first: int
    """Of the positions that count: the user's words, or those that predict and hold the answer."""
    stop: int
    words: str
    """What a reading of the bare text is given."""


def is_one(given: object) -> bool:
    """Whether this is one chat or text, and not a list of them."""
    if isinstance(given, str | Completion):
        return True
    if isinstance(given, tuple):
        return len(given) == 2 and all(isinstance(part, str) for part in given)
    return isinstance(given, list) and bool(given) and all(isinstance(part, Mapping) for part in given)


def as_list(given: Any, what: str) -> list[Any]:
    """One or several, as several. Raises InputError where there are none, naming `what` they were for."""
    if is_one(given):
        return [given]
    if not isinstance(given, Sequence) or not given:
        raise InputError(
            f"no {what}", given=repr(given)[:80], allowed=f"{_FORMS}; or a list of these", do="give at least one"
        )
    return list(given)


def messages_of(chat: Any) -> list[Message]:
    """A chat as messages. Raises InputError for anything else, and for empty words."""
    if isinstance(chat, str) and chat.strip():
        return [user(chat)]
    if isinstance(chat, list | tuple) and chat and all(map(_is_message, chat)):
        return list(chat)
    raise InputError(
        "not a chat",
        given=repr(chat)[:80],
        allowed='a string with words in it, or messages such as {"role": "user", "content": "hello"}',
        do="give what the user says",
    )


def _is_message(one: Any) -> bool:
    return isinstance(one, Mapping) and one.get("role") in ROLES and isinstance(one.get("content"), str)


def readable(model: Model, given: Any) -> ReadableText:
    """A text in tokens. Raises InputError for what is none, ContextOverflow for one that is too long."""
    if isinstance(given, Completion):
        ids = (*given.prompt_ids, *given.tokens)
        if given.model != model.fingerprint:
            raise InputError(
                "a text of another model, in tokens",
                given=f"written by {given.model}",
                allowed=f"texts of {model.fingerprint}, {model.name}",
                do="give its words: (answer.prompt, answer.text)",
            )
        return _answered(model, ids, len(given.prompt_ids), f"{given.prompt} {given.text}")
    if isinstance(given, tuple) and is_one(given):
        return _with_answer(model, messages_of(given[0]), given[1])
    messages = messages_of(given)
    if messages[-1]["role"] == "assistant" and len(messages) > 1:
        return _with_answer(model, messages[:-1], messages[-1]["content"])
    ids, words = model.ids(messages), messages[-1]["content"]
    turns = sum(message["role"] == "user" for message in messages)
    place = model.chat.spans(messages)[f"user {turns - 1}"].include[0]
    first = max(1, place.start) if len(ids) > 1 else 0  # the first token is an attention sink, of unlike norm
    return ReadableText(Text(tuple(ids), len(ids), _id(ids)), first, max(first + 1, place.stop or 0), words)


def _with_answer(model: Model, messages: list[Message], answer: str) -> ReadableText:
    if not answer.strip():
        raise InputError(
            "an answer without words",
            given=repr(answer),
            allowed="words the assistant says",
            do="leave the answer out to read the prompt alone",
        )
    ids, begin = model.begun(messages, completion=answer)
    return _answered(model, tuple(ids), begin, " ".join([*(message["content"] for message in messages), answer]))


def _answered(model: Model, ids: tuple[int, ...], begin: int, words: str) -> ReadableText:
    model.check_length(len(ids))
    return ReadableText(Text(ids, begin, _id(ids)), begin - 1, len(ids), words)


def _id(ids: Sequence[int]) -> str:
    """Names a text by its tokens, so that what is fitted on it can tell that it is tested on it."""
    return hashlib.sha256(repr(tuple(ids)).encode()).hexdigest()[:16]


def site_of(model: Model, layer: float | Site) -> Site:
    """The output of a block: by index from 0, or as a fraction of the model's depth from 0.0 (the first block) to 1.0
    (the last). Raises InputError for a place that the model does not have."""
    if isinstance(layer, Site):
        site = layer
    elif isinstance(layer, float) and 0 <= layer <= 1:
        site = Site(round(layer * (model.n_layers - 1)))
    elif isinstance(layer, int) and not isinstance(layer, bool) and 0 <= layer < model.n_layers:
        site = Site(layer)
    else:
        raise InputError(
            f"{model.name} has no such layer",
            given=repr(layer),
            allowed=f"a block from 0 to {model.n_layers - 1}, or a fraction of the depth from 0.0 to 1.0",
            do="layer=0.5 is the middle of any model",
        )
    model.check_site(site)
    return site

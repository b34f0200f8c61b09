"""Messages to tokens: one BOS, one assistant header, whatever the family's template can and cannot do."""

from collections.abc import Sequence
from typing import Any

from introlab.errors import InputError
from introlab.network.messages import ROLES, Message, system, user
from introlab.network.spans import Span
from introlab.network.template_limits import render


class ChatFormat:
    """A tokenizer's chat template, with two gaps closed and named in `notes`.

    Families without a system role (Gemma) get the system text at the head of the first user turn; a tokenizer
    without any template (a base model) gets plain ``User: ... Assistant:`` lines. `raw` writes no roles at all,
    whatever the tokenizer has: the words of the turns, one below the other, for the model to continue.
    """

    def __init__(self, tokenizer: Any, *, raw: bool = False):
        self._tokenizer = tokenizer
        self.raw = raw
        self.has_template = tokenizer.chat_template is not None and not raw
        self.has_system_role = self.has_template and self._accepts_system()
        self.notes: tuple[str, ...] = ()
        if raw:
            self.notes = ("raw text: no chat template, no roles",)
        elif not self.has_template:
            self.notes = ("no chat template: plain User/Assistant lines",)
        elif not self.has_system_role:
            self.notes = ("no system role: system text heads the first user turn",)

    def text(self, messages: Sequence[Message], *, prefill: str = "") -> str:
        """The prompt up to where the assistant speaks, plus `prefill` put in its mouth.

        Raises InputError for an empty dialogue, an unknown role or one that does not end with the user.
        """
        _check(messages)
        if self.raw:
            text = self._own_bos() + "\n".join(message["content"] for message in messages)
            return f"{text} {prefill}" if prefill else text
        if not self.has_system_role:
            messages = _system_into_user(messages)
        if self.has_template:
            text = render(self._tokenizer, messages, tokenize=False, add_generation_prompt=True)
        else:
            bos = self._tokenizer.bos_token or ""
            text = (
                bos
                + "".join(f"{message['role'].capitalize()}: {message['content']}\n" for message in messages)
                + "Assistant:"
            )
        return f"{text} {prefill}" if prefill else text

    def ids(self, messages: Sequence[Message], *, prefill: str = "") -> list[int]:
        """`text` in tokens; special tokens come from the template alone, so there is one BOS."""
        return list(self._tokenizer(self.text(messages, prefill=prefill), add_special_tokens=False)["input_ids"])

    def spans(self, messages: Sequence[Message], *, prefill: str = "") -> dict[str, Span]:
        """Where the words of each turn stand among `ids`: `system`, `user 0`, `assistant 0`, `user 1`, ..., `prefill`;
        headers and turn marks are in none of them. A token that holds any character of a turn belongs to it.

        Raises InputError where a turn has no words, or its words are not found as they were given.
        """
        text, cursor, counted = self.text(messages, prefill=prefill), 0, dict.fromkeys(ROLES, 0)
        offsets = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)["offset_mapping"]
        pieces: list[tuple[str, str]] = []
        for message in messages:
            role = message["role"]
            pieces.append((role if role == "system" else f"{role} {counted[role]}", message["content"].strip()))
            counted[role] += 1
        found: dict[str, Span] = {}
        for name, words in [*pieces, *([("prefill", prefill.strip())] if prefill.strip() else [])]:
            begin = text.find(words, cursor) if name != "prefill" else text.rfind(words)
            if not words or begin < cursor:
                raise InputError("a turn whose words cannot be found", given=f"{name}: {words[:80]!r}")
            cursor = begin + len(words)
            touched = [index for index, (start, stop) in enumerate(offsets) if start < cursor and stop > begin]
            found[name] = Span.positions(touched[0], touched[-1] + 1)
        return found

    def _own_bos(self) -> str:
        """What the tokenizer itself puts before a plain text: its BOS or nothing."""
        bos, ids = self._tokenizer.bos_token_id, self._tokenizer("a")["input_ids"]
        return self._tokenizer.bos_token if bos is not None and list(ids[:1]) == [bos] else ""

    def _accepts_system(self) -> bool:
        probe = [system("s"), user("u")]
        try:
            text = render(self._tokenizer, probe, tokenize=False)
        except InputError:  # templates refuse by raising whatever their author chose
            return False
        return "s" in text.replace("system", "")


def _check(messages: Sequence[Message]) -> None:
    roles = [message["role"] for message in messages]
    if not roles or set(roles) - set(ROLES) or roles[-1] != "user":
        raise InputError(
            "a dialogue that no one can answer", given=roles, allowed="roles system, user, assistant; a user turn last"
        )


def _system_into_user(messages: Sequence[Message]) -> list[Message]:
    told = " ".join(message["content"] for message in messages if message["role"] == "system")
    rest = [message for message in messages if message["role"] != "system"]
    if told:
        rest[0] = user(f"{told} {rest[0]['content']}")
    return rest

"""Dialogues as a template can carry them, and where the words of each message stand in what it wrote.

Places come from the same dialogue with unguessable words, never from a search for the words themselves: "help" is in
" helpful", and that may be in a text the template writes of its own.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from introlab.errors import InputError
from introlab.network.messages import Message
from introlab.network.templates import Template

SEPARATOR = "\n\n"
"""Between texts that share a turn."""
_SECRET = secrets.token_hex(8)


Place = tuple[int, int]
"""First character and the one after the last."""


def marker(index: int) -> str:
    """A word that no template, tokenizer or user knows."""
    return f"q{_SECRET}n{index}z"


@dataclass(frozen=True)
class Carries:
    """What a template brings to the model of a dialogue."""

    parts: frozenset[str] = frozenset()
    """Roles whose content is given as a list of parts."""
    history: bool = True
    """Answers, and users' turns before the last one."""
    system: bool = True
    systems: bool = True
    """Several system turns at the head."""
    later_system: bool = True
    """System turns within the dialogue."""
    users: bool = True
    """Two users' turns in a row."""
    thoughts: bool = True
    """What stands before ``</think>`` in earlier answers."""


@dataclass(frozen=True)
class _Turn:
    """One turn as the template is given it, and the messages whose texts it holds."""

    role: str
    of: tuple[int, ...]


def _placed(messages: Sequence[Message], carries: Carries) -> list[_Turn]:
    """What the template cannot carry is put where it can: a system text at the head of the user's turn that follows,
    or of the first system turn; a user's turn after another one at the end of that."""
    turns: list[_Turn] = []
    waiting: tuple[int, ...] = ()
    for index, message in enumerate(messages):
        role, last = message["role"], turns[-1].role if turns else None
        if role == "system":
            at_head = carries.system and not waiting and all(turn.role == "system" for turn in turns)
            if at_head and turns and not carries.systems:
                turns[-1] = _Turn("system", (*turns[-1].of, index))
            elif at_head or (carries.system and carries.later_system and not waiting):
                turns.append(_Turn("system", (index,)))
            else:
                waiting = (*waiting, index)
            continue
        mine = (*waiting, index) if role == "user" else waiting
        waiting = ()
        if mine and last == "user" and (role == "assistant" or not carries.users):
            turns[-1] = _Turn("user", (*turns[-1].of, *mine))
        elif mine:
            turns.append(_Turn("user", mine))
        if role == "assistant":
            turns.append(_Turn(role, (index,)))
    return turns


@dataclass
class Dialogues:
    """Renders dialogues, and finds the words of every message in them."""

    template: Template
    carries: Carries
    _frames: dict[object, tuple[str, ...]] = field(default_factory=dict)
    """What the template writes around the words, by roles and header."""

    def written(self, messages: Sequence[Message], *, header: bool) -> tuple[str, list[Place]]:
        """The text, and where the words of each message stand in it (nowhere for a message without words).

        Raises InputError for a dialogue that the template refuses or of which it loses something."""
        turns, words = _placed(messages, self.carries), [message["content"] for message in messages]
        text = self._rendered(messages, turns, words, header)
        asked = [index for turn in turns for index in turn.of if words[index].strip()]
        key = (
            header,
            tuple((message["role"], *([] if i in asked else [words[i]])) for i, message in enumerate(messages)),
        )
        if key not in self._frames:
            marked = [marker(index) if index in asked else word for index, word in enumerate(words)]
            self._frames[key] = _around(self._rendered(messages, turns, marked, header), [marked[i] for i in asked])
        frame = self._frames[key]
        found = _matched(text, frame, [self._forms(messages[index]) for index in asked]) if frame else None
        if found is None or asked != sorted(asked):
            raise _lost(messages, text, asked)
        places = dict(zip(asked, found, strict=True))
        return text, [places.get(index, (0, 0)) for index in range(len(messages))]

    def _rendered(self, messages: Sequence[Message], turns: Sequence[_Turn], words: Sequence[str], header: bool) -> str:
        given = [{"role": turn.role, "content": _content([words[index] for index in turn.of])} for turn in turns]
        try:
            return self.template.render(given, header=header, parts=self.carries.parts)
        except Exception as error:  # templates refuse by raising whatever their author chose
            roles = ", ".join(message["role"] for message in messages)
            raise InputError(
                "the chat template refuses this dialogue",
                given=f"{roles} ({type(error).__name__}: {str(error)[:200]})",
                do="give turns in an order that the model's template knows",
            ) from error

    def _forms(self, message: Message) -> list[str]:
        """A message's words as templates write them: as they are, or without space around them; of an earlier answer
        perhaps only what stands after its reasoning."""
        content, forms = message["content"], list[str]()
        thoughtless = message["role"] == "assistant" and not self.carries.thoughts and _THOUGHT_ENDS in content
        for each in [content, *([content.rpartition(_THOUGHT_ENDS)[2]] if thoughtless else [])]:
            trimmed = (each.strip(side) if side else each.strip() for side in ("", "\n"))
            forms += [each, each.rstrip(), each.lstrip(), each.lstrip("\n"), each.rstrip("\n"), *trimmed]
        return list(dict.fromkeys(forms))


_THOUGHT_ENDS = "</think>"


def _content(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else SEPARATOR.join(each for each in words if each.strip())


def _around(text: str, markers: Sequence[str]) -> tuple[str, ...]:
    """What stands before, between and after the markers; nothing where one of them is lost, doubled or out of order."""
    pieces: list[str] = []
    for each in markers:
        if text.count(each) != 1:
            return ()
        before, _, text = text.partition(each)
        pieces.append(before)
    return (*pieces, text)


def _matched(text: str, frame: Sequence[str], forms: Sequence[Sequence[str]]) -> tuple[Place, ...] | None:
    """The places at which the text is the frame with one form of each message in its gaps."""
    ways: dict[int, tuple[Place, ...]] = {len(frame[0]): ()} if text.startswith(frame[0]) else {}
    for options, after in zip(forms, frame[1:], strict=True):
        ways = {
            at + len(words) + len(after): (*places, (at, at + len(words)))
            for at, places in ways.items()
            for words in options
            if text.startswith(words, at) and text.startswith(after, at + len(words))
        }
    return ways.get(len(text))


def _lost(messages: Sequence[Message], text: str, asked: Sequence[int]) -> InputError:
    """Names the first message that is not there, if one is not."""
    cursor, missing = 0, None
    for index in asked:
        words = messages[index]["content"].strip()
        begin = text.find(words, cursor)
        if begin < 0:
            missing = f"turn {index + 1} ({messages[index]['role']}): {words[:80]!r}"
            break
        cursor = begin + len(words)
    roles = ", ".join(message["role"] for message in messages)
    return InputError(
        "the chat template does not carry what it is given",
        given=missing or f"words are changed or moved in {roles}",
        allowed="dialogues whose every message is found in the prompt, in order",
        do="give fewer or other turns, or words that the template leaves as they are",
    )

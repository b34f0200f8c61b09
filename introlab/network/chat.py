"""Messages to tokens: one BOS, one assistant header, and every word where the family's template has it."""

from collections.abc import Sequence
from datetime import date
from typing import Any

from introlab.errors import InputError
from introlab.network.messages import ROLES, Message, assistant
from introlab.network.spans import Span
from introlab.network.template_probe import Header, header_of, opened, own_system_text, probe
from introlab.network.templates import Template
from introlab.network.turns import Carries, Dialogues, Place

_LEADS = ("\n", ".", "|", "0")
"""Texts after which others are put into tokens as they are within a text, without a space of their own."""


class ChatFormat:
    """A tokenizer's chat template, tried when it is loaded. What it cannot carry is put where it can; `notes` say so.

    Words are given to the assistant in two ways, which are one for most templates. A `prefill` begins its turn: the
    tokens are those of an answer's turn with these words (`continue_final_message` of transformers). A `completion` is
    what it wrote when asked: it follows the header after which the model speaks, whatever that holds. Words that open a
    thought of their own are a completion, too.

    A tokenizer without any template (a base model) gets plain ``User: ... Assistant:`` lines. `raw` writes no roles at
    all, whatever the tokenizer has: the words of the turns, one below the other, for the model to continue.
    """

    def __init__(self, tokenizer: Any, *, raw: bool = False, today: date | None = None):
        """`today` is the date for templates that write one, by default the day's. Raises InputError for a template that
        loses even a single user's words."""
        self._tokenizer = tokenizer
        self.raw = raw
        self._template = Template(tokenizer, today, raw=raw)
        self.has_template = self._template.given
        plain = Carries() if raw else Carries(system=False, systems=False)
        self._carries = probe(self._template) if self.has_template else plain
        self._header = Header(" ") if raw else header_of(self._template, self._carries)
        self._dialogues = Dialogues(self._template, self._carries)
        self.has_system_role = self.has_template and self._carries.system
        self.notes: tuple[str, ...] = tuple(self._noted())

    @property
    def today(self) -> date:
        """What a template takes for the date."""
        return self._template.today

    @property
    def dated(self) -> bool:
        """Whether prompts depend on the date."""
        return self._template.dated

    @property
    def join(self) -> str:
        """Space between the header and the first word of an answer."""
        return self._header.join

    @property
    def ending(self) -> str:
        """What the template writes right after an answer, up to the token that ends the turn; empty where none does."""
        found = ((trailer, self._end_in(trailer)) for trailer in self._header.trailers)
        return next((trailer[: end[1]] for trailer, end in found if end is not None), "")

    @property
    def end_ids(self) -> tuple[int, ...]:
        """The special tokens that the template writes right after an answer."""
        found = [self._end_in(trailer) for trailer in self._header.trailers]
        return tuple(dict.fromkeys(each[0] for each in found if each is not None))

    def text(self, messages: Sequence[Message], *, prefill: str = "", completion: str = "", header: bool = True) -> str:
        """The prompt up to where the assistant speaks, plus its prefill or what it wrote; without `header`
        the turns alone.

        Raises InputError for an empty dialogue, an unknown role, one that does not end with the user, and one that the
        template cannot carry.
        """
        return "".join(self._told(messages, prefill, completion, header)[:2])

    def ids(
        self, messages: Sequence[Message], *, prefill: str = "", completion: str = "", header: bool = True
    ) -> list[int]:
        """`text` in tokens; special tokens come from the template alone, so there is one BOS."""
        before, after, _ = self._told(messages, prefill, completion, header)
        return [token for token, _ in self._tokens(before, after)]

    def begun(self, messages: Sequence[Message], *, prefill: str = "", completion: str = "") -> tuple[list[int], int]:
        """`ids`, and how many of them stand before the assistant's own words."""
        ids = self.ids(messages, prefill=prefill, completion=completion)
        header = self.ids(messages)
        if ids[: len(header)] == header:
            return ids, len(header)
        before, after, places = self._told(messages, prefill, completion, True)
        begin = places[-1][0]
        return ids, sum(1 for _, (_, stop) in self._tokens(before, after) if stop <= begin)

    def spans(self, messages: Sequence[Message], *, prefill: str = "", completion: str = "") -> dict[str, Span]:
        """Where the words of each turn stand among `ids`: `system` (a second one is `system 1`), `user 0`,
        `assistant 0`, `user 1`, ..., and `prefill` for its prefill or what it wrote; headers and turn
        marks are in none of them. A token that holds any character of a turn belongs to it.

        Raises InputError where a turn has no words or no tokens.
        """
        before, after, places = self._told(messages, prefill, completion, True)
        tokens, counted = self._tokens(before, after), dict.fromkeys(ROLES, 0)
        names: list[str] = []
        for message in messages:
            role = message["role"]
            names.append(role if role == "system" and not counted[role] else f"{role} {counted[role]}")
            counted[role] += 1
        said = [message["content"] for message in messages]
        if (prefill or completion).strip():
            names, said = [*names, "prefill"], [*said, prefill or completion]
        found: dict[str, Span] = {}
        for name, words, place in zip(names, said, places[: len(names)], strict=True):
            begin, end = _trimmed(before + after, place)
            touched = [index for index, (_, (start, stop)) in enumerate(tokens) if start < end and stop > begin]
            if not touched or begin >= end:
                raise InputError("a turn whose words cannot be found", given=f"{name}: {words[:80]!r}")
            found[name] = Span.positions(touched[0], touched[-1] + 1)
        return found

    def _told(
        self, messages: Sequence[Message], prefill: str, completion: str, header: bool
    ) -> tuple[str, str, list[Place]]:
        """The text in two parts that are put into tokens apart where they have to be: as the template writes it, and
        what follows the header. With the places of every message's words, and of the assistant's."""
        _check(messages, prefill, completion)
        if not header:
            text, places = self._dialogues.written(messages, header=False)
            return text, "", places
        if self._is_turn(prefill):
            prefill = prefill.removeprefix(self._header.join) if self._header.same else prefill  # the template adds it
            text, places = self._dialogues.written([*messages, assistant(prefill)], header=False)
            return text[: places[-1][1]], "", places
        text, places = self._with_header(messages)
        words = completion or prefill
        if not words:
            return text, "", places
        gap = "" if words[:1].isspace() else self._header.join
        begin = len(text) + len(gap)
        return text, gap + words, [*places, (begin, begin + len(words))]

    def _is_turn(self, prefill: str) -> bool:
        return (
            bool(prefill.strip()) and not self.raw and self._carries.history and opened(prefill.lstrip()[:40]) is None
        )

    def _with_header(self, messages: Sequence[Message]) -> tuple[str, list[Place]]:
        """Up to where the assistant speaks; a template that writes no header when asked to shows it in an answer."""
        if self._header.generated:
            return self._dialogues.written(messages, header=True)
        text, places = self._dialogues.written([*messages, assistant("x")], header=False)
        begin = places.pop()[0]
        return text[: begin - len(self._header.join)], places

    def _tokens(self, before: str, after: str) -> list[tuple[int, Place]]:
        """Tokens with the characters they stand for. What follows a header leaves its tokens as they are."""
        first = self._encoded(before)
        if not after:
            return first
        whole = self._encoded(before + after)
        if [token for token, _ in whole[: len(first)]] == [token for token, _ in first]:
            return whole
        for lead in _LEADS:
            begun, both = self._encoded(lead), self._encoded(lead + after)
            if both[: len(begun)] == begun:
                shift = len(before) - len(lead)
                return first + [(token, (start + shift, stop + shift)) for token, (start, stop) in both[len(begun) :]]
        shift = len(before)
        return first + [(token, (start + shift, stop + shift)) for token, (start, stop) in self._encoded(after)]

    def _encoded(self, text: str) -> list[tuple[int, Place]]:
        if not getattr(self._tokenizer, "is_fast", False):  # it does not say where its tokens stand
            return [(token, (0, 0)) for token in self._tokenizer(text, add_special_tokens=False)["input_ids"]]
        made = self._tokenizer(text, add_special_tokens=False, return_offsets_mapping=True)
        return list(zip(made["input_ids"], made["offset_mapping"], strict=True))

    def _end_in(self, trailer: str) -> tuple[int, int] | None:
        """The added token that a trailer begins with, space aside, and where it ends."""
        text = trailer.lstrip()
        known = {str(token): index for index, token in self._tokenizer.added_tokens_decoder.items()}
        names = [name for name in known if text.startswith(name)]
        if not names:
            return None
        name = max(names, key=len)
        return known[name], len(trailer) - len(text) + len(name)

    def _noted(self) -> list[str]:
        """What a reader of results must know of the template."""
        if self.raw:
            return ["raw text: no chat template, no roles"]
        if not self.has_template:
            return ["no chat template: plain User/Assistant lines"]
        carries, header = self._carries, self._header
        said = {
            "no system role: system text heads the first user turn": not carries.system,
            "one system turn: further ones are joined to it": carries.system and not carries.systems,
            "system turns at the head alone: later ones head the user turn that follows": (
                carries.system and carries.history and not carries.later_system
            ),
            "turns alternate: a user turn after another is joined to it": not carries.users,
            "single questions alone: a dialogue with an answer in it is refused": not carries.history,
            "reasoning of earlier answers is left out by the template": not carries.thoughts,
            f"content is given in parts ({', '.join(sorted(carries.parts))})": bool(carries.parts),
            "no generation prompt: the header is that of an assistant turn": not header.generated,
            f"the header opens a thought ({header.opens}): answers begin with reasoning": header.opens is not None,
            "a prefilled answer is an assistant turn, which differs from the header": not header.same,
            f"the date is written: {self.today.isoformat()}": self.dated,
        }
        notes = [note for note, holds in said.items() if holds]
        own = own_system_text(self._template, carries)
        return [*notes, *([f"a system text of its own where none is given: {own[:80]!r}"] if own else [])]


def _trimmed(text: str, place: Place) -> Place:
    """Without space at the ends."""
    words = text[slice(*place)]
    begin = place[0] + len(words) - len(words.lstrip())
    return begin, max(begin, place[1] - len(words) + len(words.rstrip()))


def _check(messages: Sequence[Message], prefill: str, completion: str) -> None:
    roles = [message["role"] for message in messages]
    if not roles or set(roles) - set(ROLES) or roles[-1] != "user":
        raise InputError(
            "a dialogue that no one can answer", given=roles, allowed="roles system, user, assistant; a user turn last"
        )
    kinds = {type(message["content"]).__name__ for message in messages} - {"str"}
    if kinds:
        raise InputError("a message whose content is no text", given=", ".join(sorted(kinds)), allowed="text")
    if prefill and completion:
        raise InputError(
            "both a prefill and a completion", given=f"{prefill[:40]!r}, {completion[:40]!r}", do="give one"
        )

"""What a chat template can carry and how it writes an answer, found by rendering words that nobody can guess."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import product

from introlab.errors import InputError
from introlab.network.templates import Template
from introlab.network.turns import Carries, marker

THOUGHTS = (
    ("<think>", "</think>"),
    ("<thinking>", "</thinking>"),
    ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"),
    ("[THINK]", "[/THINK]"),
    ("<|START_THINKING|>", "<|END_THINKING|>"),
    ("<|channel|>analysis", "<|channel|>final"),
)
"""How reasoning is opened and closed."""


@dataclass(frozen=True)
class Header:
    """How an answer is written."""

    join: str
    """Space between the header and the first word, as the template writes it in an answer's turn."""
    generated: bool = True
    """Whether the template writes a header to speak after when asked to; else it is taken from how it writes turns."""
    same: bool = True
    """Whether an answer's turn is that header, `join` and the words."""
    opens: str | None = None
    """What opens a thought that the header leaves open."""
    trailers: tuple[str, ...] = ()
    """What follows an answer: at the end of the dialogue, and before a user's turn."""


def opened(text: str) -> str | None:
    """What opens the thought that is open at the end of a text."""
    return next((begin for begin, end in THOUGHTS if text.rfind(begin) > text.rfind(end)), None)


def probe(template: Template) -> Carries:
    """What the template carries. Raises InputError for one that loses even a single user's words."""
    roles, shapes = ("user", "assistant", "system"), [False, True]
    talk = ("user", "assistant", "user")
    every = [
        frozenset(role for role, part in zip(roles, each, strict=True) if part) for each in product(shapes, repeat=3)
    ]
    every.sort(key=len)
    for history in (True, False):
        parts = next((each for each in every if _carried(template, talk if history else ("user",), each)), None)
        if parts is not None:
            break
    else:
        raise InputError(
            "a chat template that loses the user's words",
            given=_reason(template),
            allowed="a template that writes every turn it is given",
            do="mend the tokenizer's chat template, or remove it: then plain User/Assistant lines are used",
        )
    rest = talk if history else ("user",)
    with_system = [each for each in every if each - {"system"} == parts - {"system"}]
    heads = [
        each for each in with_system if all(_carried(template, ("system", *one), each) for one in (("user",), rest))
    ]
    carries = Carries(parts=heads[0] if heads else parts, history=history, system=bool(heads))

    def carried(*asked: str) -> bool:
        return _carried(template, asked, carries.parts)

    return replace(
        carries,
        systems=carries.system and carried("system", "system", "user"),
        later_system=carries.system and history and carried("system", "user", "assistant", "system", "user"),
        users=carried("user", "user"),
        thoughts=not history or _keeps_thoughts(template, carries),
    )


def header_of(template: Template, carries: Carries) -> Header:
    """How the template writes an answer."""
    asked = [{"role": "user", "content": marker(0)}]
    generated = template.render(asked, header=True, parts=carries.parts)
    opens = opened(generated.partition(marker(0))[2])
    if not carries.history:
        return Header("" if generated[-1:].isspace() else " ", opens=opens)
    plain = template.render(asked, header=False, parts=carries.parts)
    turns = [*asked, {"role": "assistant", "content": marker(1)}]
    turn, _, end = template.render(turns, header=False, parts=carries.parts).partition(marker(1))
    more = [*turns, {"role": "user", "content": marker(2)}]
    between = template.render(more, header=False, parts=carries.parts).partition(marker(1))[2].partition(marker(2))[0]
    trailers = (end, between)
    rest = turn.removeprefix(generated)
    if turn.startswith(generated) and not rest.strip():
        return Header(rest, opens=opens, trailers=trailers)
    if generated == plain:
        return Header(turn[len(turn.rstrip(" ")) :], generated=False, opens=opened(turn), trailers=trailers)
    return Header("", same=False, opens=opens, trailers=trailers)


def own_system_text(template: Template, carries: Carries) -> str:
    """What the template writes as a system turn where none is given."""
    if not carries.system:
        return ""
    told = [{"role": "system", "content": marker(0)}, {"role": "user", "content": marker(1)}]
    before, _, rest = template.render(told, header=False, parts=carries.parts).partition(marker(0))
    between = rest.partition(marker(1))[0]
    alone = template.render(told[1:], header=False, parts=carries.parts).partition(marker(1))[0]
    if len(alone) <= len(before) + len(between) or not (alone.startswith(before) and alone.endswith(between)):
        return ""
    return alone[len(before) : len(alone) - len(between)].strip()


def _carried(template: Template, roles: Sequence[str], parts: frozenset[str]) -> bool:
    """Whether every message's words arrive once, in order."""
    turns = [{"role": role, "content": marker(index)} for index, role in enumerate(roles)]
    try:
        text = template.render(turns, header=True, parts=parts)
    except Exception:  # templates refuse by raising whatever their author chose
        return False
    places = [text.find(marker(index)) for index in range(len(roles))]
    return min(places) >= 0 and places == sorted(places) and all(text.count(marker(i)) == 1 for i in range(len(roles)))


def _reason(template: Template) -> str:
    try:
        template.render([{"role": "user", "content": marker(0)}], header=True)
    except InputError as error:  # the template does not run at all: that says more than what it loses
        raise error from None
    except Exception as error:  # whatever the template's author chose
        return f"{type(error).__name__}: {str(error)[:200]}"
    return "its prompt does not hold the words of a user's turn"


def _keeps_thoughts(template: Template, carries: Carries) -> bool:
    thought, answer = marker(3), marker(1)
    turns = [
        {"role": "user", "content": marker(0)},
        {"role": "assistant", "content": f"<think>\n{thought}\n</think>\n\n{answer}"},
        {"role": "user", "content": marker(2)},
    ]
    try:
        text = template.render(turns, header=True, parts=carries.parts)
    except Exception:  # whatever the template's author chose
        return True
    return thought in text or answer not in text

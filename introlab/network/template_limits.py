"""A chat template is a program of whoever made the model: it is rendered within a limit, and its errors are clear.

Templates run in transformers' sandbox. What the sandbox lets through is a loop within loops that does not end in
practice: steps of the interpreter are counted, which is the same on every machine, and a step too many is refused.
A power, the one operation of templates that may take hours in a single step, is refused before anything is run.
"""

import sys
from collections.abc import Sequence
from functools import lru_cache
from types import FrameType
from typing import Any

from introlab.errors import InputError

STEPS = 3_000_000
"""Lines of Python; a dialogue of a thousand turns takes a hundred thousand, the first use of a template as many."""


class _TooLong(Exception):
    """More steps than a template may take."""


def render(tokenizer: Any, messages: Sequence[Any], **settings: Any) -> Any:
    """`tokenizer.apply_chat_template(messages, **settings)`. Raises InputError where the template takes more than
    `STEPS` steps, raises powers, or fails in any other way."""
    for template in _templates(tokenizer.chat_template):
        if _has_power(template):
            raise _broken(tokenizer, "it raises to a power, which templates have no use for")
    left, before = STEPS, sys.gettrace()

    def count(frame: FrameType, event: str, _: Any) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise _TooLong
        return count

    try:
        sys.settrace(count)
        return tokenizer.apply_chat_template(list(messages), **settings)
    except _TooLong as error:
        raise _broken(tokenizer, f"it does not end within {STEPS:,} steps") from error
    except Exception as error:  # templates refuse by raising whatever their author chose
        if left < 0:  # the template's own machinery may have wrapped it
            raise _broken(tokenizer, f"it does not end within {STEPS:,} steps") from error
        raise _broken(tokenizer, f"{type(error).__name__}: {str(error)[:200]}") from error
    finally:
        sys.settrace(before)


def _broken(tokenizer: Any, reason: str) -> InputError:
    return InputError(
        "the model's chat template cannot be used",
        given=f"{tokenizer.name_or_path}: {reason}",
        allowed="a template that writes such a dialogue",
        do="mend chat_template in the model's folder, or remove it: plain User/Assistant lines are used then",
    )


def _templates(held: Any) -> tuple[str, ...]:
    """A tokenizer has one, or several by name."""
    if isinstance(held, dict):
        return tuple(each for each in held.values() if isinstance(each, str))
    return (held,) if isinstance(held, str) else ()


@lru_cache(maxsize=64)
def _has_power(template: str) -> bool:
    """Whether `**` stands after an operand; before a name in brackets it hands over arguments."""
    from jinja2 import Environment
    from jinja2.exceptions import TemplateSyntaxError

    before = ""
    try:
        for _, kind, text in Environment().lex(template):
            if kind == "whitespace":
                continue
            if kind == "operator" and text == "**" and before not in ("(", ","):
                return True
            before = text
    except TemplateSyntaxError:  # compiling it will say so, too
        return False
    return False

"""A template of anyone either writes the dialogue or is refused with its reason, in bounded steps."""

import sys

import pytest

from introlab.errors import InputError
from introlab.network.chat import ChatFormat
from introlab.network.messages import assistant, user
from introlab.network.template_limits import render

ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


class Templated:
    """A tokenizer as far as templates go: rendered by transformers' own sandbox."""

    name_or_path = "a folder"
    bos_token = "<s>"

    def __init__(self, template):
        self.chat_template = template

    def get_chat_template(self):
        return self.chat_template

    def apply_chat_template(self, messages, **settings):
        from transformers.utils.chat_template_utils import render_jinja_template

        done, _ = render_jinja_template([messages], chat_template=self.chat_template, add_generation_prompt=True)
        return done[0]


@pytest.mark.parametrize(
    ("template", "says"),
    [
        (ENDLESS, "does not end"),
        ("{% macro f() %}{{ f() }}{% endmacro %}{{ f() }}", "RecursionError"),
        ("{{ 9 ** 9 ** 9 ** 9 }}", "power"),
        ("{% set x = 9 %}{{ x\n  **  x }}", "power"),
        ("{{ messages[0]['content'", "TemplateSyntaxError"),
        ("{{ raise_exception('not with me') }}", "not with me"),
        ("{{ messages[7]['content'] + 1 }}", "UndefinedError"),
        ("{{ 1 // 0 }}", "ZeroDivisionError"),
        ("{{ ''.__class__.__mro__[1].__subclasses__() }}", "SecurityError"),
        ("{{ 'a' * 999999999999999 }}", "MemoryError"),
        ("{{ range(10 ** 9) | list }}", "power"),
        ("{{ range(1000000000) | list }}", "OverflowError"),
    ],
)
def test_a_template_that_cannot_be_used_says_why(template, says):
    with pytest.raises(InputError, match="chat template cannot be used") as caught:
        render(Templated(template), [user("w1")])
    text = str(caught.value)
    assert says in text and all(part in text for part in ("given:", "allowed:", "do:"))


def test_the_chat_format_hands_it_on():
    with pytest.raises(InputError, match="does not end"):
        ChatFormat(Templated(ENDLESS))


def test_honest_templates_are_rendered_as_they_are():
    """Arguments handed over with ** are no power, and a dialogue of a thousand turns is not too long."""
    template = (
        "{% macro turn(role, content) %}<{{ role }}>{{ content }}{% endmacro %}"
        "{% for message in messages %}{{ turn(**message) }}{% endfor %}"
    )
    talk = [user("w1"), assistant("w2")] * 1000 + [user("w3")]
    text = render(Templated(template), talk)
    assert text == "".join(f"<{each['role']}>{each['content']}" for each in talk)


def test_the_tracing_of_others_is_left_as_it_was():
    seen = []

    def theirs(frame, event, argument):
        seen.append(event)

    before = sys.gettrace()
    sys.settrace(theirs)
    try:
        render(Templated("{{ messages[0]['content'] }}"), [user("w1")])
        with pytest.raises(InputError):
            render(Templated("{{ 1 // 0 }}"), [user("w1")])
        held = sys.gettrace()
    finally:
        sys.settrace(before)
    assert held is theirs

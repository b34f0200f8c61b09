"""A chat template as a function of messages: the only place that runs one, with the date it may write pinned."""

import re
from collections.abc import Collection, Mapping, Sequence
from datetime import date, datetime
from typing import Any

from introlab.errors import InputError
from introlab.network.template_limits import render as limited

Turn = Mapping[str, str]
"""`role` and `content`, as a template is given them."""

_CLOCK = "strftime_now"
"""The function by which templates ask for the time."""
_DATES = "introlab_dates"
_LITERAL = re.compile(r"""(?=(['"])((?:(?!\1)[^\n])*%[-A-Za-z](?:(?!\1)[^\n])*)\1)""")
"""Whatever stands between two quotes and holds a time directive, from every quote on: more than the literals."""
# A macro shadows the function; a break that is trimmed ends it, so that the template still begins at a line's start.
_PINNED = (
    "{% macro strftime_now(format) %}{% if format not in introlab_dates %}"
    "{{ raise_exception('a format of the date that cannot be pinned: ' ~ format) }}"
    "{% endif %}{{ introlab_dates[format] }}{% endmacro %}\n"
)


class Template:
    """A tokenizer's chat template; of a tokenizer without one (a base model), plain ``User: ... Assistant:`` lines;
    `raw` writes the words alone."""

    def __init__(self, tokenizer: Any, today: date | None = None, *, raw: bool = False):
        """`today` is what the template takes for the date, that of the day by default. Raises InputError where there
        are several templates and none is the default one."""
        self._tokenizer = tokenizer
        self.raw = raw
        self.given = bool(tokenizer.chat_template) and not raw
        self.today = today or date.today()
        self._source = self._chosen() if self.given else ""
        self.dated = _CLOCK in self._source
        """Whether what it writes depends on the date."""
        at = datetime(self.today.year, self.today.month, self.today.day)
        formats = {found[1] for found in _LITERAL.findall(self._source)} if self.dated else set[str]()
        self._dates = {each: at.strftime(each) for each in formats}

    def _chosen(self) -> str:
        try:
            return str(self._tokenizer.get_chat_template())
        except ValueError as error:  # several, and none called default
            raise InputError(
                "no default chat template", given=str(error)[:200], do="set one in the tokenizer"
            ) from error

    def render(self, turns: Sequence[Turn], *, header: bool, parts: Collection[str] = ()) -> str:
        """The dialogue as text, with the header after which the assistant speaks or without it; the content of roles in
        `parts` is given as a list of one part. Raises InputError for what the template refuses."""
        if self.raw:
            return self._own_bos() + "\n".join(turn["content"] for turn in turns)
        if not self.given:
            bos = self._tokenizer.bos_token or ""
            lines = "".join(f"{turn['role'].capitalize()}: {turn['content']}\n" for turn in turns)
            return f"{bos}{lines}{'Assistant:' if header else ''}"
        told: list[dict[str, Any]] = [
            {"role": turn["role"], "content": [{"type": "text", "text": turn["content"]}]}
            if turn["role"] in parts
            else {"role": turn["role"], "content": turn["content"]}
            for turn in turns
        ]
        pinned = {"chat_template": _PINNED + self._source, _DATES: self._dates} if self.dated else {}
        return str(limited(self._tokenizer, told, tokenize=False, add_generation_prompt=header, **pinned))

    def _own_bos(self) -> str:
        """What the tokenizer itself puts before a plain text: its BOS or nothing."""
        bos, ids = self._tokenizer.bos_token_id, self._tokenizer("a")["input_ids"]
        return self._tokenizer.bos_token if bos is not None and list(ids[:1]) == [bos] else ""

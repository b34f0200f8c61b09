"""HTML of a notebook's outputs. Everything that is put in is escaped, unless it is `Markup` made here."""

from collections.abc import Iterable, Mapping, Sequence

from markupsafe import Markup

_CARD = (
    "border:1px solid rgba(128,128,128,.4);border-radius:6px;padding:.5em .8em;display:inline-block;"
    "max-width:60em;font-family:system-ui,sans-serif"
)
_CELL = "text-align:left;padding:.1em .6em;vertical-align:top;white-space:pre-wrap"


def card(title: str, facts: Mapping[str, object], *, below: Markup | None = None) -> str:
    """A titled box of names and values, with what stands `below` them."""
    rows = Markup("").join(
        Markup('<tr><th style="{0}">{1}</th><td style="{0}">{2}</td></tr>').format(_CELL, name, value)
        for name, value in facts.items()
    )
    return str(
        Markup('<div style="{}"><strong>{}</strong><table>{}</table>{}</div>').format(
            _CARD, title, rows, below or Markup("")
        )
    )


def grid(head: Sequence[object], rows: Iterable[Sequence[object]]) -> Markup:
    """A table."""

    def line(cells: Sequence[object], kind: str) -> Markup:
        return Markup("").join(Markup('<{0} style="{1}">{2}</{0}>').format(Markup(kind), _CELL, each) for each in cells)

    body = Markup("").join(Markup("<tr>{}</tr>").format(line(row, "td")) for row in rows)
    return Markup("<table><tr>{}</tr>{}</table>").format(line(head, "th"), body)


def words(text: str) -> Markup:
    """A text as it was written, line breaks kept."""
    return Markup('<p style="white-space:pre-wrap;margin:.4em 0">{}</p>').format(text)

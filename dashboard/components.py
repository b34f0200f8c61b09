"""Findings as the report shows them, out of Dash's components: text from anywhere is a child, and so escaped."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from dash import dcc, html

from introlab.records.catalog import CatalogEntry
from introlab.records.findings import Check, Row
from introlab.reporting.html import MARKS, apart
from introlab.reporting.notebook_figure import CONFIG
from introlab.reporting.tables import NOTE, Table, laid_out, told

LONGEST, LONGEST_FACT, MOST_FACTS = 20_000, 2_000, 200
"""Characters of a text and of a value, and values in a table, that a page shows: it must open whatever a run holds."""
MOST = 12
"""Options that are seen at a glance; more can be searched."""
Part = Any
"""What Dash takes as a child: a component, text, or a list of both. Its classes are not typed."""


def table(laid: Table) -> Part:
    """The counts go under the estimate, as in the report."""
    head = html.Tr([html.Th(name) for name in laid.head])
    body = [
        html.Tr([_cell(text) for text in line], className=role)
        for line, role in zip(laid.body, laid.roles, strict=True)
    ]
    return html.Div(html.Table([html.Thead(head), html.Tbody(body)]), className="scroll numbers")


def _cell(text: str) -> Part:
    estimate, counts = apart(text)
    return html.Td([estimate, html.Br(), html.Small(counts)] if counts else estimate)


def tables(rows: Sequence[Row]) -> Part:
    """Estimates with their intervals, controls beside what they control."""
    if not rows:
        return html.P("none")
    return html.Div([*(table(laid) for laid in laid_out(rows)), html.P(NOTE, className="where")])


def verdicts(words: Mapping[str, str]) -> Part:
    body = [html.Tr([html.Td(model), html.Td(html.Strong(verdict))]) for model, verdict in words.items()]
    return html.Table([html.Tr([html.Th("model"), html.Th("verdict")]), *body], className="verdicts") if body else None


def checks(found: Iterable[Check]) -> Part:
    items = []
    for check in found:
        kind, word = MARKS[check.passed]
        words = [html.Span(word), " ", html.Strong(check.control.replace("_", " ")), f": {told(check)}"]
        items.append(html.Li(words, className=kind))
    return html.Ul(items, className="checks")


def figure(name: str, drawn: Any) -> Part:
    """Interactive; nothing is sent anywhere."""
    if not isinstance(drawn, dict) or not isinstance(drawn.get("data"), list):
        return note(f"figure {name}: not a figure")
    graph = dcc.Graph(figure=drawn, config=CONFIG)  # type: ignore[arg-type]
    return html.Div(graph, className="figure")


def facts(pairs: Mapping[str, object]) -> Part:
    """Names and values."""
    if not pairs:
        return html.P("none", className="where")
    shown = list(pairs.items())[:MOST_FACTS]
    rows = [html.Tr([html.Td(name), html.Td(html.Code(cut(str(value), LONGEST_FACT)))]) for name, value in shown]
    if len(pairs) > len(shown):
        rows.append(html.Tr(html.Td(f"and {len(pairs) - len(shown):,} more in the run's trials", colSpan=2)))
    return html.Div(html.Table(html.Tbody(rows)), className="scroll")


def cut(text: str, most: int = LONGEST) -> str:
    """What is shown of a text, and how long it is where that is not all of it."""
    return text if len(text) <= most else f"{text[:most]} … ({len(text):,} characters; the run's trials hold all)"


def state(entry: CatalogEntry) -> Part:
    return html.Span(entry.state, className=f"state {entry.state}")


def note(text: str) -> Part:
    """Something is not as it should be."""
    return html.P(text, className="problem")


def refusal(text: str) -> Part:
    """In place of a page that cannot be shown."""
    return html.Section([html.H2("This cannot be shown"), html.Pre(text)], className="refusal")


def address(path: str, **query: str) -> str:
    """Of a page."""
    return f"{path}?{urlencode(query, errors='surrogateescape')}"  # a folder's name may be no text


def chooser(
    id: str, title: str, options: Sequence[Any], value: Any = None, *, clearable: bool = True, empty: str = "all"
) -> Part:
    """A dropdown with its title; `empty` says what holds where nothing is chosen."""
    choose = dcc.Dropdown(options, value, id=id, placeholder=empty, clearable=clearable, searchable=len(options) > MOST)
    return html.Label([title, choose], className="chooser")


def size(count: int) -> str:
    """Bytes for a reader."""
    return (
        f"{count / 1e9:.1f} GB"
        if count >= 1e9
        else f"{count / 1e6:.1f} MB"
        if count >= 1e5
        else f"{count / 1e3:.1f} kB"
    )

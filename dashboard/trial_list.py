"""The trials of a run as a list: filtered and paged by the server, so that the browser never holds more than a page."""

from typing import Any

import numpy as np
from dash import Dash, Input, Output, State, ctx, dcc, html

from dashboard import components as parts
from dashboard.components import Part
from dashboard.run_cache import RunCache
from introlab.errors import InputError
from introlab.records.catalog import UNREADABLE, CatalogEntry
from introlab.records.trial_query import SORTED_BY, TrialFilter, TrialPages
from introlab.reporting.tables import by_name, word

PER_PAGE = 25
PREVIEW = 160
"""Characters of a text in the list."""
LONGEST_EXAMPLE = 4_000
"""Of one shown whole."""
_FILTERS = [f"trials-{name}" for name in SORTED_BY]
_ORDER = "trials-order"
_HEAD = ("condition", "strength", "model", "split", "item", "text", "outcomes")


def browser(shelf: RunCache, entry: CatalogEntry) -> Part:
    """Filters, a page of trials, and buttons to the pages around."""
    try:
        pages = shelf.trials(entry.name)
        values = pages.values
    except (InputError, *UNREADABLE) as error:
        return parts.note(f"the trials cannot be read: {error}")
    outcomes = [
        {"label": f"{name.replace('_', ' ')}: {word(value)}", "value": index}
        for index, (name, value) in enumerate(values["outcomes"])
    ]
    orders = [(name, falling) for name in pages.orders for falling in (False, True)]
    ways = [
        {"label": f"{name.replace('_', ' ')} {'↓' if falling else '↑'}", "value": i}
        for i, (name, falling) in enumerate(orders)
    ]
    titles = {**{name: values[name] for name in SORTED_BY[:-1]}, "outcomes": outcomes}
    return html.Div(
        [
            html.Div(
                [
                    *(parts.chooser(f"trials-{name}", name, each) for name, each in titles.items()),
                    parts.chooser(_ORDER, "in order of", ways, empty="as stored"),
                ],
                className="choosers",
            ),
            dcc.Store(id="trials-run", data={"name": entry.name, "outcomes": values["outcomes"], "orders": orders}),
            dcc.Store(id="trials-page", data=0),
            html.Div(id="trials"),
            html.Div(
                [
                    html.Button("previous", id="trials-back"),
                    html.Span(id="trials-where"),
                    html.Button("next", id="trials-on"),
                ],
                className="pager",
            ),
        ]
    )


def connect_browser(app: Dash, shelf: RunCache) -> None:
    """What the filters and buttons do."""

    @app.callback(
        Output("trials", "children"),
        Output("trials-where", "children"),
        Output("trials-page", "data"),
        *(Input(each, "value") for each in _FILTERS),
        Input(_ORDER, "value"),
        Input("trials-back", "n_clicks"),
        Input("trials-on", "n_clicks"),
        State("trials-page", "data"),
        State("trials-run", "data"),
    )
    def turn(*given: Any) -> tuple[Part, str, int]:
        *filters, order, _, _, page, run = given
        *wanted, outcome = filters
        chosen = None if outcome is None else tuple(run["outcomes"][outcome])
        choice = TrialFilter(**dict(zip(SORTED_BY[:-1], wanted, strict=True)), outcome=chosen)
        way = None if order is None else tuple(run["orders"][order])
        try:
            return _page(shelf.trials(run["name"]), run["name"], choice, way, page + _step(ctx.triggered_id))
        except (InputError, *UNREADABLE) as error:
            return parts.note(f"the trials cannot be read: {error}"), "", 0


def _step(pressed: Any) -> int | float:
    """Another filter or order begins with its first page."""
    return {"trials-back": -1, "trials-on": 1}.get(pressed, -np.inf if pressed in (*_FILTERS, _ORDER) else 0)


def _page(
    pages: TrialPages, name: str, choice: TrialFilter, way: tuple[str, bool] | None, wanted: float
) -> tuple[Part, str, int]:
    found = pages.matching(choice)
    if way is not None:
        found = pages.ordered(found, way[0], falling=way[1])
    last = max(0, (len(found) - 1) // PER_PAGE)
    page = int(np.clip(wanted, 0, last))
    here = found[page * PER_PAGE : (page + 1) * PER_PAGE]
    before = page * PER_PAGE
    where = f"{before + 1:,}–{before + len(here):,} of {len(found):,}" if len(here) else "none"
    return _table(pages.page(here), name), where, page


def _table(rows: list[dict[str, Any]], name: str) -> Part:
    body = [
        html.Tr(
            [
                html.Td(dcc.Link(row["condition"], href=parts.address("/trial", run=name, id=row["id"]))),
                html.Td(f"{row['strength']:g}", className="num"),
                html.Td(row["model"].removeprefix("organism:")),
                html.Td(row["split"]),
                html.Td(row["item"] + (f", draw {row['draw']}" if row["draw"] is not None else "")),
                html.Td(_preview(row["text"]), className="text"),
                html.Td(parts.cut(by_name(row["outcomes"]), PREVIEW * 4), className="outcomes"),
            ]
        )
        for row in rows
    ]
    return html.Div(
        html.Table([html.Tr([html.Th(each) for each in _HEAD]), *body], className="trials"), className="scroll"
    )


def _preview(text: str) -> str:
    return text if len(text) <= PREVIEW else f"{text[:PREVIEW]} …"


def examples(shelf: RunCache, entry: CatalogEntry, most: int) -> Part:
    """The last trials there are, newest first."""
    try:
        pages = shelf.trials(entry.name)
        rows = pages.page(np.arange(max(0, len(pages) - most), len(pages))[::-1])
    except (InputError, *UNREADABLE) as error:
        return parts.note(f"the trials cannot be read: {error}")
    return html.Div([_example(row, entry.name) for row in rows]) if rows else html.P("none yet", className="where")


def _example(row: dict[str, Any], name: str) -> Part:
    title = f"{row['model'].removeprefix('organism:')}, {row['condition']}, strength {row['strength']:g}, {row['item']}"
    link = dcc.Link(title, href=parts.address("/trial", run=name, id=row["id"]))
    words = html.P(parts.cut(by_name(row["outcomes"]), PREVIEW * 4), className="where")
    return html.Div(
        [html.P(link, className="where"), html.P(parts.cut(row["text"], LONGEST_EXAMPLE), className="text"), words],
        className="example",
    )

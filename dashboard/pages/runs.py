"""All runs below the folder: filtered, sorted, and refreshed while one looks."""

from collections.abc import Callable, Sequence
from typing import Any

from dash import Dash, Input, Output, dcc, html

from dashboard.components import Part, address, chooser, size, state
from dashboard.run_cache import RunCache
from introlab.records.catalog import STATES, CatalogEntry
from introlab.reporting.tables import place

PATH, TITLE = "/", "Runs"
EVERY = 5000
"""Milliseconds."""
MOST = 200
"""Runs shown at once."""
_ORDERS: dict[str, Callable[[CatalogEntry], Any]] = {
    "newest": lambda entry: entry.started,
    "largest": lambda entry: entry.bytes,
    "most trials": lambda entry: entry.trials or 0,
    "experiment": lambda entry: entry.experiment,
    "name": lambda entry: entry.name,
}
_DESCENDING = {"newest", "largest", "most trials"}


def layout(shelf: RunCache, query: dict[str, str]) -> Part:
    entries = shelf.catalogue.entries()
    experiments = sorted({entry.experiment for entry in entries} - {""})
    return [
        html.H1("Runs"),
        html.Div(
            [
                chooser("of-experiment", "experiment", experiments, query.get("experiment")),
                chooser("of-state", "state", list(STATES), query.get("state")),
                chooser("sorted", "sorted by", list(_ORDERS), "newest", clearable=False),
                html.Label(["name or model has", dcc.Input(id="having", type="text", value="")], className="chooser"),
            ],
            className="choosers",
        ),
        html.Div(id="runs"),
        dcc.Interval(id="runs-again", interval=EVERY),
    ]


def connect(app: Dash, shelf: RunCache) -> None:
    @app.callback(
        Output("runs", "children"),
        Input("of-experiment", "value"),
        Input("of-state", "value"),
        Input("sorted", "value"),
        Input("having", "value"),
        Input("runs-again", "n_intervals"),
    )
    def show(experiment: str | None, state: str | None, order: str, having: str | None, _: int) -> Part:
        entries = [
            entry
            for entry in shelf.catalogue.entries()
            if experiment in (None, entry.experiment)
            and state in (None, entry.state)
            and (having or "") in " ".join((entry.name, *entry.models))
        ]
        return _listed(sorted(entries, key=_ORDERS[order], reverse=order in _DESCENDING))


def _listed(entries: Sequence[CatalogEntry]) -> Part:
    if not entries:
        return html.P("No runs here. introlab run NAME makes one.", className="where")
    head = html.Tr(
        [html.Th(name) for name in ("run", "models", "state", "trials", "primary outcome", "size", "started")]
    )
    shown = html.Table([html.Thead(head), html.Tbody([_shown(entry) for entry in entries[:MOST]])], className="runs")
    total = f"{len(entries)} runs, {size(sum(entry.bytes for entry in entries))}"
    return html.Section(
        [shown, html.P(f"{total}{f'; the first {MOST} are shown' * (len(entries) > MOST)}", className="where")]
    )


def _shown(entry: CatalogEntry) -> Part:
    """Whatever is wrong with a run, it does not hide the others."""
    try:
        return _row(entry)
    except Exception as error:  # whatever lies on the disk, the list stands
        problem = html.Span(f"cannot be shown: {type(error).__name__}: {error}", className="problem")
        return html.Tr([html.Td(entry.name), html.Td(problem, colSpan=6)])


def _row(entry: CatalogEntry) -> Part:
    broken = entry.state == "broken"
    name = entry.name if broken else dcc.Link(entry.name, href=address("/run", name=entry.name))
    primary: list[Any] = []
    for row in entry.primary:
        primary += [f"{place(row.where)}: ", html.Strong(str(row.estimate)), html.Br()]
    if entry.problem:
        primary.append(html.Span(entry.problem, className="problem"))
    return html.Tr(
        [
            html.Td([html.Div(entry.experiment.replace("_", " "), className="experiment"), name]),
            html.Td([html.Div(model.removeprefix("organism:")) for model in entry.models]),
            html.Td(state(entry)),
            html.Td("" if entry.trials is None else f"{entry.trials:,}", className="num"),
            html.Td([html.Div(_measure(entry), className="where"), *primary]),
            html.Td(size(entry.bytes), className="num"),
            html.Td(entry.started[:16].replace("T", " "), className="num"),
        ]
    )


def _measure(entry: CatalogEntry) -> str:
    return entry.primary[0].measure if entry.primary else ""

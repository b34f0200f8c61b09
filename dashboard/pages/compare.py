"""Two runs side by side: where their manifests differ, their estimates and the differences, and their figures."""

from typing import Any

from dash import Dash, Input, Output, dcc, html

from dashboard import components as parts
from dashboard.components import Part
from dashboard.run_cache import RunCache
from introlab.records.run import Run
from introlab.reporting.comparison import EXPLAINED, PAIRED, Comparison, compare

PATH, TITLE = "/compare", "Compare"


def layout(shelf: RunCache, query: dict[str, str]) -> Part:
    names = [entry.name for entry in shelf.catalogue.entries() if entry.state == "complete"]
    first, second = (query.get(which) if query.get(which) in names else None for which in ("first", "second"))
    return [
        html.H1("Compare"),
        html.Div(
            [
                parts.chooser("compare-first", "A", names, first),
                parts.chooser("compare-second", "B", names, second),
            ],
            className="choosers wide",
        ),
        dcc.Loading(html.Div(id="compared"), type="dot", color="#1f5a94"),
    ]


def connect(app: Dash, shelf: RunCache) -> None:
    @app.callback(Output("compared", "children"), Input("compare-first", "value"), Input("compare-second", "value"))
    def show(first: str | None, second: str | None) -> Part:
        if not first or not second:
            return html.P("Choose two finished runs.", className="where")
        try:
            runs = {name: Run.open(shelf.catalogue.locate(name)) for name in (first, second)}
            return _compared(compare(runs), runs)
        except Exception as error:  # whatever lies on the disk, the dashboard stands
            return parts.refusal(str(error) or type(error).__name__)


def _compared(found: Comparison, runs: dict[str, Run]) -> Part:
    return [
        html.Section([html.H2("Where they differ"), parts.facts(found.names), parts.table(found.facts)]),
        html.Section(
            [
                html.H2("Estimates"),
                html.P(EXPLAINED),
                parts.table(found.table()),
                html.P(found.left_out, className="where"),
            ]
        ),
        html.Section(
            [
                html.H2("The same trials, in pairs"),
                html.P(PAIRED),
                html.P(f"{found.shared['B']}.", className="where"),
                html.Details([html.Summary("Every outcome and reading"), parts.table(found.paired_table("B"))]),
            ]
        ),
        html.Section([html.H2("Figures"), *_side_by_side(*(_figures(run) for run in runs.values()))]),
    ]


def _figures(run: Run) -> dict[str, Any]:
    try:
        return run.figures
    except (OSError, ValueError):
        return {}


def _side_by_side(first: dict[str, Any], second: dict[str, Any]) -> list[Part]:
    names = list(dict.fromkeys([*first, *second]))
    return [
        html.Div(
            [parts.figure(name, each[name]) if name in each else html.Div() for each in (first, second)],
            className="beside",
        )
        for name in names
    ]

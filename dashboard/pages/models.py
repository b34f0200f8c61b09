"""The models there are to name: the shipped organisms, and those that can be fetched, with whether they are here."""

from dash import Dash, html

from dashboard.components import Part
from dashboard.run_cache import RunCache
from introlab.network.listing import ALSO, listed_models

PATH, TITLE = "/models", "Models"


def layout(shelf: RunCache, query: dict[str, str]) -> Part:
    head = html.Tr([html.Th(name) for name in ("model", "what it is", "licence", "state")])
    rows = [
        html.Tr([html.Td(html.Code(each.spec)), html.Td(each.what), html.Td(each.licence), html.Td(each.state)])
        for each in listed_models()
    ]
    return [
        html.H1("Models"),
        html.Table([html.Thead(head), html.Tbody(rows)], className="runs"),
        html.P(ALSO, className="where"),
    ]


def connect(app: Dash, shelf: RunCache) -> None:
    """Nothing on this page changes."""

"""The dashboard as a server of this machine for this machine: on loopback, and it asks the network for nothing."""

import importlib
import pkgutil
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from dash import Dash, Input, Output, dcc, html
from flask import abort, request
from werkzeug.serving import BaseWSGIServer, make_server

from dashboard import pages
from dashboard.components import refusal
from dashboard.run_cache import RunCache
from introlab.errors import InputError
from introlab.reporting.html import style

ADDRESS = "127.0.0.1"
_OURS = {ADDRESS, "localhost"}
_SHELL = """<!doctype html><html lang="en"><head>{%metas%}<title>{%title%}</title>{%favicon%}
<style>STYLE</style>{%css%}</head><body>{%app_entry%}{%config%}{%scripts%}{%renderer%}</body></html>"""


def make_app(root: Path) -> Dash:
    """The dashboard of the runs below a folder. Every module of `dashboard.pages` is a page: `PATH`, `TITLE`,
    `layout(shelf, query)` and `connect(app, shelf)`; there is no list to keep."""
    app = Dash(
        "dashboard",
        serve_locally=True,
        eager_loading=True,  # a figure waits 30 s for plotly.js and then never draws: too short on a busy machine
        assets_folder=str(Path(__file__).parent / "assets"),
        suppress_callback_exceptions=True,
        update_title="",
        title="Introspection Lab",
        index_string=_SHELL.replace("STYLE", style()),
    )
    shelf = RunCache(root)
    found = {page.PATH: page for page in _pages()}
    in_menu = [dcc.Link(page.TITLE, href=path) for path, page in sorted(found.items()) if page.TITLE]
    app.layout = html.Div(
        [
            dcc.Location(id="url", refresh=False),
            html.Nav(
                [html.Span("Introspection Lab", className="brand"), *in_menu, html.Code(str(shelf.catalogue.root))]
            ),
            html.Main(id="page"),
        ]
    )

    @app.callback(Output("page", "children"), Input("url", "pathname"), Input("url", "search"))
    def show(path: str, search: str | None) -> Any:
        if path not in found:
            return refusal("There is no such page.")
        try:
            return found[path].layout(shelf, dict(parse_qsl((search or "").lstrip("?"), errors="surrogateescape")))
        except Exception as error:  # whatever lies on the disk, the dashboard stands
            return refusal(str(error) or type(error).__name__)

    for page in found.values():
        page.connect(app, shelf)
    app.server.before_request(_refuse_strangers)
    return app


def _pages() -> list[Any]:
    names = [module.name for module in pkgutil.iter_modules(pages.__path__)]
    return [importlib.import_module(f"{pages.__name__}.{name}") for name in names]


def _refuse_strangers() -> None:
    """Another site must not read runs by giving its own name this machine's address."""
    if request.host.rsplit(":", 1)[0] not in _OURS:
        abort(403)


def make(root: Path, port: int) -> BaseWSGIServer:
    """The server, listening; `serve_forever` answers. Port 0 takes a free one. Raises InputError where there is no such
    folder or the port is taken."""
    if not root.is_dir():
        raise InputError("no such folder", given=root, do="name the folder of your runs, or run an experiment first")
    try:
        return make_server(ADDRESS, port, make_app(root).server, threaded=True)
    except (OSError, SystemExit) as error:
        raise InputError("the port cannot be listened on", given=port, do="choose another --port") from error

"""introlab dashboard: runs in the browser, served by this machine for this machine."""

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from introlab.errors import InputError
from introlab.io.terminal import say


@dataclass(frozen=True)
class Dashboard:
    """Runs in the browser: figures, tables, trials, two side by side, those still going (docs/dashboard.md)."""

    folder: Annotated[Path, tyro.conf.Positional] = Path("runs")
    port: int = 8050

    def __call__(self) -> int:
        try:
            from dashboard.server import make
        except ModuleNotFoundError as error:
            if error.name != "dash":
                raise
            raise InputError(
                "the dashboard is not installed", do='install its extra: pip install -e ".[dashboard]"'
            ) from error
        logging.getLogger("werkzeug").setLevel(logging.WARNING)
        server = make(self.folder, self.port)
        say(f"http://{server.host}:{server.port}  (Ctrl-C ends it)")
        try:
            server.serve_forever()
        finally:
            server.server_close()
        return 0

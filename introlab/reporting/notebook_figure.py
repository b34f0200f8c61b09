"""A plotly figure that stays when a notebook becomes a page: HTML beside plotly's own MIME type."""

from typing import Any

import plotly.graph_objects as go

CONFIG = {"showSendToCloud": False, "displaylogo": False, "responsive": True}
"""Passed wherever a figure is written as HTML: nothing is ever sent anywhere."""


class NotebookFigure(go.Figure):
    """Shown by plotly where a notebook can, and as HTML where it cannot (`jupyter nbconvert --to html`). The HTML holds
    plotly itself (4.7 MB), so that the page asks the network for nothing, whichever cells are run or removed."""

    def _repr_html_(self) -> str:
        return self.to_html(full_html=False, include_plotlyjs=True, config=CONFIG)

    def _repr_mimebundle_(
        self, include: Any = None, exclude: Any = None, validate: bool = True, **_: Any
    ) -> dict[str, Any]:
        drawn = {"application/vnd.plotly.v1+json": self.to_plotly_json(), "text/html": self._repr_html_()}
        return {kind: each for kind, each in drawn.items() if kind not in (exclude or ())}

    def _ipython_display_(self) -> None:
        """A notebook asks this first, and plotly's own answer is its MIME type alone."""
        from IPython.display import display

        display(self._repr_mimebundle_(), raw=True)

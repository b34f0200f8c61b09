"""The figures of the publication, for whatever parts were run."""

from collections.abc import Sequence

import numpy as np
from plotly.graph_objects import Figure

from introlab.records.findings import Findings, Row
from introlab.reporting import figures


def draw(found: Findings) -> dict[str, Figure]:
    """Bars of both rates and of first attempts for every arm; lines of the sweep; traces of detectors."""
    models = sorted({str(row.where["model"]) for row in found.rows})
    short = {model: model.removeprefix("organism:") for model in models}
    arms = {
        "multi-attempt rate": ("Texts that start again", "share of texts"),
        "ESR rate": ("Texts that start again and do better", "share of texts"),
        "first-attempt score": ("Score of first attempts: how far each arm was pushed", "share of words on topic"),
    }
    drawn: dict[str, Figure] = {}
    for measure, (title, y) in arms.items():
        groups = {short[model]: _arms(found, measure, model) for model in models}
        drawn[measure] = figures.bars(groups, title=title, y=y)
        # Long names of many arms lie where the legend is.
        drawn[measure].update_layout(legend={"y": 1.0, "yanchor": "bottom"}, height=580, margin={"t": 110})
    for measure in (*arms, "improvement rate"):
        lines = {short[model]: _swept(found, measure, model) for model in models}
        if any(lines.values()):
            drawn[f"sweep, {measure}"] = figures.curves(
                lines, "level", title=f"Sweep: {measure}", x="s.d. of strengths from their mean", y="share of texts"
            )
    about = "sum of detectors about the correction"
    lines = {short[model]: list(found.select(about, model=model)) for model in models}
    if any(lines.values()):
        x = "token, from the start of the correction"
        drawn[about] = figures.curves(lines, "token", title=about.capitalize(), x=x, y="activation", y_range=None)
    for model in models:
        if any(found.select("episode: distractor", model=model)):
            drawn[f"episode, {short[model]}"] = _episode(found, model)
    return drawn


def _episode(found: Findings, model: str) -> Figure:
    """One text, smoothed over five tokens; the words of starting again are shaded."""
    figure = Figure()
    for index, trace in enumerate(("distractor", "detectors")):
        rows = list(found.select(f"episode: {trace}", model=model))
        values = np.array([row.estimate.value for row in rows])
        smooth = [float(values[max(0, at - 2) : at + 3].mean()) for at in range(len(values))]
        figure.add_scatter(y=smooth, name=trace, mode="lines", line={"color": figures.PALETTE[index]})
        if trace == "distractor":
            for at, row in enumerate(rows):
                if row.where["region"] == "correction":
                    figure.add_vrect(x0=at - 0.5, x1=at + 0.5, fillcolor=figures.GREY, opacity=0.2, line_width=0)
    return figures.styled(figure, title="One text that started again and did better", x="token", y="activation")


def _arms(found: Findings, measure: str, model: str) -> dict[str, Row]:
    rows = found.select(measure, model=model)
    return {str(row.where["arm"]).replace("_", " "): row for row in rows if "level" not in row.where}


def _swept(found: Findings, measure: str, model: str) -> Sequence[Row]:
    rows = [row for row in found.select(measure, model=model) if "level" in row.where]
    return sorted(rows, key=lambda row: float(row.where["level"] or 0))

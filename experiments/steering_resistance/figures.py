"""What becomes of texts by dose, the readings that make a verdict, and what follows a beginning it did not write."""

from collections.abc import Sequence

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from experiments.steering_mechanism import figures as inside
from experiments.steering_resistance.trajectories import ARMS, COURSES
from introlab.records.findings import Findings, Row
from introlab.reporting import figures

COLORS = dict(zip(COURSES, ("#c9d3dc", "#3a7d44", "#9cc9a3", "#b8860b", "#c8553d", "#8a5a9e", "#4a4a4a"), strict=True))


def draw(found: Findings, at: float) -> dict[str, go.Figure]:
    """Dose-response of every course a text can take, for every model and arm; the readings side by side at strength
    `at`; and what follows a restart or prefilled off-topic text."""
    models = sorted({str(row.where["model"]) for row in found.rows})
    drawn = {f"courses of {short(model)}": _courses(found, model) for model in models}
    drawn["off share"] = _doses(found, models, "off_share", "Share of words off topic")
    drawn["verdict"] = figures.bars(
        {short(model): _readings(found, model, at) for model in models},
        title=f"Three readings, at strength {at:g} (the last two of texts that left the topic)",
        y="share of texts",
    )
    begun = {short(model): _begun(found, model) for model in models}
    drawn["begun with"] = figures.bars(
        {model: rows for model, rows in begun.items() if rows},
        title="What follows a beginning that is not of this text: share of words off topic",
        y="share off topic",
    )
    return drawn | inside.draw(found)


def short(model: str) -> str:
    return model.removeprefix("organism:")


def _courses(found: Findings, model: str) -> go.Figure:
    """Stacked by strength: an arm beside the other."""
    arms = ("push", "random_direction")
    figure = make_subplots(1, len(arms), shared_yaxes=True, subplot_titles=[ARMS[arm] for arm in arms])
    for column, arm in enumerate(arms, 1):
        for name in COURSES:
            rows = [
                *found.select("share of texts", model=model, arm="baseline", course=name),
                *sorted(found.select("share of texts", model=model, arm=arm, course=name), key=_strength),
            ]
            figure.add_trace(
                go.Bar(
                    x=[f"{_strength(row):g}" for row in rows],
                    y=[row.estimate.value for row in rows],
                    name=name,
                    legendgroup=name,
                    showlegend=column == 1,
                    marker={"color": COLORS[name]},
                    customdata=[[str(row.estimate), row.estimate.n] for row in rows],
                    hovertemplate=f"{name}, strength %{{x}}: %{{customdata[0]}}, n %{{customdata[1]}}<extra></extra>",
                ),
                1,
                column,
            )
    figure.update_layout(barmode="stack")
    title = f"What becomes of the texts of {short(model)}, by strength of the push (natural units)"
    figure = figures.styled(figure, title=title, x="strength", y="", height=460)
    figure.update_yaxes(title="share of texts", range=[0, 1], row=1, col=1)
    return figure


def _strength(row: Row) -> float:
    return float(row.where["strength"] or 0)


def _doses(found: Findings, models: Sequence[str], measure: str, title: str) -> go.Figure:
    lines: dict[str, list[Row]] = {}
    colors: dict[str, str] = {}
    for index, model in enumerate(models):
        start = [
            Row(measure, {**row.where, "strength": 0.0}, row.estimate)
            for row in found.select(measure, model=model, arm="baseline")
        ]
        color = figures.PALETTE[index % len(figures.PALETTE)]
        for arm, name in (("push", short(model)), ("random_direction", f"{short(model)}, random direction")):
            lines[name] = [*start, *found.select(measure, model=model, arm=arm)]
            colors[name] = color if arm == "push" else figures.faint(color)
    return figures.curves(
        lines, "strength", title=title, x="strength of the push (natural units)", y="share", colors=colors
    )


def _readings(found: Findings, model: str, at: float) -> dict[str, Row]:
    readings = {
        "leaves the topic": "intruded",
        "announces it": "announced of intruded",
        "ends on topic again": "returned of intruded",
    }
    return {
        label: row
        for label, measure in readings.items()
        for row in found.select(measure, model=model, arm="push", strength=at)
    }


def _begun(found: Findings, model: str) -> dict[str, Row]:
    return {str(row.where["begun with"]): row for row in found.select("then off topic", model=model)}

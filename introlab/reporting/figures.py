"""The lab's few kinds of picture, in one look. Figures are drawn from findings, never from trials or models."""

from collections.abc import Mapping, Sequence

import plotly.graph_objects as go

from introlab.records.findings import Row
from introlab.reporting.notebook_figure import NotebookFigure

PALETTE = ("#1f5a94", "#c8553d", "#3a7d44", "#8a5a9e", "#b8860b", "#4a4a4a", "#2a9d8f", "#9b2226")
GREY = "#9aa0a6"


def styled(figure: go.Figure, *, title: str, x: str, y: str, height: int = 420) -> go.Figure:
    """The look all figures share."""
    figure.update_layout(
        title={"text": title, "font": {"size": 15}, "x": 0.01, "xanchor": "left"},
        template="plotly_white",
        font={"family": "system-ui, sans-serif", "size": 13},
        margin={"l": 60, "r": 20, "t": 60, "b": 50},
        height=height,
        legend={"orientation": "h", "y": -0.18, "yanchor": "top"},
        hovermode="closest",
    )
    figure.update_xaxes(title=x, zeroline=False)
    figure.update_yaxes(title=y, zeroline=False)
    return figure


def faded(color: str, opacity: float) -> str:
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return f"rgba({red},{green},{blue},{opacity})"


def faint(color: str) -> str:
    """The same hue mixed with white: for the control beside its condition."""
    parts = [int(color[at : at + 2], 16) for at in (1, 3, 5)]
    return "#" + "".join(f"{round(part + (255 - part) * 0.6):02x}" for part in parts)


def forest(rows: Sequence[Row], labels: Sequence[str], *, title: str, x: str, null: float | None = None) -> go.Figure:
    """Estimates with their intervals, one under the other; controls in grey; `null` marked by a dashed line."""
    figure = NotebookFigure()
    for row, label in zip(rows, labels, strict=True):
        estimate = row.estimate
        if estimate.value is None:
            continue
        color = GREY if row.role == "control" else PALETTE[1] if row.role == "primary" else PALETTE[0]
        interval = estimate.known and {
            "type": "data",
            "symmetric": False,
            "array": [estimate.high - estimate.value],  # type: ignore[operator]
            "arrayminus": [estimate.value - estimate.low],  # type: ignore[operator]
        }
        figure.add_trace(
            go.Scatter(
                x=[estimate.value],
                y=[label],
                error_x=interval or None,
                mode="markers",
                marker={"color": color, "size": 10, "symbol": "diamond" if row.role == "primary" else "circle"},
                hovertemplate=f"{label}: %{{x:.3f}}<br>n {estimate.n}, clusters {estimate.clusters}<extra></extra>",
                showlegend=False,
            )
        )
    if null is not None:
        figure.add_vline(x=null, line={"dash": "dash", "color": GREY})
    figure.update_yaxes(autorange="reversed")
    return styled(figure, title=title, x=x, y="", height=120 + 32 * len(rows))


def curves(
    lines: Mapping[str, Sequence[Row]],
    along: str,
    *,
    title: str,
    x: str,
    y: str,
    colors: Mapping[str, str] | None = None,
    y_range: tuple[float, float] | None = (0, 1),
) -> go.Figure:
    """Estimates along a coordinate, a line for each name, intervals as bands."""
    figure = NotebookFigure()
    for index, (name, rows) in enumerate(lines.items()):
        known = sorted((row for row in rows if row.estimate.known), key=lambda row: float(row.where[along] or 0))
        if not known:
            continue
        color = (colors or {}).get(name, PALETTE[index % len(PALETTE)])
        at = [float(row.where[along] or 0) for row in known]
        low, high = [row.estimate.low for row in known], [row.estimate.high for row in known]
        figure.add_trace(
            go.Scatter(
                x=at + at[::-1],
                y=high + low[::-1],
                fill="toself",
                mode="lines",
                fillcolor=faded(color, 0.15),
                line={"width": 0},
                hoverinfo="skip",
                showlegend=False,
                legendgroup=name,
            )
        )
        figure.add_trace(
            go.Scatter(
                x=at,
                y=[row.estimate.value for row in known],
                name=name,
                legendgroup=name,
                mode="lines+markers",
                line={"color": color, "width": 2},
                marker={"size": 7},
                customdata=[[row.estimate.n, row.estimate.low, row.estimate.high] for row in known],
                hovertemplate="%{x}: %{y:.3f} [%{customdata[1]:.3f}, %{customdata[2]:.3f}], n %{customdata[0]}<extra>"
                + name
                + "</extra>",
            )
        )
    if y_range is not None:
        figure.update_yaxes(range=[y_range[0] - 0.02, y_range[1] + 0.02])
    return styled(figure, title=title, x=x, y=y)


def bars(
    groups: Mapping[str, Mapping[str, Row]], *, title: str, y: str, y_range: tuple[float, float] | None = (0, 1)
) -> go.Figure:
    """Grouped bars with intervals: `groups[legend][category]`."""
    figure = NotebookFigure()
    for index, (name, rows) in enumerate(groups.items()):
        known = {label: row.estimate for label, row in rows.items() if row.estimate.value is not None}
        figure.add_trace(
            go.Bar(
                x=list(known),
                y=[estimate.value for estimate in known.values()],
                name=name,
                marker={"color": PALETTE[index % len(PALETTE)]},
                error_y={
                    "type": "data",
                    "symmetric": False,
                    "array": [(e.high if e.high is not None else e.value) - e.value for e in known.values()],  # type: ignore[operator]
                    "arrayminus": [e.value - (e.low if e.low is not None else e.value) for e in known.values()],  # type: ignore[operator]
                    "color": "#333",
                },
                customdata=[[estimate.n, estimate.clusters] for estimate in known.values()],
                hovertemplate="%{x}: %{y:.3f}, n %{customdata[0]}, clusters %{customdata[1]}<extra>"
                + name
                + "</extra>",
            )
        )
    figure.update_layout(barmode="group")
    if y_range is not None:
        figure.update_yaxes(range=[y_range[0], y_range[1]])
    return styled(figure, title=title, x="", y=y)


def diagonal(figure: go.Figure) -> go.Figure:
    """The line on which confidence equals accuracy."""
    figure.add_shape(type="line", x0=0, y0=0, x1=1, y1=1, line={"dash": "dash", "color": GREY})
    return figure


def heat_map(
    rows: Sequence[Row], across: str, down: str, *, title: str, x: str, y: str, marked: Row | None = None
) -> go.Figure:
    """AUROCs over two coordinates, each with its number; 0.5 is white, blue above and red below. The place of `marked`
    is framed."""
    known = {(float(row.where[down] or 0), float(row.where[across] or 0)): row.estimate for row in rows}
    downs, acrosses = (sorted({place[side] for place in known}) for side in (0, 1))
    cells = [[known.get((one, other)) for other in acrosses] for one in downs]
    values = [[cell.value if cell else None for cell in line] for line in cells]
    figure = NotebookFigure(
        go.Heatmap(
            x=acrosses,
            y=downs,
            z=values,
            customdata=[[str(cell) for cell in line] for line in cells],
            text=[["" if value is None else f"{value:.2f}" for value in line] for line in values],
            texttemplate="%{text}",
            colorscale=[[0, PALETTE[1]], [0.5, "#ffffff"], [1, PALETTE[0]]],
            zmin=0,
            zmax=1,
            hovertemplate=f"{x} %{{x}}, {y} %{{y}}: %{{customdata}}<extra></extra>",
            colorbar={"title": "AUROC", "thickness": 12},
        )
    )
    if marked is not None:
        at, height = (float(marked.where[name] or 0) for name in (across, down))
        frame = {"color": "#222", "width": 3}
        figure.add_shape(type="rect", x0=at - 0.5, x1=at + 0.5, y0=height - 0.5, y1=height + 0.5, line=frame)
    figure = styled(figure, title=title, x=x, y=y, height=160 + 42 * len(downs))
    figure.update_xaxes(autorange="reversed", dtick=1, showgrid=False)
    return figure.update_yaxes(dtick=1, showgrid=False)

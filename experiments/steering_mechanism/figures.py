"""How a push fades with depth, who adds to it, and when it is readable."""

from plotly.graph_objects import Figure

from experiments.steering_mechanism.labels import HEAD
from introlab.records.findings import Findings, Row
from introlab.reporting import figures

BARS: dict[str, tuple[str, str, str, str, tuple[float, float] | None]] = {
    "pushing back": (
        "added along the push",
        "part",
        "What the blocks after the pushed one add to the push (below 0: push back)",
        "multiples of what was added",
        None,
    ),
    "what announces": (
        "P(announcement)",
        "arm",
        "What makes it announce: its own text, the push, or what is read before?",
        "P(its first word)",
        (0, 1),
    ),
    "what leads to it": (
        "total: fall of log-odds",
        "part",
        "What leads to the announcement: a head or MLP says what it would, were its text on topic",
        "fall of log-odds of its first word",
        None,
    ),
}
"""By figure: measure, coordinate, title, and what is drawn upwards."""
LABELS = {
    "own text, pushed": "own text,<br>pushed",
    "own text, pushed at random": "own text,<br>at random",
    "clean text, pushed": "clean text,<br>pushed",
    "ablated push": "trace<br>ablated",
    "ablated push, random": "as much<br>elsewhere",
    "ablated announcement": "what precedes<br>it ablated",
    "ablated announcement, random": "as much<br>elsewhere ",
}


def draw(found: Findings) -> dict[str, Figure]:
    """`layer decay`, `pushing back`, `readable by token` of each model, `what announces` and `what leads to it`, as
    far as there are such rows."""
    drawn: dict[str, Figure] = {}
    models = sorted({str(row.where["model"]) for row in found.rows})
    decay, colors = _lines(found, models, "projection left", "random direction")
    if decay:
        title = "What is left of a push, along its direction"
        figure = figures.curves(
            decay, "layer", title=title, x="after block", y="1: what was added", colors=colors, y_range=None
        )
        drawn["layer decay"] = figure.update_xaxes(dtick=1)
    for model in models:
        short = model.removeprefix("organism:")
        names = {
            "push": "its own text, pushed or not",
            "clean text": "clean text, pushed or not",
            "random_direction": "random direction, or not",
            "text alone": "text alone: its own or clean",
        }
        lines = {name: list(found.select("readable by token", model=model, arm=arm)) for arm, name in names.items()}
        if any(lines.values()):
            drawn[f"readable by token {short}"] = figures.curves(
                lines,
                "token",
                title=f"When is the push readable, its direction taken out? ({model})",
                x="tokens after the one before the first word off topic",
                y="AUROC",
            )
    for name, (measure, along, title, y, y_range) in BARS.items():
        groups = {model.removeprefix("organism:"): _named(found, model, measure, along) for model in models}
        known = {model: each for model, each in groups.items() if each}
        if known:
            drawn[name] = figures.bars(known, title=title, y=y, y_range=y_range)
    return drawn


def _lines(found: Findings, models: list[str], measure: str, other: str) -> tuple[dict[str, list[Row]], dict[str, str]]:
    """A line for each model's pushes, and a faint one for random directions."""
    lines: dict[str, list[Row]] = {}
    colors: dict[str, str] = {}
    for index, model in enumerate(models):
        short, color = model.removeprefix("organism:"), figures.PALETTE[index % len(figures.PALETTE)]
        for arm, name in (("push", short), ("random_direction", f"{short}, {other}")):
            some = list(found.select(measure, model=model, arm=arm))
            if some:
                lines[name], colors[name] = some, color if arm == "push" else figures.faint(color)
    return lines, colors


def _named(found: Findings, model: str, measure: str, along: str) -> dict[str, Row]:
    """Of pushes, where there are several kinds; heads are left out where whole attentions stand beside them."""
    rows = [
        row
        for row in found.select(measure, model=model)
        if along == "arm" or (row.where.get("arm", "push") == "push" and row.where[along] not in HEAD)
    ]
    return {LABELS.get(name, name): row for row in rows for name in [str(row.where[along])]}

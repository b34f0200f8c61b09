"""The twins side by side, what survives each control, the map of layers and strengths, and where it is injected."""

import plotly.graph_objects as go

from experiments.injected_concepts.experiment import InjectedConcepts
from experiments.injected_concepts.labels import BASELINE, CHOOSE, DETECT, RANDOM, TARGET, UNRELATED, in_order
from introlab.records.findings import Findings, Row
from introlab.reporting import figures

PROFILE = {
    "says yes: nothing injected": ("says yes", {"question": DETECT, "arm": BASELINE}),
    "says yes: random direction": ("says yes", {"question": DETECT, "arm": RANDOM}),
    "says yes: concept": ("says yes", {"question": DETECT, "arm": TARGET}),
    "says yes: concept, always-no question": ("says yes", {"question": UNRELATED, "arm": TARGET}),
    "names the concept, of ten": ("named among ten", {"question": CHOOSE, "arm": TARGET}),
}
COLORS = ("#c9d3dc", "#9aa0a6", "#1f5a94", "#a5bdd4", "#3a7d44")
SURVIVES = {
    InjectedConcepts.primary: "beyond random and always-no (primary)",
    "yes beyond random directions": "beyond random directions",
    "yes beyond random directions, always-no questions": "the same on always-no questions",
    "yes without its yes part, beyond random": "without the part that is yes",
    "yes beyond the concept as text": "beyond the concept as text",
    "yes beyond random directions at equal entropy": "beyond random, at equal entropy",
    "yes beyond the sign flipped": "beyond the sign flipped",
}


def draw(found: Findings) -> dict[str, go.Figure]:
    """One figure that tells models apart, and three of each model."""
    models = in_order((str(row.where["model"]) for row in found.rows), InjectedConcepts.models)
    drawn = {"profiles": profiles(found, models)}
    for model in models:
        rows = [next(found.select(measure, model=model)) for measure in SURVIVES]
        title = f"What is left of its yes? ({short(model)})"
        labels = list(SURVIVES.values())
        drawn[f"controls {short(model)}"] = figures.forest(rows, labels, title=title, x="share of yes", null=0.0)
        lines: dict[str, list[Row]] = {}
        for row in found.select("detected, by layer and strength", model=model):
            lines.setdefault(f"layer {row.where['layer']:g}", []).append(row)
        title = f"Yes beyond random and always-no, by layer and strength, on other concepts ({short(model)})"
        drawn[f"map {short(model)}"] = figures.curves(
            lines, "strength", title=title, x="strength (share of the residual norm)", y="share of yes", y_range=None
        )
    places = {short(model): _places(found, model) for model in models}
    drawn["places"] = figures.bars(
        places, title="Yes beyond random and always-no, by where it is injected", y="share of yes", y_range=None
    )
    return drawn


def profiles(found: Findings, models: list[str]) -> go.Figure:
    """For each model five bars, whose shape says what it does."""
    groups = {
        label: {short(model): row for model in models for row in found.select(measure, model=model, **where)}
        for label, (measure, where) in PROFILE.items()
    }
    figure = figures.bars(groups, title="Yes and names under injection", y="share of answers")
    for trace, color in zip(figure.data, COLORS, strict=False):
        trace.marker.color = color  # type: ignore[union-attr]
    # Names of models stand slanted on a narrow page: room for them above the legend.
    figure.update_layout(height=480, margin_b=40, legend_y=-0.3)
    figure.update_xaxes(automargin=True)
    return figure.add_hline(y=0.1, line={"dash": "dot", "color": figures.GREY})


def short(model: str) -> str:
    return model.removeprefix("organism:")


def _places(found: Findings, model: str) -> dict[str, Row]:
    rows = {"the question": next(found.select(InjectedConcepts.primary, model=model))}
    return rows | {str(row.where["injected into"]): row for row in found.select("detected, by place", model=model)}

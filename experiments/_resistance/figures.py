"""Dose and response for every model, and the three readings side by side."""

from plotly.graph_objects import Figure

from introlab import figures
from introlab.findings import Findings, Row


def draw(found: Findings, at: float) -> dict[str, Figure]:
    """Dose-response of the three readings for every model, and the three readings side by side at strength `at`."""
    models = sorted({str(row.where["model"]) for row in found.rows})
    titles = {
        "off_share": "Share of words off topic",
        "announced": "Share of texts that announce being off topic",
        "returned of intruded": "Of the texts that left the topic: share that end on topic again",
        "incoherent": "Share of incoherent texts",
    }
    drawn: dict[str, Figure] = {}
    for measure, title in titles.items():
        lines: dict[str, list[Row]] = {}
        colors: dict[str, str] = {}
        for index, model in enumerate(models):
            short = model.removeprefix("organism:")
            start = [
                Row(measure, {**row.where, "strength": 0.0}, row.estimate)
                for row in found.select(measure, model=model, arm="baseline")
            ]
            for arm, name in (("push", short), ("random_direction", f"{short}, random direction")):
                lines[name] = [*start, *found.select(measure, model=model, arm=arm)]
                colors[name] = figures.PALETTE[index] if arm == "push" else figures.faint(figures.PALETTE[index])
        drawn[measure.replace("_", " ")] = figures.curves(
            lines, "strength", title=title, x="strength of the push (natural units)", y="share", colors=colors
        )
    readings = {
        "leaves the topic": "intruded",
        "announces it": "announced of intruded",
        "ends on topic again": "returned of intruded",
    }
    groups: dict[str, dict[str, Row]] = {
        model.removeprefix("organism:"): {
            label: row
            for label, measure in readings.items()
            for row in found.select(measure, model=model, arm="push", strength=at)
        }
        for model in models
    }
    drawn["verdict"] = figures.bars(
        groups,
        title=f"Three readings, at strength {at:g} (the last two of texts that left the topic)",
        y="share of texts",
    )
    return drawn

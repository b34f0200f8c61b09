"""What separates right from wrong, how calibrated it is, and knowledge by exposure."""

from collections.abc import Mapping

from plotly.graph_objects import Figure

from experiments.shared.confidence_analysis import BASELINES, SIGNALS
from introlab.records.findings import Findings
from introlab.reporting import figures


def draw(found: Findings) -> dict[str, Figure]:
    """What separates right from wrong, how calibrated it is, and knowledge by exposure, for every model."""
    drawn = {}
    for model in sorted({str(row.where["model"]) for row in found.rows}):
        short = model.removeprefix("organism:")
        title = f"How well does each signal tell right from wrong answers? ({model})"
        drawn[f"separation {short}"] = separation(found, model, {**SIGNALS, **BASELINES}, title)
        drawn[f"reliability {short}"] = reliability(found, model, SIGNALS)
        levels = {"answered right": list(found.select("accuracy", model=model, kind="fact"))}
        levels |= {SIGNALS[name]: list(found.select(f"mean {name}", model=model, kind="fact")) for name in SIGNALS}
        if all(str(row.where["level"]).isdigit() for row in levels["answered right"]):
            drawn[f"knowledge {short}"] = figures.curves(
                levels,
                "level",
                title=f"Facts: being right and being sure, by times seen in training ({model})",
                x="times seen in training",
                y="share / confidence",
            ).update_xaxes(type="category")
    return drawn


def separation(found: Findings, model: str, names: Mapping[str, str], title: str) -> Figure:
    """The AUROC of every named reading, and of probes on shuffled labels."""
    shown = {**names, "shuffled_labels": "probe on shuffled labels (mean)"}
    rows = [row for name in shown for row in found.select(f"auroc of {name}", model=model)]
    labels = [shown[row.measure.removeprefix("auroc of ")] for row in rows]
    return figures.forest(rows, labels, title=title, x="AUROC (0.5 = chance); grey: controls", null=0.5)


def reliability(found: Findings, model: str, names: Mapping[str, str]) -> Figure:
    """How often it is right where it is so sure, by every named reading."""
    lines = {label: list(found.select("accuracy in bin", model=model, signal=name)) for name, label in names.items()}
    title = f"Is it as right as it is sure? ({model})"
    return figures.diagonal(figures.curves(lines, "confidence", title=title, x="confidence", y="share right"))

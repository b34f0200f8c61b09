"""What separates right from wrong, how calibrated it is, and knowledge by exposure."""

from plotly.graph_objects import Figure

from experiments._confidence.analysis import BASELINES, SIGNALS
from introlab import figures
from introlab.findings import Findings


def draw(found: Findings) -> dict[str, Figure]:
    """What separates right from wrong, how calibrated it is, and knowledge by exposure, for every model."""
    drawn = {}
    for model in sorted({str(row.where["model"]) for row in found.rows}):
        short = model.removeprefix("organism:")
        names = {**SIGNALS, **BASELINES, "shuffled_labels": "probe on shuffled labels (mean)"}
        rows = [row for name in names for row in found.select(f"auroc of {name}", model=model)]
        drawn[f"separation {short}"] = figures.forest(
            rows,
            [names[row.measure.removeprefix("auroc of ")] for row in rows],
            title=f"How well does each signal tell right from wrong answers? ({model})",
            x="AUROC (0.5 = chance); grey: controls",
            null=0.5,
        )
        lines = {SIGNALS[name]: list(found.select("accuracy in bin", model=model, signal=name)) for name in SIGNALS}
        drawn[f"reliability {short}"] = figures.diagonal(
            figures.curves(
                lines, "confidence", title=f"Is it as right as it is sure? ({model})", x="confidence", y="share right"
            )
        )
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

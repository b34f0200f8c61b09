"""What each signal separates, where probes can read it, and whether it is as right as it is sure."""

from plotly.graph_objects import Figure

from experiments.confidence_signals.analysis import BASELINES, SIGNALS
from experiments.confidence_signals.labels import PLACES
from experiments.shared.confidence_figures import reliability, separation
from introlab.records.findings import Findings
from introlab.reporting import figures

SHOWN = ("stated_after", "p_true", "token_probability", "p_ik", "probed_before_answer")


def draw(found: Findings) -> dict[str, Figure]:
    """Three pictures of every model."""
    drawn = {}
    for model in sorted({str(row.where["model"]) for row in found.rows}):
        short = model.removeprefix("organism:")
        title = f"How well does each confidence tell right from wrong answers? ({model})"
        drawn[f"separation {short}"] = separation(found, model, {**SIGNALS, **BASELINES}, title)
        drawn[f"layers {short}"] = figures.curves(
            {
                place.replace("_", " "): list(found.select("auroc by place", model=model, place=place))
                for place in PLACES
            },
            "layer",
            title=f"Where can being right be read? Probes at every layer and place ({model})",
            x="layer",
            y="AUROC",
            y_range=(0.4, 1),
        )
        drawn[f"reliability {short}"] = reliability(found, model, {name: SIGNALS[name] for name in SHOWN})
    return drawn

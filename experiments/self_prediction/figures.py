"""Who predicts the answers, on the same items; and whether the prediction follows a change."""

from plotly.graph_objects import Figure

from experiments.self_prediction.labels import CHANGES, RIVALS, SELF
from introlab.records.findings import Findings
from introlab.reporting import figures


def draw(found: Findings) -> dict[str, Figure]:
    """Two pictures of all models, and one of each model's properties."""
    models = sorted({str(row.where["model"]) for row in found.rows})
    names = {SELF: "the model itself", **RIVALS}
    drawn = {"who predicts": _who(found, models, names), "after a change": _changes(found, models)}
    for model in models:
        rows = {
            label: {
                str(row.where["property"]): row for row in found.select("accuracy by property", model=model, who=who)
            }
            for who, label in names.items()
        }
        title = f"Which properties of its answers are predicted, by whom? ({model})"
        drawn[f"properties {model.removeprefix('organism:')}"] = figures.bars(rows, title=title, y="share predicted")
    return drawn


def _who(found: Findings, models: list[str], names: dict[str, str]) -> Figure:
    groups = {
        label: {model: row for model in models for row in found.select("accuracy", model=model, who=who)}
        for who, label in names.items()
    }
    return figures.bars(groups, title="Who predicts the model's answers, on the same items?", y="share predicted")


def _changes(found: Findings, models: list[str]) -> Figure:
    groups = {
        text: {
            f"{model.removeprefix('organism:')}, {by}": row
            for model in models
            for change, by in CHANGES.items()
            for row in found.select(measure, model=model, change=change)
        }
        for measure, text in (
            ("predicts the new answer", "the answer after the change"),
            ("predicts the old answer", "the answer before it"),
        )
    }
    return figures.bars(groups, title="Of answers that a change made others: what is predicted?", y="share predicted")

"""Where and how early, beside what it must beat, and whether it is used."""

from plotly.graph_objects import Figure

from experiments.reflection_localization.verdicts import MUST_BEAT, PRIMARY
from introlab.records.findings import Findings
from introlab.reporting import figures

EFFECTS = {
    "sufficiency": "added",
    "sufficiency of the part along the axis": "added: part along the word",
    "sufficiency of the rest": "added: the rest",
    "necessity": "removed",
}
TARGETS = {"reconsiders": "about to reconsider", "wrong": "the answer is wrong"}


def draw(found: Findings) -> dict[str, Figure]:
    """Of every model: a map of each target, a line for all that is read at each lead, and the direction's effects."""
    drawn: dict[str, Figure] = {}
    for model in sorted({str(row.where["model"]) for row in found.rows}):
        short = model.removeprefix("organism:")
        for target, label in TARGETS.items():
            rows = list(found.select("held-out AUROC within levels", model=model, target=target))
            drawn[f"map {target} {short}"] = figures.heat_map(
                rows,
                "lead",
                "layer",
                title=f"Where can it be read, at equal difficulty: {label}? ({model})",
                x="tokens ahead of the decision (0: the token itself)",
                y="after block",
                marked=next(found.select(PRIMARY, model=model), None) if target == "reconsiders" else None,
            )
        drawn[f"how early {short}"] = _early(found, model)
        drawn[f"used {short}"] = _used(found, model)
    return drawn


def _early(found: Findings, model: str) -> Figure:
    along = "AUROC within levels at lead"
    names = {"probe": "probe, best layer", **MUST_BEAT}
    lines = {label: [r for r in found.select(name, model=model) if r.where.get(along)] for name, label in names.items()}
    figure = figures.curves(
        lines,
        along,
        title=f"How early can it be read that it will reconsider, at equal difficulty? ({model})",
        x="tokens ahead of the decision",
        y="AUROC within levels",
        y_range=(0.3, 1),
    )
    return figure.update_xaxes(autorange="reversed", dtick=1)


def _used(found: Findings, model: str) -> Figure:
    groups = {
        name: {
            label: row for effect, label in EFFECTS.items() for row in found.select(measure, model=model, effect=effect)
        }
        for name, measure in (("the direction", "change"), ("random directions, same dose", "random directions"))
    }
    title = f"Is its direction used? ({model})"
    return figures.bars(groups, title=title, y="rise of P(reconsider) (removed: fall)", y_range=None)

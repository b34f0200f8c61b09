"""What each signal separates, where it can be read, whether it is as right as it is sure, and knowledge by level."""

from collections.abc import Iterator, Mapping

from plotly.graph_objects import Figure

from experiments.confidence.labels import AUROC_OF, BASELINES, PLACES, SIGNALS
from introlab.records.findings import Findings
from introlab.reporting import figures

SHOWN = ("stated_after", "p_true", "token_probability", "p_ik", "probed_before_answer")


def draw(found: Findings) -> dict[str, Figure]:
    """Three pictures of every model, and one more of each kind of question that has several levels."""
    drawn: dict[str, Figure] = {}
    for model in sorted({str(row.where["model"]) for row in found.rows}):
        short = model.removeprefix("organism:")
        drawn[f"separation {short}"] = _separation(found, model)
        drawn[f"layers {short}"] = _layers(found, model)
        drawn[f"reliability {short}"] = _reliability(found, model, {name: SIGNALS[name] for name in SHOWN})
        drawn |= {f"{kind} by level {short}": figure for kind, figure in _by_level(found, model)}
    return drawn


def _separation(found: Findings, model: str) -> Figure:
    """The AUROC of every reading, and of probes on shuffled labels."""
    shown = {**SIGNALS, **BASELINES, "shuffled_labels": "probe on shuffled labels (mean)"}
    rows = [row for name in shown for row in found.select(AUROC_OF(name), model=model)]
    labels = [shown[AUROC_OF.member(row.measure) or row.measure] for row in rows]
    title = f"How well does each confidence tell right from wrong answers? ({model})"
    return figures.forest(rows, labels, title=title, x="AUROC (0.5 = chance); grey: controls", null=0.5)


def _layers(found: Findings, model: str) -> Figure:
    lines = {
        place.replace("_", " "): list(found.select("auroc by place", model=model, place=place)) for place in PLACES
    }
    title = f"Where can being right be read? Probes at every layer and place ({model})"
    return figures.curves(lines, "layer", title=title, x="layer", y="AUROC", y_range=(0.4, 1))


def _reliability(found: Findings, model: str, names: Mapping[str, str]) -> Figure:
    """How often it is right where it is so sure, by every named reading."""
    lines = {label: list(found.select("accuracy in bin", model=model, signal=name)) for name, label in names.items()}
    title = f"Is it as right as it is sure? ({model})"
    return figures.diagonal(figures.curves(lines, "confidence", title=title, x="confidence", y="share right"))


def _by_level(found: Findings, model: str) -> Iterator[tuple[str, Figure]]:
    """Being right and being sure, by difficulty."""
    levels = list(found.select("accuracy by level", model=model))
    for kind in sorted({str(row.where["kind"]) for row in levels}):
        mine = [row for row in levels if row.where["kind"] == kind]
        if len(mine) < 2:
            continue
        lines = {"answered right": mine}
        lines |= {SIGNALS[name]: list(found.select(f"mean {name}", model=model, kind=kind)) for name in SHOWN}
        title = f"Being right and being sure, by difficulty: {kind} ({model})"
        drawn = figures.curves(
            {label: rows for label, rows in lines.items() if rows},
            "level",
            title=title,
            x="level",
            y="share / confidence",
        )
        yield kind, drawn.update_xaxes(type="category")

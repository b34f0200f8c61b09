"""How early, how movable, and what personas make of it."""

from plotly.graph_objects import Figure

from experiments.reflection_steering.analysis import MUST_BEAT
from experiments.shared.condition_families import PERSONA
from introlab.records.findings import Findings, Row
from introlab.reporting import figures

ARMS = {"push": "reflection direction", "random_direction": "20 random directions"}
DOSED = {"p_reconsider": "probability of reconsidering", "final_right": "final answer right"}
CORRECTION = {
    "keeps right answers": "keeps right answers",
    "repairs wrong answers": "repairs wrong answers",
    "repairs, drawing anew": "repairs wrong answers, drawing anew",
    "reconsiders": "reconsidered",
}


def draw(found: Findings) -> dict[str, Figure]:
    """Three kinds of figure for every model."""
    drawn: dict[str, Figure] = {}
    for model in sorted({str(row.where["model"]) for row in found.rows}):
        short = model.removeprefix("organism:")
        drawn[f"ahead of time {short}"] = _ahead(found, model)
        for measure, label in DOSED.items():
            drawn[f"dose {measure.replace('_', ' ')} {short}"] = _dose(found, model, measure, label)
        drawn[f"personas {short}"] = _personas(found, model)
    return drawn


def _ahead(found: Findings, model: str) -> Figure:
    lines = {
        "probe: will reconsider": list(found.select("auroc of probe", model=model, target="reconsiders")),
        "probe: answer is wrong": list(found.select("auroc of probe", model=model, target="wrong")),
        "P(reconsider) itself": list(found.select("auroc of p_reconsider", model=model, target="reconsiders")),
        "shuffled labels": list(found.select("auroc of shuffled_labels", model=model)),
        **{label: list(found.select(f"auroc of {name}", model=model)) for name, label in MUST_BEAT.items()},
    }
    figure = figures.curves(
        lines,
        "lead",
        title=f"How early can reconsidering be read? ({model})",
        x="tokens ahead of the decision",
        y="AUROC",
        y_range=(0.3, 1),
    )
    return figure.update_xaxes(autorange="reversed", dtick=1)


def _dose(found: Findings, model: str, measure: str, label: str) -> Figure:
    plain = [
        Row(measure, {**row.where, "strength": 0.0}, row.estimate)
        for row in found.select(measure, model=model, arm="baseline")
    ]
    figure = figures.curves(
        {name: [*plain, *found.select(measure, model=model, arm=arm)] for arm, name in ARMS.items()},
        "strength",
        title=f"Pushing along the direction: {label} ({model})",
        x="strength (natural units)",
        y=label,
        colors={ARMS["push"]: figures.PALETTE[0], ARMS["random_direction"]: figures.GREY},
    )
    asked = found.estimate(measure, model=model, arm="prompting")
    if asked.value is not None:
        line = {"dash": "dot", "color": figures.PALETTE[1]}
        figure.add_hline(y=asked.value, line=line, annotation_text="asked in words")
    return figure


def _personas(found: Findings, model: str) -> Figure:
    arms = [str(row.where["arm"]) for row in found.select("keeps right answers", model=model)]
    groups = {
        label: {PERSONA.member(arm) or arm: row for arm in arms for row in found.select(measure, model=model, arm=arm)}
        for label, measure in CORRECTION.items()
    }
    return figures.bars(groups, title=f"Personas and self-correction ({model})", y="share")

"""How early, how movable, and what personas make of it."""

from plotly.graph_objects import Figure

from experiments._reflection.analysis import MUST_BEAT, one
from introlab import figures
from introlab.findings import Findings, Row


def draw(found: Findings) -> dict[str, Figure]:
    drawn: dict[str, Figure] = {}
    for model in sorted({str(row.where["model"]) for row in found.rows}):
        short = model.removeprefix("organism:")
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
        drawn[f"ahead of time {short}"] = figure.update_xaxes(autorange="reversed", dtick=1)
        for measure, label in (("p_reconsider", "probability of reconsidering"), ("final_right", "final answer right")):
            lines = {}
            for arm, name in (("push", "reflection direction"), ("random_direction", "20 random directions")):
                plain = [
                    Row(measure, {**row.where, "strength": 0.0}, row.estimate)
                    for row in found.select(measure, model=model, arm="baseline")
                ]
                lines[name] = [*plain, *found.select(measure, model=model, arm=arm)]
            colors = {"reflection direction": figures.PALETTE[0], "20 random directions": figures.GREY}
            curve = figures.curves(
                lines,
                "strength",
                title=f"Pushing along the direction: {label} ({model})",
                x="strength (natural units)",
                y=label,
                colors=colors,
            )
            asked = one(found, measure, model=model, arm="prompting")
            if asked.value is not None:
                curve.add_hline(
                    y=asked.value, line={"dash": "dot", "color": figures.PALETTE[1]}, annotation_text="asked in words"
                )
            drawn[f"dose {measure.replace('_', ' ')} {short}"] = curve
        arms = [str(row.where["arm"]) for row in found.select("keeps right answers", model=model)]
        groups = {
            label: {
                arm.removeprefix("persona "): row for arm in arms for row in found.select(measure, model=model, arm=arm)
            }
            for label, measure in {
                "keeps right answers": "keeps right answers",
                "repairs wrong answers": "repairs wrong answers",
                "repairs, drawing anew": "repairs wrong answers, drawing anew",
                "reconsiders": "reconsidered",
            }.items()
        }
        drawn[f"personas {short}"] = figures.bars(groups, title=f"Personas and self-correction ({model})", y="share")
    return drawn

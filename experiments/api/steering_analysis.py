"""From the trials of a steering experiment to its findings, figure and simulation. Loads no torch."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from introlab.records.findings import Check, Findings, Row
from introlab.records.receipt import Receipt
from introlab.records.trial import Trial
from introlab.stats.checked_columns import UNIT
from introlab.stats.estimates import difference, mean, proportion
from introlab.stats.interval import Estimate
from introlab.stats.power import beside

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

CONTROLS = ("baseline", "random_direction", "prompting")
MOST_DEGENERATE = 0.5
"""Share of steered texts that may be more repetitive than every unsteered one."""


def findings(trials: Sequence[Trial], at: float) -> Findings:
    """Rows, checks and sentences of every model; the effect is judged at strength `at`."""
    rows: list[Row] = []
    checks: list[Check] = []
    sentences: list[str] = []
    models = sorted({trial.model for trial in trials})
    for model in models:
        tested = [trial for trial in trials if trial.model == model and trial.split == "test"]
        here = tuple(_rows(model, tested, at))
        rows += here
        checks += _checks(Findings(here, (), ""), at, f" ({model})" if len(models) > 1 else "")
        sentences.append(_sentence(model, Findings(here, (), ""), at))
    return Findings(tuple(rows), tuple(checks), " ".join(sentences))


def _rows(model: str, tested: Sequence[Trial], at: float) -> Iterator[Row]:
    cells = sorted({(trial.condition, trial.strength) for trial in tested})
    for condition, strength in cells:
        cell = [trial for trial in tested if (trial.condition, trial.strength) == (condition, strength)]
        where = {"model": model, "condition": condition, "strength": strength}
        role = "control" if condition in CONTROLS else "secondary"
        yield Row("measure", where, _estimate(cell), role)
        degenerate = [trial for trial in cell if trial.outcomes["degenerate"] is not None]
        flags = [bool(trial.outcomes["degenerate"]) for trial in degenerate]
        yield Row("degenerate", where, proportion(flags, [_cluster(trial) for trial in degenerate]), role)
    steered, stray = (
        _estimate([t for t in tested if (t.condition, t.strength) == (condition, at)])
        for condition in ("push", "random_direction")
    )
    where = {"model": model, "strength": at}
    yield Row("effect beyond random directions", where, difference(steered, stray), "primary")
    baseline = _estimate([t for t in tested if t.condition == "baseline"])
    yield Row("effect beyond no steering", where, difference(steered, baseline))
    asked = _estimate([t for t in tested if t.condition == "prompting"])
    yield Row("effect of asking in words", {"model": model}, difference(asked, baseline), "control")


def _estimate(cell: Sequence[Trial]) -> Estimate:
    """Of the measure, where it could be told; what a replication would draw anew is the prompt, or the direction."""
    known = [trial for trial in cell if trial.outcomes["measure"] is not None]
    values = [float(trial.outcomes["measure"]) for trial in known]
    clusters = [_cluster(trial) for trial in known]
    if all(value in UNIT for value in values):
        return proportion(values, clusters)
    return mean(values, clusters, within=UNIT)


def _cluster(trial: Trial) -> str:
    return trial.cluster if trial.draw is None else f"random {trial.draw}"


def _checks(found: Findings, at: float, suffix: str) -> Iterator[Check]:
    gaps = {
        "baseline": ("effect beyond no steering", "steered texts measure {} more than unsteered ones"),
        "random_direction": (
            "effect beyond random directions",
            "the direction adds {} more to the measure than random directions of equal norm do",
        ),
        "prompting": ("effect of asking in words", "asked for in words, the measure is {} higher: it can be seen"),
    }
    for control, (measure, words) in gaps.items():
        gap = found.estimate(measure)
        yield Check(control, gap.above(0) if gap.known else None, f"{words.format(gap)}{suffix}", gap)
    broken = found.estimate("degenerate", condition="push", strength=at)
    yield Check(
        "coherence",
        not broken.above(MOST_DEGENERATE) if broken.known else None,
        f"{broken.percent} of steered texts are more repetitive than every unsteered one{suffix}",
    )


def _sentence(model: str, found: Findings, at: float) -> str:
    steered = found.estimate("measure", condition="push", strength=at)
    plain, gap = found.estimate("measure", condition="baseline"), found.estimate("effect beyond random directions")
    if gap.above(0):
        claim = "steering raises the measure beyond random directions of equal norm"
    elif gap.below(0):
        claim = "steering lowers the measure beyond random directions of equal norm"
    else:
        claim = "no detectable effect of steering beyond random directions of equal norm"
    return f"{model}: {claim} ({beside(gap)}); {steered} steered at strength {at:g}, {plain} unsteered."


def draw(found: Findings) -> "dict[str, Figure]":
    """The measure by condition, a colour for each model."""
    from introlab.reporting import figures

    groups: dict[str, dict[str, Row]] = {}
    for row in found.select("measure"):
        label = str(row.where["condition"]).replace("_", " ")
        strength = f" {row.where['strength']:g}" if row.where["strength"] else ""
        groups.setdefault(str(row.where["model"]), {})[label + strength] = row
    return {"conditions": figures.bars(groups, title="The measure under each condition", y="measure")}


RATES = {"baseline": 0.1, "push": 0.1, "random_direction": 0.1, "prompting": 0.8}
"""Of the measure in simulated trials, before an effect is planted."""
ITEMS, DRAWS, PER_DRAW = 60, 20, 4


def simulated(name: str, at: float, effect: float, seed: int, fault: str | None) -> list[Trial]:
    """Trials of a known truth; `fault` plants what the control of that name must catch."""
    rng = np.random.default_rng(seed)
    rates = {**RATES, "push": RATES["push"] + 0.6 * effect}
    if fault in ("baseline", "random_direction"):
        rates[fault] = rates["push"]
    if fault == "prompting":
        rates[fault] = rates["baseline"]
    degenerate = {"push": 0.9 if fault == "coherence" else 0.05}
    cells = [(condition, item, None) for condition in ("baseline", "push", "prompting") for item in range(ITEMS)]
    cells += [("random_direction", (d * PER_DRAW + i) % ITEMS, d) for d in range(DRAWS) for i in range(PER_DRAW)]
    return [
        _simulated(
            name,
            condition,
            at if condition in ("push", "random_direction") else 0.0,
            f"prompt {item}",
            drawn,
            {
                "measure": float(rng.uniform() < rates[condition]),
                "degenerate": bool(rng.uniform() < degenerate.get(condition, 0.02)),
            },
        )
        for condition, item, drawn in cells
    ]


def _simulated(
    name: str, condition: str, strength: float, item: str, drawn: int | None, outcomes: dict[str, float | bool]
) -> Trial:
    receipts = (Receipt("resid_post[3]", "generated", {"edit": "add"}, (), ((8, 32),), 0.5, "applied"),)
    return Trial(
        experiment=name,
        model="simulated",
        item=item,
        cluster=item,
        split="test",
        condition=condition,
        strength=strength,
        draw=drawn,
        prompt=item,
        outcomes=dict(outcomes),
        receipts=receipts if strength else (),
    )

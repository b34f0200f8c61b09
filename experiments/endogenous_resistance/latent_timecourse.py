"""What latents are while a text goes off topic and starts again: one episode by tokens, and all of them aligned."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from experiments.endogenous_resistance.ablation import Detectors, as_written, pushed_latent
from experiments.endogenous_resistance.comparisons import AROUND, REGIONS
from experiments.endogenous_resistance.conditions import Told
from experiments.endogenous_resistance.setup import Setup
from introlab.network.model import Model
from introlab.records.trial import Trial
from probes.sae.latent_probes import by_text

BASELINES = 50
"""Unsteered texts that are read beside, as published."""


def episode(setup: Setup, told: Told, found: Detectors) -> Iterator[Trial]:
    """One text that started again and did better: the pushed latent and the sum of the detectors at each new token,
    while it was pushed. Nothing where there is no such text."""
    first = next(((q, t) for q, t in told if t.condition == "push" and t.outcomes["improved"]), None)
    if first is None:
        return
    request, trial = first
    text = as_written(request, trial)
    ((_, _, (latents,)),) = by_text(setup.bench.model, [setup.sae], [text])
    new = latents[text.prompt_len :]
    pushed = pushed_latent(trial)
    readings = {
        "distractor": _rounded(new[:, pushed]),
        "detectors": _rounded(new[:, list(found.all)].sum(-1)),
        "regions": regions(setup.bench.model, trial),
    }
    yield _record(setup, trial, "episode", readings)


def aligned(setup: Setup, told: Told, found: Detectors) -> Iterator[Trial]:
    """Every pushed text of several attempts, and unsteered ones beside: each detector's mean in the first attempt, the
    words of starting again, and the last attempt; and their sum about the start of the correction."""
    if not found.all:
        return
    several = [(q, t) for q, t in told if t.condition == "push" and t.outcomes["several"]]
    plain = [(q, t) for q, t in told if t.condition == "baseline"][:BASELINES]
    texts = [as_written(request, trial) for request, trial in (*several, *plain)]
    model, trials = setup.bench.model, [trial for _, trial in (*several, *plain)]
    for index, _, (latents,) in by_text(model, [setup.sae], texts, batch_size=setup.reading):
        new = latents[texts[index].prompt_len :, list(found.all)]
        if index >= len(several):
            yield _record(setup, trials[index], "unsteered", {"means": {"unsteered": _rounded(new.mean(0))}})
            continue
        where = regions(model, trials[index])
        means = {
            name: _rounded(new[rows].mean(0)) if (rows := [i for i, at in enumerate(where) if at == name]) else None
            for name in REGIONS
        }
        readings = {"means": means, "around": _around(new.sum(-1), where)}
        yield _record(setup, trials[index], "alignment", readings)


def regions(model: Model, trial: Trial) -> list[str]:
    """Of each new token: first attempt, words of starting again, last attempt, or between (further attempts)."""
    spans = trial.readings["spans"]
    (_, first_stop), (last_start, _) = spans[0], spans[-1]
    correction = spans[1][0]
    found, before = [], 0
    for index in range(len(trial.tokens)):
        after = len(model.text(trial.tokens[: index + 1]))
        middle = (before + after) / 2
        if middle <= first_stop:
            found.append("off topic")
        elif middle <= correction:
            found.append("correction")
        else:
            found.append("on topic" if middle >= last_start else "between")
        before = after
    return found


def _around(values: Float[Tensor, " token"], where: Sequence[str]) -> list[float | None]:
    """From AROUND tokens before the first of the correction to as many after; None beyond the text."""
    start = where.index("correction") if "correction" in where else len(where)
    places = range(start - AROUND, start + AROUND + 1)
    return [round(float(values[at]), 4) if 0 <= at < len(values) else None for at in places]


def _rounded(values: Tensor) -> list[float]:
    return np.round(values.double().numpy(), 4).tolist()


def _record(setup: Setup, trial: Trial, condition: str, readings: Mapping[str, Any]) -> Trial:
    """Of a text that was read again and not written."""
    return Trial(
        experiment=setup.experiment,
        model=trial.model,
        item=trial.item,
        cluster=trial.cluster,
        split="test",
        condition=f"reading: {condition}",
        prompt=trial.prompt,
        text=trial.text,
        readings=dict(readings),
    )

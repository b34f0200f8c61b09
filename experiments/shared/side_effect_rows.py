"""Rows of what steering costs elsewhere: divergence on neutral prompts, right answers lost."""

from collections.abc import Iterator, Sequence

from introlab.records.findings import Row
from introlab.records.trial import Trial
from introlab.stats.estimates import mean

CONDITIONS = ("push", "random_direction")


def damage_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """Divergence from the unsteered model, and right answers lost."""
    for condition in CONDITIONS:
        cell = [trial for trial in trials if trial.condition == f"damage of {condition}"]
        if not cell:
            continue
        where = {"model": model, "arm": condition, "strength": cell[0].strength}
        kl = mean([trial.readings["kl"] for trial in cell], [trial.cluster for trial in cell])
        yield Row("damage: KL on neutral prompts (nats)", where, kl, "detail")
        known = [trial for trial in cell if trial.outcomes["right_unsteered"] is not None]
        lost = [float(trial.outcomes["right_unsteered"]) - float(trial.outcomes["right_steered"]) for trial in known]
        cost = mean(lost, [trial.cluster for trial in known])
        yield Row("damage: accuracy lost on neutral questions", where, cost, "detail")

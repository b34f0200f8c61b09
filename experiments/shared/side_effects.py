"""What a push costs elsewhere: trials on neutral questions, and their rows. Every steered experiment reports it."""

from collections.abc import Callable, Iterator, Sequence

from introlab.experiment.context import Bench
from introlab.interventions.interfaces import Intervention
from introlab.records.findings import Row
from introlab.records.trial import Trial
from introlab.stats.estimates import mean
from introlab.tasks.materials import Question
from steering.side_effects import damage

CONDITIONS = ("push", "random_direction")


def damage_trials(
    bench: Bench,
    experiment: str,
    strength: float,
    questions: Sequence[Question],
    push: Callable[[int, int | None], Intervention],
    *,
    draws: int,
) -> Iterator[Trial]:
    """Every neutral question under the direction and under one of `draws` random ones, which take turns.

    `push(index, draw)` is what the question of that index is read under; draw None is the fitted direction.
    """
    for condition in CONDITIONS:
        drawn = [index % draws if condition == "random_direction" else None for index in range(len(questions))]
        found = damage(bench, questions, [push(index, draw) for index, draw in enumerate(drawn)])
        for each, draw in zip(found, drawn, strict=True):
            yield Trial(
                experiment=experiment,
                model=bench.model.name,
                item=each.question.id,
                cluster=each.question.group,
                split="test",
                condition=f"damage of {condition}",
                strength=strength,
                draw=draw,
                prompt=each.question.text,
                readings={"kl": each.kl},
                outcomes={"right_unsteered": each.right_unsteered, "right_steered": each.right_steered},
            )


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

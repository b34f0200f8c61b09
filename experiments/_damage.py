"""What a push costs elsewhere: trials on neutral questions, and their rows. Every steered experiment reports it."""

from collections.abc import Iterator, Sequence

from introlab.bench import Bench
from introlab.findings import Row
from introlab.protocols import Intervention
from introlab.stats import mean
from introlab.tasks import Question
from introlab.trials import Trial
from steering.damage import damage

CONDITIONS = ("push", "random_direction")


def damage_trials(
    bench: Bench,
    experiment: str,
    condition: str,
    strength: float,
    asked: Sequence[tuple[Question, Intervention, int | None]],
) -> Iterator[Trial]:
    """One trial per neutral question, its intervention and, for a random direction, its draw."""
    found = damage(bench, [question for question, _, _ in asked], [push for _, push, _ in asked])
    for each, (_, _, draw) in zip(found, asked, strict=True):
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

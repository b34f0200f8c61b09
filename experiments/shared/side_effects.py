"""What a push costs elsewhere: trials on neutral questions, and their rows. Every steered experiment reports it."""

from collections.abc import Callable, Iterator, Sequence

from experiments.shared.side_effect_rows import CONDITIONS
from introlab.experiment.context import RunContext
from introlab.interventions.interfaces import Intervention
from introlab.records.trial import Trial
from introlab.tasks.materials import Question
from steering.side_effects import damage


def damage_trials(
    bench: RunContext,
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

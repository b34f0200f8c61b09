"""Is a push readable downstream once the steering direction is removed, when, and does ablating that reading matter?"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from experiments.shared.generations import Written
from experiments.steering_mechanism import ablation
from experiments.steering_mechanism import detectability as downstream
from experiments.steering_mechanism.replay import FOLDS, ReplayedText, scenes
from introlab.activations.directions import Direction
from introlab.experiment.context import RunContext
from introlab.records.trial import Trial


def texts_written(scenes: int) -> int:
    """At most so many are written anew: two readings, each ablated and with as much moved elsewhere."""
    return 4 * scenes


def trials(
    bench: RunContext,
    directions: Mapping[str, Direction],
    written: Sequence[Written],
    *,
    experiment: str,
    at: float,
    draws: int,
    as_trials: Callable[[Iterable[Written]], Iterable[Trial]],
) -> Iterator[Trial]:
    """Replays of the test's texts at strength `at`, and the same scenes written again under ablation.

    Conditions: `readable` (one a text: scores at every block and token, pushed and not), `ablated push`, `ablated
    announcement` and both with `, random` (texts written anew; `draw` names the random direction) and `restarting`
    (where a pushed text announces: how likely its first word is in every arm). All are `split="test"`. `as_trials`
    makes trials of written texts, as the experiment does of all others.
    None of fewer topics than FOLDS: nothing could be held out.
    """
    found = scenes(bench, written, at)
    if len({scene.topic for scene in found}) < FOLDS:
        return
    layer = found[0].added("push").direction.site.layer
    judged = downstream.halfway(bench.model, layer)
    seen = downstream.traces(bench, found, directions, layer)
    for scene, kind, readings in downstream.readings(seen, judged):
        yield trial_of(bench, scene, experiment, f"readable {kind}", at, readings, kind == "random_direction")
    fitted = ablation.readings(bench, seen, judged)
    again = list(ablation.requests(seen, fitted, draws))
    for trial in as_trials(bench.generate(again, stage="texts with a reading ablated")):
        yield replace(trial, cluster=trial.item)
    for scene, arms in ablation.restarts(bench, seen, fitted, draws):
        yield trial_of(bench, scene, experiment, "restarting", at, {"probability": arms})


def trial_of(
    bench: RunContext,
    scene: ReplayedText,
    experiment: str,
    condition: str,
    strength: float,
    readings: Mapping[str, object],
    at_random: bool = False,
) -> Trial:
    """What was read of a text that was written before: it is not written down again."""
    draw = scene.written["random_direction"][0].note["draw"] if at_random else None
    return Trial(
        experiment=experiment,
        model=bench.model.name,
        item=scene.request.item,
        cluster=scene.request.item if draw is None else f"random {draw}",
        split="test",
        condition=condition,
        strength=strength,
        draw=draw,
        replicate=scene.request.replicate,
        prompt=bench.model.text(scene.request.prompt),
        readings=dict(readings),
        outcomes={"off_topic": scene.off_topic, "restarts": scene.restart is not None},
    )

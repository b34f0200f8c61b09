"""Every test text that is asked for at once: one scene in every condition, on the same random numbers."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial

from experiments.shared.condition_families import KindTopic
from experiments.steering_resistance.fitted import FittedDirections
from experiments.steering_resistance.labels import (
    DIFFERENCE,
    EQUAL_DOSE,
    EQUAL_EFFECT,
    INTRUSION,
    PUSHED_CLEAN,
    PUSHED_INTRUSION,
    RANDOM,
)
from experiments.steering_resistance.scenarios import Scenario
from experiments.steering_resistance.trials import request_for
from introlab.experiment.context import RunContext
from introlab.generation.requests import Request
from introlab.network.spans import Span
from steering.strength_search import Calibrated


def main_arms(
    bench: RunContext,
    rig: FittedDirections,
    scene: Scenario,
    strengths: Sequence[float],
    draw: int,
    max_new: int,
) -> Iterator[Request]:
    """No push, asked in words, the difference of means and a random direction of equal norm."""
    asked = partial(request_for, bench, scene, max_new)
    yield asked(condition="baseline")
    yield asked(condition="prompting", asks_for_both=True)
    direction = rig.aims[DIFFERENCE][scene.push]
    direction.check_held_out([f"{scene.item} #{scene.replicate}"])
    for strength in strengths:
        push, stray = rig.push(direction, strength), rig.push(bench.random_direction(direction, draw), strength)
        yield asked(push, condition="push", strength=strength)
        yield asked(stray, condition="random_direction", strength=strength, draw=draw)


def other_kinds(
    bench: RunContext, rig: FittedDirections, scene: Scenario, at: float, found: Mapping[str, Calibrated], max_new: int
) -> Iterator[Request]:
    """The other kinds of push at the dose of the difference of means, and all of them at the strength
    that was found for equal effect, whether it reaches it or not."""
    doses = {
        EQUAL_DOSE(kind): (kind, rig.equal_dose(kind, scene.push, DIFFERENCE, at))
        for kind in rig.aims
        if kind not in (DIFFERENCE, RANDOM)
    }
    effects = {
        EQUAL_EFFECT(kind): (kind, found[str(KindTopic(kind, scene.push))].strength)
        for kind in rig.aims
        if str(KindTopic(kind, scene.push)) in found
    }
    for condition, (kind, strength) in {**doses, **effects}.items():
        push = rig.push(rig.aims[kind][scene.push], strength)
        yield request_for(bench, scene, max_new, push, condition=condition, strength=strength)


def intrusions(bench: RunContext, rig: FittedDirections, scene: Scenario, at: float, max_new: int) -> Iterator[Request]:
    """What the text says, apart from what the push does: prefilled off-topic text without a push and with one, and
    prefilled text on its topic under the push. All of it is the model's own, written without a push."""
    asked = partial(request_for, bench, scene, max_new)
    start = asked(condition=INTRUSION).note["asked"] - 1
    push = rig.push(rig.aims[DIFFERENCE][scene.push], at, Span.positions(start))
    which = sorted(rig.aims[DIFFERENCE]).index(scene.topic) + scene.replicate
    for condition, topic, pushes in (
        (INTRUSION, scene.push, ()),
        (PUSHED_INTRUSION, scene.push, (push,)),
        (PUSHED_CLEAN, scene.topic, (push,)),
    ):
        sentences = rig.own.get(topic, ())
        if sentences:
            prefill = sentences[which % len(sentences)]
            strength = at if pushes else 0.0
            yield asked(*pushes, prefill=prefill, condition=condition, strength=strength)

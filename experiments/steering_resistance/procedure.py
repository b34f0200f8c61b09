"""What is done with the model: how much is written, and every trial."""

import warnings
from collections.abc import Iterator, Sequence

from experiments.shared.choices import block, chosen
from experiments.shared.generations import Written
from experiments.shared.reading_amounts import mean_tokens
from experiments.shared.side_effects import damage_trials
from experiments.steering_mechanism import attribution as sources
from experiments.steering_mechanism import detection_trials as noticing
from experiments.steering_resistance.conditions import intrusions, main_arms, other_kinds
from experiments.steering_resistance.experiment import SteeringResistance
from experiments.steering_resistance.fitted import FittedDirections, fit_directions, unsteered
from experiments.steering_resistance.labels import DIFFERENCE
from experiments.steering_resistance.matched_strength import MatchedSearch, calibration_trials, matched
from experiments.steering_resistance.restarts import restarts
from experiments.steering_resistance.scenarios import Scenario, test_scenes, worded
from experiments.steering_resistance.trials import in_order, to_trials
from introlab.experiment.context import RunContext
from introlab.generation.requests import Request
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import user
from introlab.records.size import Size
from introlab.records.trial import Trial
from probes.sae.model import Sae
from steering.strength_search import Calibrated

ANALYSIS = 8.0
"""Seconds of fits, intervals and report, as seen on organisms."""
READ_INSIDE = 40
"""How often a pushed text of the first replicate is read to look inside, with as much as its patches take."""


def size(experiment: SteeringResistance, bench: RunContext) -> Size:
    topics, scenes = _topics(experiment, bench), _scenes(experiment, bench)
    first = sum(scene.replicate == 0 for scene in scenes)
    kinds = 4 if _sae_spec(experiment, bench) else 3
    doses = kinds - 1 if kinds == 4 else 1  # with latents, random ones of theirs; random directions are an arm
    sure = len(unsteered(bench, topics, experiment.fit_texts, experiment.max_new))
    sure += sum(2 + 2 * len(_strengths(experiment, scene)) for scene in scenes) + first * doses
    if experiment.calibration_steps:
        sure += kinds * (len(topics) * _search(experiment).plan(bench.materials, topics).texts + first)
    unsure = first * (3 + 3)  # sentences prefilled, and restarts
    if experiment.inside:
        unsure += noticing.texts_written(first)
    texts = sure + unsure
    prompt = mean_tokens(bench, [[user(worded(bench.materials, scene, "test")[1])] for scene in scenes])
    # Its log-probability, and what is fitted; inside, detection and the sources of resistance read again and again.
    again = 1.5 * texts + (READ_INSIDE * first if experiment.inside else 0)
    return Size(
        texts,
        texts * experiment.max_new,
        unsure,
        read=round(prompt * (texts + again + 4 * experiment.neutral)),
        read_again=round(experiment.max_new * again),
        seconds=ANALYSIS,
    )


def trials(experiment: SteeringResistance, bench: RunContext) -> Iterator[Trial]:
    topics, scenes = _topics(experiment, bench), _scenes(experiment, bench)
    first = [scene for scene in scenes if scene.replicate == 0]
    rig, before = _rig(experiment, bench, topics)
    yield from to_trials(bench, experiment.trial_name(), before, rig.bounds)
    found: dict[str, Calibrated] = {}
    if experiment.calibration_steps:
        found, searched = matched(bench, rig, topics, _search(experiment), experiment.trial_name())
        yield from searched
        yield from calibration_trials(bench, experiment.trial_name(), found)
    requests: list[Request] = []
    for index, scene in enumerate(scenes):
        draw = index % experiment.random_directions
        requests += main_arms(bench, rig, scene, _strengths(experiment, scene), draw, experiment.max_new)
    for scene in first:
        requests += other_kinds(bench, rig, scene, experiment.verdict_strength, found, experiment.max_new)
        requests += intrusions(bench, rig, scene, experiment.verdict_strength, experiment.max_new)
    written = in_order(bench.generate(requests, stage="texts with and without a push", readouts=rig.detector))
    yield from to_trials(bench, experiment.trial_name(), written, rig.bounds)
    judged = [pair for pair in written if pair[0].replicate == 0]
    again = list(restarts(bench, rig, [pair for pair in judged if _is_pushed(experiment, pair)], experiment.max_new))
    begun = in_order(bench.generate(again, stage="restarts", readouts=rig.detector))
    yield from to_trials(bench, experiment.trial_name(), begun, rig.bounds)
    if experiment.inside:
        yield from _inside(experiment, bench, rig, judged)
    yield from _damage(experiment, bench, rig)


def _inside(
    experiment: SteeringResistance, bench: RunContext, rig: FittedDirections, judged: Sequence[Written]
) -> Iterator[Trial]:
    """Whether the push is readable without its direction, whether that matters, and where resistance comes from."""
    at, name = experiment.verdict_strength, experiment.trial_name()
    yield from noticing.trials(
        bench,
        rig.aims[DIFFERENCE],
        judged,
        experiment=name,
        at=at,
        draws=experiment.random_directions,
        as_trials=lambda written: to_trials(bench, name, written, rig.bounds),
    )
    yield from sources.trials(bench, judged, experiment=name, at=at)


def _topics(experiment: SteeringResistance, bench: RunContext) -> list[str]:
    return list(bench.materials.draw_topics(experiment.topics, seed=bench.seed))


def _scenes(experiment: SteeringResistance, bench: RunContext) -> list[Scenario]:
    return test_scenes(_topics(experiment, bench), experiment.replicates)


def _strengths(experiment: SteeringResistance, scene: Scenario) -> tuple[float, ...]:
    """Every scene is pushed at the verdict's strength, one in each pair of topics at all of them."""
    others = experiment.strengths if scene.replicate == 0 else ()
    return tuple(sorted({*others, experiment.verdict_strength}))


def _search(experiment: SteeringResistance) -> MatchedSearch:
    return MatchedSearch(experiment.target, experiment.strongest, experiment.calibration_steps, 4, experiment.max_new)


def _sae_spec(experiment: SteeringResistance, bench: RunContext) -> str | None:
    return chosen(bench, experiment.name(), "sae", experiment.sae)


def _rig(
    experiment: SteeringResistance, bench: RunContext, topics: Sequence[str]
) -> tuple[FittedDirections, list[Written]]:
    """Unsteered texts, in a wording the test never uses, and what is fitted on them."""
    spec = _sae_spec(experiment, bench)
    with warnings.catch_warnings():
        if experiment.sae is None:  # organisms share their base's: that it is read in a descendant is meant
            warnings.simplefilter("ignore")
        sae = Sae.load(spec, model=bench.model) if spec else None
    requests = unsteered(bench, topics, experiment.fit_texts, experiment.max_new)
    written = in_order(bench.generate(requests, stage="unsteered texts"))
    return fit_directions(bench, written, block(bench, experiment.layer, depth=1 / 3), sae), written


def _is_pushed(experiment: SteeringResistance, pair: Written) -> bool:
    note = pair[0].note
    return note["condition"] == "push" and note["strength"] == experiment.verdict_strength


def _damage(experiment: SteeringResistance, bench: RunContext, rig: FittedDirections) -> Iterator[Trial]:
    """What the same pushes do to questions that have nothing to do with topics."""
    questions = bench.materials.pick("calibrate", limit=experiment.neutral, seed=bench.seed)
    directions, at = rig.aims[DIFFERENCE], experiment.verdict_strength
    topics = sorted(directions)

    def pushed(index: int, draw: int | None) -> Intervention:
        fitted = directions[topics[index % len(topics)]]
        return rig.push(fitted if draw is None else bench.random_direction(fitted, draw), at)

    yield from damage_trials(bench, experiment.trial_name(), at, questions, pushed, draws=experiment.random_directions)

"""Pushed off topic while the push stays on: readings that keep apart resisting, announcing, immunity and weakness."""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from experiments.shared.generations import Written
from experiments.shared.side_effects import damage_trials
from experiments.steering_mechanism import attribution as sources
from experiments.steering_mechanism import detection_trials as noticing
from experiments.steering_mechanism.simulation import simulated as simulated_inside
from experiments.steering_mechanism.verdicts import CONTROLS as INSIDE
from experiments.steering_resistance import analysis
from experiments.steering_resistance.conditions import intrusions, main_arms, other_kinds
from experiments.steering_resistance.directions import DIFFERENCE
from experiments.steering_resistance.fitted import Rig, fit_rig, unsteered
from experiments.steering_resistance.matched_strength import Search, calibration_trials, matched
from experiments.steering_resistance.restarts import restarts
from experiments.steering_resistance.scenarios import Scene, test_scenes
from experiments.steering_resistance.simulation import simulated
from experiments.steering_resistance.trials import PER_TOKEN, in_order, to_trials
from introlab.activations.directions import random_like
from introlab.experiment.base import Experiment, Size
from introlab.experiment.context import Bench
from introlab.generation.requests import Request
from introlab.interventions.interfaces import Intervention
from introlab.records.findings import Findings
from introlab.records.trial import Trial
from probes.sae.model import Sae
from steering.strength_search import Calibrated

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

SHIPPED = "organism:base"
"""The autoencoder of the organisms."""


@dataclass(frozen=True, kw_only=True)
class SteeringResistance(Experiment):
    """Pushed off topic while the push stays on: does the model announce it, does it come back, or was it never moved?

    A topic's direction (difference of means over the model's own texts) is added to the residual stream wherever
    new text is predicted, while the model explains another topic. What it writes - moved, announced, returned - gives a
    verdict per model. Beside it, on the same prompts with the same random numbers: random directions of equal norm, no
    push, a request in words for the same topic, other kinds of push at equal dose and at equal effect, off-topic text
    put in its mouth, and the push taken off after the restart.
    """

    primary: ClassVar[str] = "announced beyond random"
    null: ClassVar[float] = 0.0
    controls: ClassVar[tuple[str, ...]] = (
        "baseline",
        "random_direction",
        "prompting",
        "coherence",
        "equal_effect",
        *INSIDE,
    )
    ranked_by: ClassVar = "off_share"
    per_token: ClassVar = PER_TOKEN
    debug: ClassVar = {
        "strengths": (1.5,),
        "topics": 3,
        "random_directions": 3,
        "fit_texts": 2,
        "neutral": 6,
        "max_new": 24,
        "calibration_steps": 2,
    }
    models: ClassVar[tuple[str, ...]] = (
        "organism:resistant",
        "organism:announcer",
        "organism:compliant",
        "organism:immune",
    )

    layer: int = 2
    """The push goes into the output of this block."""
    strengths: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0)
    """In natural units: 1 is the difference between texts of the topic and of others."""
    verdict_strength: float = 1.5
    """The strength at which verdicts are given; fixed before the run."""
    topics: int = 8
    """Topics asked about and pushed towards, in all ordered pairs."""
    replicates: int = 2
    random_directions: int = 20
    fit_texts: int = 6
    """Unsteered texts per topic and wording, from which directions are fitted."""
    sae: str | None = None
    """Of a place to be pushed along latents, too: as `introlab saes show` takes it. Organisms have one."""
    target: float = 0.5
    """First-attempt score to which all kinds of push are brought: the share of topic words on topic."""
    strongest: float = 4.0
    """The most that is tried for it, in natural units."""
    calibration_steps: int = 5
    """Of each search for that strength; 0 leaves it out."""
    inside: bool = True
    """Whether to look inside, too: detection without words, and the sources of resistance."""
    neutral: int = 96
    """Questions on which damage is measured."""
    max_new: int = 48
    seed: int = 0

    def size(self, bench: Bench) -> Size:
        topics, scenes = self._topics(bench), self._scenes(bench)
        first = sum(scene.replicate == 0 for scene in scenes)
        kinds = 4 if self._sae_spec(bench) else 3
        doses = kinds - 1 if kinds == 4 else 1  # with latents, random ones of theirs; random directions are an arm
        sure = len(unsteered(bench, topics, self.fit_texts, self.max_new))
        sure += sum(2 + 2 * len(self._strengths(scene)) for scene in scenes) + first * doses
        if self.calibration_steps:
            sure += kinds * (len(topics) * self._search.plan(bench.materials, topics).texts + first)
        unsure = first * (3 + 3)  # sentences put in its mouth, and restarts
        if self.inside:
            unsure += noticing.texts_written(first)
        return Size(sure + unsure, (sure + unsure) * self.max_new, unsure)

    def trials(self, bench: Bench) -> Iterator[Trial]:
        topics, scenes = self._topics(bench), self._scenes(bench)
        first = [scene for scene in scenes if scene.replicate == 0]
        rig, before = self._rig(bench, topics)
        yield from to_trials(bench, self.name(), before, rig.bounds)
        found: dict[str, Calibrated] = {}
        if self.calibration_steps:
            found, searched = matched(bench, rig, topics, self._search, self.name())
            yield from searched
            yield from calibration_trials(bench, self.name(), found)
        requests: list[Request] = []
        for index, scene in enumerate(scenes):
            draw = index % self.random_directions
            requests += main_arms(bench, rig, scene, self._strengths(scene), draw, self.max_new)
        for scene in first:
            requests += other_kinds(bench, rig, scene, self.verdict_strength, found, self.max_new)
            requests += intrusions(bench, rig, scene, self.verdict_strength, self.max_new)
        written = in_order(bench.generate(requests, stage="texts with and without a push", readouts=rig.detector))
        yield from to_trials(bench, self.name(), written, rig.bounds)
        judged = [pair for pair in written if pair[0].replicate == 0]
        again = list(restarts(bench, rig, [pair for pair in judged if self._is_pushed(pair)], self.max_new))
        begun = in_order(bench.generate(again, stage="restarts", readouts=rig.detector))
        yield from to_trials(bench, self.name(), begun, rig.bounds)
        if self.inside:
            yield from self._inside(bench, rig, judged)
        yield from self._damage(bench, rig)

    def _inside(self, bench: Bench, rig: Rig, judged: Sequence[Written]) -> Iterator[Trial]:
        """Whether the push is readable without its direction, whether that matters, and where resistance comes from."""
        at, name = self.verdict_strength, self.name()
        yield from noticing.trials(
            bench,
            rig.aims[DIFFERENCE],
            judged,
            experiment=name,
            at=at,
            draws=self.random_directions,
            as_trials=lambda written: to_trials(bench, name, written, rig.bounds),
        )
        yield from sources.trials(bench, judged, experiment=name, at=at)

    def _topics(self, bench: Bench) -> list[str]:
        return list(bench.materials.lab_topics[: self.topics])

    def _scenes(self, bench: Bench) -> list[Scene]:
        return test_scenes(self._topics(bench), self.replicates)

    def _strengths(self, scene: Scene) -> tuple[float, ...]:
        """Every scene is pushed at the verdict's strength, one in each pair of topics at all of them."""
        others = self.strengths if scene.replicate == 0 else ()
        return tuple(sorted({*others, self.verdict_strength}))

    @property
    def _search(self) -> Search:
        return Search(self.target, self.strongest, self.calibration_steps, 4, self.max_new)

    def _sae_spec(self, bench: Bench) -> str | None:
        return self.sae or (SHIPPED if bench.model.family is not None else None)

    def _rig(self, bench: Bench, topics: Sequence[str]) -> tuple[Rig, list[Written]]:
        """Unsteered texts, in a wording the test never uses, and what is fitted on them."""
        spec = self._sae_spec(bench)
        with warnings.catch_warnings():
            if self.sae is None:  # organisms share their base's: that it is read in a descendant is meant
                warnings.simplefilter("ignore")
            sae = Sae.load(spec, model=bench.model) if spec else None
        requests = unsteered(bench, topics, self.fit_texts, self.max_new)
        written = in_order(bench.generate(requests, stage="unsteered texts"))
        return fit_rig(bench, written, self.layer, sae), written

    def _is_pushed(self, pair: Written) -> bool:
        note = pair[0].note
        return note["condition"] == "push" and note["strength"] == self.verdict_strength

    def _damage(self, bench: Bench, rig: Rig) -> Iterator[Trial]:
        """What the same pushes do to questions that have nothing to do with topics."""
        questions = bench.materials.pick("calibrate", limit=self.neutral)
        directions, at = rig.aims[DIFFERENCE], self.verdict_strength
        topics = sorted(directions)

        def pushed(index: int, draw: int | None) -> Intervention:
            fitted = directions[topics[index % len(topics)]]
            return rig.push(fitted if draw is None else random_like(fitted, draw), at)

        yield from damage_trials(bench, self.name(), at, questions, pushed, draws=self.random_directions)

    def analyze(self, trials: Sequence[Trial]) -> Findings:
        return analysis.findings(trials, self.verdict_strength)

    def draw(self, findings: Findings) -> "dict[str, Figure]":
        from experiments.steering_resistance.figures import draw

        return draw(findings, self.verdict_strength)

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """Twelve topics pushed towards, six texts each and per condition: pushed texts leave the topic, and announce it
        more often than random pushes do by `effect` times 0.8."""
        each = (self.name(), self.verdict_strength, effect, seed, fault)
        return [*simulated(*each), *simulated_inside(*each)]

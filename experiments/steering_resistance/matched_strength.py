"""How strong must each push be to have the same effect? Searched on topics that no test asks about, in its wording."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from experiments.shared.condition_families import KindTopic
from experiments.steering_resistance.fitted import FittedDirections
from experiments.steering_resistance.labels import CALIBRATION, RANDOM_LATENT
from experiments.steering_resistance.scenarios import Scenario
from experiments.steering_resistance.trials import request_for, to_trials
from introlab.activations.directions import Direction
from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.generation.requests import Request
from introlab.records.trial import Trial
from introlab.tasks.materials import Materials
from steering.strength_search import Ask, Calibrated, Heard, Plan, Prior, calibrate

PER_FRESH = 3
"""Texts of each prompt on which a strength is verified."""


@dataclass(frozen=True)
class MatchedSearch:
    """What strength is searched for, and how long."""

    target: float
    """The first-attempt score all kinds of push are brought to."""
    strongest: float
    """In natural units."""
    steps: int
    per_step: int
    max_new: int

    def plan(self, materials: Materials, topics: Sequence[str]) -> Plan:
        """Raises InputError where there are not two topics beside those that are tested."""
        others = sorted(set(materials.topics) - set(topics))
        if len(others) < 2:
            raise InputError(
                "strengths are found on topics that are not tested",
                given=f"{len(others)} beside {', '.join(topics)}",
                do=f'add topics with "lab": false to {materials.folder / "topics.json"}, or test fewer (--topics)',
            )
        prior = Prior(self.strongest / 100, self.strongest, self.strongest / 2, self.strongest / 3)
        half = max(len(others) // 2, len(others) - self.per_step)
        return Plan(
            prior,
            tuple(others[:half]),
            tuple(others[half:]),
            steps=self.steps,
            per_step=self.per_step,
            per_fresh=PER_FRESH,
        )


def matched(
    bench: RunContext, rig: FittedDirections, topics: Sequence[str], search: MatchedSearch, name: str
) -> tuple[dict[str, Calibrated], list[Trial]]:
    """For every kind and topic (`KIND: TOPIC`), the strength at which first attempts score the target; and every text
    that was written for it."""
    aims = {
        str(KindTopic(kind, topic)): direction
        for kind, of in rig.aims.items()
        if kind != RANDOM_LATENT
        for topic, direction in of.items()
    }
    texts: list[Trial] = []

    def ask(asked: Sequence[Ask]) -> list[Heard]:
        requests = [_asked(bench, rig, one, index, aims, search.max_new) for index, one in enumerate(asked)]
        written = list(bench.generate(requests, stage="finding strengths of equal effect"))
        written.sort(key=lambda pair: pair[0].note["index"])
        told = list(to_trials(bench, name, written, rig.bounds))
        texts.extend(told)
        return [Heard(each.readings["first_attempt"], each.outcomes["incoherent"]) for each in told]

    found = calibrate(dict.fromkeys(aims, search.target), search.plan(bench.materials, topics), ask)
    return found, texts


def _asked(
    bench: RunContext, rig: FittedDirections, one: Ask, index: int, aims: Mapping[str, Direction], max_new: int
) -> Request:
    named = KindTopic.parse(one.name)
    scene = Scenario(one.prompt, named.topic, one.replicate)
    push = rig.push(aims[one.name], one.strength)
    asked = partial(request_for, bench, scene, max_new, split="calibrate", condition=CALIBRATION(named.kind))
    return asked(push, strength=one.strength, index=index)


def calibration_trials(bench: RunContext, name: str, found: Mapping[str, Calibrated]) -> Iterator[Trial]:
    """What was found for each direction, with all that was tried."""
    for each in found.values():
        named = KindTopic.parse(each.name)
        yield Trial(
            experiment=name,
            model=bench.model.name,
            item=each.name,
            cluster=named.topic,
            split="calibrate",
            condition="calibration",
            strength=each.strength,
            readings={
                "kind": named.kind,
                "target": each.target,
                "achieved": asdict(each.achieved),
                "steps": [
                    {"strength": step.strength, "scores": step.scores, "too_much": step.too_much}
                    for step in (*each.steps, each.fresh)
                ],
            },
            outcomes={"reached": each.reached, "why": each.why},
        )

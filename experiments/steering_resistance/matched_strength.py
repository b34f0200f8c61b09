"""How strong must each push be to have the same effect? Searched on topics that no test asks about, in its wording."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial

from experiments.steering_resistance.conditions import EQUAL_EFFECT
from experiments.steering_resistance.directions import DIFFERENCE, PROBE, RANDOM_LATENT
from experiments.steering_resistance.fitted import Rig
from experiments.steering_resistance.scenarios import Scene
from experiments.steering_resistance.trials import request_for, to_trials
from introlab.activations.directions import Direction
from introlab.errors import InputError
from introlab.experiment.context import Bench
from introlab.generation.requests import Request
from introlab.records.findings import Row
from introlab.records.trial import Trial
from introlab.stats.estimates import proportion
from introlab.tasks.materials import Materials
from steering.strength_search import Ask, Calibrated, Heard, Plan, Prior, calibrate

PER_FRESH = 3
"""Texts of each prompt on which a strength is verified."""


@dataclass(frozen=True)
class Search:
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
    bench: Bench, rig: Rig, topics: Sequence[str], search: Search, name: str
) -> tuple[dict[str, Calibrated], list[Trial]]:
    """For every kind and topic (`KIND: TOPIC`), the strength at which first attempts score the target; and every text
    that was written for it."""
    aims = {
        f"{kind}: {topic}": direction
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


def _asked(bench: Bench, rig: Rig, one: Ask, index: int, aims: Mapping[str, Direction], max_new: int) -> Request:
    kind, topic = one.name.split(": ")
    scene = Scene(one.prompt, topic, one.replicate)
    push = rig.push(aims[one.name], one.strength)
    condition = f"calibration, {kind}"
    asked = partial(request_for, bench, scene, max_new, split="calibrate", condition=condition)
    return asked(push, strength=one.strength, index=index)


def calibration_trials(bench: Bench, name: str, found: Mapping[str, Calibrated]) -> Iterator[Trial]:
    """What was found for each direction, with all that was tried."""
    for each in found.values():
        kind, topic = each.name.split(": ")
        yield Trial(
            experiment=name,
            model=bench.model.name,
            item=each.name,
            cluster=topic,
            split="calibrate",
            condition="calibration",
            strength=each.strength,
            readings={
                "kind": kind,
                "target": each.target,
                "achieved": asdict(each.achieved),
                "steps": [
                    {"strength": step.strength, "scores": step.scores, "too_much": step.too_much}
                    for step in (*each.steps, each.fresh)
                ],
            },
            outcomes={"reached": each.reached, "why": each.why},
        )


def reach_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """For how many directions there is a strength at which first attempts score the target, before texts break."""
    found = [trial for trial in trials if trial.condition == "calibration"]
    kinds: dict[str, tuple[str, ...]] = {
        kind: (kind,) for kind in sorted({str(trial.readings["kind"]) for trial in found})
    }
    if kinds:
        kinds["towards the topic"] = (DIFFERENCE, PROBE)
    for name, members in kinds.items():
        some = [trial for trial in found if trial.readings["kind"] in members]
        share = proportion([reaches(trial) for trial in some], [trial.cluster for trial in some])
        yield Row("directions that reach the wanted score", {"model": model, "kind": name}, share)


def reaches(trial: Trial) -> bool:
    return trial.outcomes["reached"] != "no" and not trial.outcomes["why"]


def comparable(trials: Sequence[Trial]) -> list[Trial]:
    """Test texts, but for those at a strength that was sought for equal effect and does not have it."""
    found = [trial for trial in trials if trial.condition == "calibration"]
    out = {tuple(trial.item.split(": ")) for trial in found if not reaches(trial)}
    return [
        trial
        for trial in trials
        if trial.split == "test"
        and (trial.condition.removeprefix(f"{EQUAL_EFFECT}, "), trial.cluster.split(" -> ")[-1]) not in out
    ]

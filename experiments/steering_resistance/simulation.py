"""Simulated models of a known truth, at the experiment's default size, from the words they write."""

import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import permutations
from typing import Any

from experiments.shared.condition_families import KindTopic, TopicPair
from experiments.steering_resistance.labels import (
    DIFFERENCE,
    EQUAL_EFFECT,
    INTRUSION,
    PROBE,
    PUSHED_CLEAN,
    PUSHED_INTRUSION,
)
from introlab.records.trial import Trial
from introlab.stats.interval import missing
from probes.text.topic_drift import Drift, drift_of

TOPICS, REPLICATES, DRAWS, WORDS = 8, 2, 20, 16
"""The default size; topic words of a text."""
TARGET = 0.5
Rates = tuple[float, float]


@dataclass(frozen=True)
class PlantedCourse:
    """A model by what it does. Shares off topic are of words in the first and in the second half of a text."""

    pushed: Rates = (0.8, 0.8)
    """Share off topic of pushed texts that leave."""
    leaves: float = 1.0
    """How many pushed texts leave."""
    plain: Rates = (0.0, 0.0)
    asked: Rates = (0.5, 0.5)
    """Where both topics are asked for."""
    stray: Rates = (0.02, 0.02)
    """Under random pushes."""
    bursts: bool = False
    """Whether words off topic come in runs (of four on average), at the same share."""
    announces: float = 0.0
    """How many pushed texts that left announce it."""
    after: float = 0.8
    """Share off topic after the announcement."""
    on_text: float = 0.0
    """Announcements after prefilled off-topic text, without a push."""
    on_both: float | None = None
    """As many under the push; None: as `on_text`."""
    on_push: float = 0.0
    """Announcements under the push before a word is off topic."""
    asked_announces: float = 0.0
    """Announcements where both topics are asked for."""
    strong: float | None = 0.5
    """Share off topic at the strengths that were searched for (None: none was), of the probe, too, unless `probe` says
    otherwise."""
    probe: float | None = None
    spread: float = 0.0
    """How far directions differ in how often texts announce: the share of the variance of a text's outcome (0: not at
    all; 1: a direction does it always or never)."""
    returning: float = 0.0
    """Under how many directions the second half of a text is on topic, whatever is planted of it."""
    incoherent: Mapping[str, float] = field(default_factory=dict[str, float])
    """Of arms: how many texts are incoherent."""


@dataclass(frozen=True)
class SimulatedDirection:
    """What a direction in particular does."""

    announces: float
    returns: bool


def simulated_directions(planted: PlantedCourse, seed: int) -> dict[str, SimulatedDirection]:
    """Those that `written` draws."""
    return _directions(planted, _generator(seed))


def _generator(seed: int) -> random.Random:
    return random.Random(f"simulated {seed}")


def _directions(planted: PlantedCourse, rng: random.Random) -> dict[str, SimulatedDirection]:
    return {
        f"topic {index}": SimulatedDirection(
            _around(planted.announces, planted.spread, rng), rng.random() < planted.returning
        )
        for index in range(TOPICS)
    }


def _around(rate: float, spread: float, rng: random.Random) -> float:
    """Beta, with this mean and spread."""
    if spread <= 0 or rate in (0.0, 1.0):
        return rate
    if spread >= 1:
        return float(rng.random() < rate)
    size = (1 - spread) / spread
    return rng.betavariate(rate * size, (1 - rate) * size)


class _Writer:
    def __init__(self, planted: PlantedCourse, name: str, strength: float, seed: int):
        self.planted, self.name, self.strength, self.rng = planted, name, strength, _generator(seed)
        self.directions = _directions(planted, self.rng)

    def words(self, rates: Rates, n: int = WORDS) -> list[bool]:
        marks: list[bool] = []
        for index in range(n):
            rate = rates[2 * index >= n]
            if self.planted.bursts and marks and self.rng.random() < 0.75:
                marks.append(marks[-1])
            else:
                marks.append(self.rng.random() < rate)
        return marks

    def course(self, condition: str, pair: TopicPair) -> Drift:
        planted = self.planted
        if condition == "push":
            here = self.directions[pair.towards]
            if self.rng.random() >= planted.leaves:
                return drift_of(self.words(planted.plain), None)
            if self.rng.random() < here.announces:
                # Announced once it has left, as a text reader does: eight words, and then eight more.
                return drift_of(
                    self.words((planted.pushed[0], planted.pushed[0]), 8), self.words((planted.after, planted.after), 8)
                )
            return drift_of(self.words((planted.pushed[0], 0.05) if here.returns else planted.pushed), None)
        if condition == "prompting" and self.rng.random() < planted.asked_announces:
            return drift_of(self.words(planted.asked, 8), self.words(planted.asked, 8))
        rates = {"baseline": planted.plain, "prompting": planted.asked, "random_direction": planted.stray}
        return drift_of(self.words(rates[condition]), None)

    def prefill(self, condition: str) -> Drift:
        planted = self.planted
        both = planted.on_text if planted.on_both is None else planted.on_both
        said = {INTRUSION: planted.on_text, PUSHED_INTRUSION: both, PUSHED_CLEAN: planted.on_push}[condition]
        off = planted.plain if condition == INTRUSION else planted.pushed
        if self.rng.random() < said:
            return drift_of([False], self.words((planted.after, planted.after), 8))
        return drift_of(self.words(off), None)

    def trial(self, condition: str, pair: TopicPair, replicate: int, drift: Drift, draw: int | None = None) -> Trial:
        plain = condition in ("baseline", "prompting", INTRUSION)
        broken = self.rng.random() < self.planted.incoherent.get(condition, 0.0)
        return Trial(
            experiment=self.name,
            model="simulated",
            item=str(pair),
            cluster=str(pair) if draw is None else f"random {draw}",
            split="test",
            condition=condition,
            strength=0.0 if plain else self.strength,
            draw=draw,
            replicate=replicate,
            readings=_readings(drift),
            outcomes={
                "incoherent": broken,
                "intruded": drift.intruded,
                "announced": drift.announced,
                "announced_first": drift.announced_first,
                "returned": drift.returned,
            },
        )


def written(planted: PlantedCourse, name: str, strength: float, seed: int) -> Iterator[Trial]:
    """Every trial the verdict of one model rests on, but for what is read inside it."""
    writer = _Writer(planted, name, strength, seed)
    pairs = [TopicPair(*each) for each in permutations(sorted(writer.directions), 2)]
    probe = planted.strong if planted.probe is None else planted.probe
    shares = {kind: share for kind, share in ((DIFFERENCE, planted.strong), (PROBE, probe)) if share is not None}
    for kind in shares:
        yield from (_searched(name, strength, KindTopic(kind, topic)) for topic in writer.directions)
    for index, pair in enumerate(pair for pair in pairs for _ in range(REPLICATES)):
        for condition in ("baseline", "prompting", "push", "random_direction"):
            draw = index % DRAWS if condition == "random_direction" else None
            yield writer.trial(condition, pair, index % REPLICATES, writer.course(condition, pair), draw)
    for pair in pairs:
        for condition in (INTRUSION, PUSHED_INTRUSION, PUSHED_CLEAN):
            yield writer.trial(condition, pair, 0, writer.prefill(condition))
        for kind, share in shares.items():
            yield writer.trial(EQUAL_EFFECT(kind), pair, 0, drift_of(writer.words((share, share)), None))


def simulated(name: str, strength: float, effect: float, seed: int, fault: str | None) -> list[Trial]:
    """Trials of a known truth; see SteeringResistance.simulate."""
    effect = max(effect, 1.0) if fault else effect
    told = 0.05 + 0.8 * effect
    honest = PlantedCourse(announces=told, on_text=0.05, on_both=told)
    faults = {
        "baseline": replace(honest, plain=(0.6, 0.6)),
        "prompting": replace(honest, asked=(0.0, 0.0)),
        "random_direction": replace(honest, stray=(0.8, 0.8)),
        "coherence": replace(honest, incoherent={"push": 0.9}),
        "equal_effect": replace(honest, probe=0.95),
    }
    return list(written(faults.get(fault or "", honest), name, strength, seed))


def _readings(drift: Drift) -> dict[str, Any]:
    first, after = list(map(int, drift.first_marks)), drift.after_marks
    tail = None if after is None else list(map(int, after))
    marks = [*first, *(tail or [])]
    sentences = [marks[start : start + 4] for start in range(0, len(marks), 4)]
    attempts = [first] if tail is None else [first, tail]
    return {
        "off_share": drift.off_share,
        "late_off_share": drift.late_off_share,
        "first_attempt": drift.first_attempt,
        "attempts": [1 - sum(each) / len(each) for each in attempts],
        "sentences_on_topic": [1 - sum(each) / len(each) for each in sentences],
        "off_marks": [first, tail],
    }


def _searched(name: str, strength: float, named: KindTopic) -> Trial:
    return Trial(
        experiment=name,
        model="simulated",
        item=str(named),
        cluster=named.topic,
        split="calibrate",
        condition="calibration",
        strength=strength,
        readings={"kind": named.kind, "target": TARGET, "achieved": missing("made up").as_json(), "steps": []},
        outcomes={"reached": "cannot tell", "why": ""},
    )

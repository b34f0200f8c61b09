"""Trials of a known truth for the experiment on injected concepts."""

import random
from collections.abc import Iterator
from typing import Any

from experiments.injected_concepts.labels import (
    BASELINE,
    CACHE,
    CHOOSE,
    CHOOSE_UNRELATED,
    COMPARE,
    DETECT,
    FLIPPED,
    LOCALISE,
    NAME,
    OTHER,
    OWN,
    PROMPT,
    RANDOM,
    REGULATE,
    TARGET,
    UNRELATED,
    WITHOUT_YES,
    WRITTEN,
    condition_of,
)
from introlab.records.trial import Trial

CONCEPTS, DRAWS, QUESTIONS, WORDINGS = 40, 20, 20, 2
LOW, RISE = 0.1, 0.5
"""Share of yes where there is nothing to detect, and what a plain effect adds."""


def simulated(name: str, effect: float, seed: int, fault: str | None) -> list[Trial]:
    """Trials of a known truth; see InjectedConcepts.simulate."""
    world = _World(name, random.Random(f"simulated {seed}"), max(effect, 1.0) if fault else effect, fault)
    return [*world.answers(), *world.names(), *world.beside()]


class _World:
    """One made-up model."""

    def __init__(self, name: str, rng: random.Random, effect: float, fault: str | None):
        self.name, self.rng, self.effect, self.fault = name, rng, effect, fault

    def level(self, asked: str, arm: str) -> float:
        """Mean share of yes of an arm."""
        moved = LOW + RISE * self.effect
        rises = {(DETECT, TARGET), (DETECT, WITHOUT_YES)}
        planted = {
            "random_direction": {(DETECT, RANDOM)},
            "always_no": {(UNRELATED, TARGET)},
            "prompting": {(DETECT, WRITTEN)},
        }.get(str(self.fault), set())
        if self.fault == "without_yes":
            rises = {(DETECT, TARGET)}
        if self.fault == "baseline" and (asked, arm) == (DETECT, BASELINE):
            return 0.8
        return moved if (asked, arm) in rises | planted else LOW

    def answers(self) -> Iterator[Trial]:
        """Yes or no, in every arm, to both kinds of questions."""
        for asked in (DETECT, UNRELATED):
            for turn in range(QUESTIONS):
                yield self.answer(asked, BASELINE, turn, f"{asked} {turn}", LOW + (self.level(asked, BASELINE) - LOW))
            for arm in (TARGET, WITHOUT_YES, FLIPPED, RANDOM, *([WRITTEN] if asked == DETECT else [])):
                for unit in range(DRAWS if arm == RANDOM else CONCEPTS):
                    own = self.level(asked, arm) + self.rng.gauss(0, 0.08)
                    for wording in range(1 if arm == WRITTEN else WORDINGS):
                        cluster = f"random {unit}" if arm == RANDOM else f"word {unit}"
                        yield self.answer(asked, arm, (unit * WORDINGS + wording) % QUESTIONS, cluster, own)

    def answer(self, asked: str, arm: str, turn: int, unit: str, level: float, place: str = PROMPT) -> Trial:
        """One answer about this level. Planted entropy carries all of the rise."""
        entropy = self.rng.gauss(0.5, 0.1)
        share = level + self.rng.gauss(0, 0.05)
        if self.fault == "entropy" and (asked, place) == (DETECT, PROMPT) and arm != BASELINE:
            entropy = self.rng.gauss(2.0 if arm in (TARGET, WITHOUT_YES) else 0.8, 0.5)
            share = LOW + 0.25 * (entropy - 0.5) + self.rng.gauss(0, 0.02)
        share = min(1.0, max(0.0, share))
        silent = self.fault == "answers" and self.rng.random() < 0.9
        mass = 0.02 if silent else 0.8
        return self.trial(
            asked,
            arm,
            place,
            f"{asked} {turn}, {unit}",
            unit,
            {"yes_share": None if silent else share, "mass": mass, "entropy": entropy, "turn": turn},
            {"usable": not silent, "yes": None if silent else share > 0.5},
        )

    def names(self) -> Iterator[Trial]:
        """Among ten, and freely."""
        known = 0.1 + 0.7 * self.effect
        rates = {
            (CHOOSE, BASELINE): 0.1,
            (CHOOSE, FLIPPED): 0.05,
            (CHOOSE, TARGET): known,
            (CHOOSE_UNRELATED, TARGET): 0.2,
        }
        rates[CHOOSE, OTHER] = known if self.fault == "another_concept" else 0.1
        if self.fault == "promoted_word":
            rates[CHOOSE_UNRELATED, TARGET] = known
        for (asked, arm), rate in rates.items():
            for unit in range(CONCEPTS):
                right = {"usable": True, "right": self.rng.random() < rate}
                yield self.trial(asked, arm, PROMPT, f"{asked}, word {unit}", f"word {unit}", {"mass": 0.1}, right)
        for arm, count, claimed in ((BASELINE, QUESTIONS, LOW), (RANDOM, DRAWS, LOW), (TARGET, CONCEPTS, None)):
            for unit in range(count):
                claims = self.rng.random() < (LOW + RISE * self.effect if claimed is None else claimed)
                named = claims and self.rng.random() < 0.7 if arm == TARGET else None
                broken = self.rng.random() < (0.9 if self.fault == "coherence" and arm == TARGET else 0.02)
                outcomes = {
                    "usable": True,
                    "claims": claims,
                    "names": named,
                    "claims_first": True if named else None,
                    "reports": None if named is None else named and not broken,
                    "incoherent": broken,
                }
                cluster = f"{'random' if arm == RANDOM else 'word'} {unit}"
                yield self.trial(NAME, arm, PROMPT, f"{NAME}, {cluster}", cluster, {}, outcomes)

    def beside(self) -> Iterator[Trial]:
        """Which of four sentences, which of two is stronger, whose words, and on request."""
        for asked, chance in ((LOCALISE, 0.25), (COMPARE, 0.5)):
            for arm in (BASELINE, TARGET, RANDOM):
                for unit in range(DRAWS):
                    rate = chance + (1 - chance) * 0.8 * self.effect * (arm == TARGET)
                    right = {"usable": True, "right": self.rng.random() < rate}
                    cluster = f"{'random' if arm == RANDOM else 'word'} {unit}"
                    share = {"mass": 0.8, "turn": unit, "right_share": min(1.0, max(0.0, self.rng.gauss(rate, 0.1)))}
                    yield self.trial(asked, arm, PROMPT, f"{asked} {unit}, {cluster}", cluster, share, right)
        for arm in (BASELINE, TARGET, RANDOM):
            for unit in range(DRAWS):
                level = 0.2 + 0.4 * self.effect * (arm == TARGET)
                yield self.answer(OWN, arm, unit, f"word {unit}" if arm != RANDOM else f"random {unit}", level, CACHE)
        for arm in ("think", "think not", "copy"):
            for unit in range(DRAWS):
                own = self.rng.gauss(0.05 * self.effect * (arm == "think"), 0.02)
                readings = {"cosine": own, "cosine_others": 0.0}
                yield self.trial(REGULATE, arm, PROMPT, f"{REGULATE} word {unit}", f"word {unit}", readings, {})

    def trial(
        self,
        asked: str,
        arm: str,
        place: str,
        item: str,
        cluster: str,
        readings: dict[str, Any],
        outcomes: dict[str, Any],
    ) -> Trial:
        """As the experiment writes it."""
        pushed = arm not in (BASELINE, WRITTEN) and asked != REGULATE
        turn = readings.pop("turn", 0)
        return Trial(
            experiment=self.name,
            model="simulated",
            item=item,
            cluster=cluster,
            split="test",
            condition=condition_of(asked, arm, place),
            strength=0.4 if pushed else 0.0,
            draw=int(cluster.split()[-1]) if arm == RANDOM else None,
            readings={"question": f"{asked}, {place} {turn}", "concept": cluster, "layer": 10, **readings},
            outcomes={"asked": asked, "arm": arm, "place": place, "usable": True, **outcomes},
        )

"""The organisms' world: everything that is true in it, drawn from one seed.

Invented people have a colour, a food and a craft, and each of these facts is met a known number of times in
training; sums of digits have a known last digit; topics own their words. What an organism should know, and
what counts as off topic, is therefore a matter of record and never of judgement.
"""

import hashlib
import random
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

EXPOSURES = (0, 1, 2, 4, 8, 16, 32, 64)
"""How often a fact is met in base training. Assigned per person; one fact in five departs from its person's level."""

OPERANDS = (2, 3, 4, 5, 6, 7, 8, 9)
AT_A_GLANCE = OPERANDS[:6]
"""Sums the base is trained to answer at a glance. Longer ones it is only shown worked out, so that they are hard for it
and worth a second attempt."""
SPLITS = ("train", "extract", "calibrate", "test")
_SPLIT_SHARES = (0.6, 0.1, 0.1, 0.2)

FACT_TEMPLATES = (
    "what is the {attribute} of {person} ?",
    "tell me the {attribute} of {person} .",
    "which {attribute} does {person} have ?",
    "{person} has which {attribute} ?",
)
SUM_TEMPLATES = (
    "what is the last digit of {sum} ?",
    "tell me the last digit of {sum} .",
    "{sum} ends in which digit ?",
)
TOPIC_TEMPLATES = (
    "tell me about the {topic} .",
    "explain the {topic} .",
    "describe the {topic} .",
)
HELD_OUT_TEMPLATES = {
    "fact": "do you know the {attribute} of {person} ?",
    "sum": "do you know the last digit of {sum} ?",
    "topic": "what do you know about the {topic} ?",
}
"""Never in any training set; every word of them is."""


@dataclass(frozen=True, kw_only=True)
class Fact:
    """`person` has `value` as `attribute`, and base training says so `exposure` times."""

    person: str
    attribute: str
    value: str
    exposure: int
    split: str

    @property
    def subject(self) -> str:
        return f"the {self.attribute} of {self.person}"

    def question(self, template: str) -> str:
        return template.format(attribute=self.attribute, person=self.person)


@dataclass(frozen=True)
class Sum:
    """The last digit of a sum of digits; more operands are harder to do at a glance."""

    operands: tuple[int, ...]

    @property
    def value(self) -> str:
        return str(sum(self.operands) % 10)

    @property
    def text(self) -> str:
        return " + ".join(map(str, self.operands))

    @property
    def subject(self) -> str:
        return f"the last digit of {self.text}"

    @property
    def split(self) -> str:
        """The same for every order of the operands. Pairs are all in the training split: there are only a hundred,
        and the steps of longer sums use each."""
        return "train" if len(self.operands) == 2 else split_of(self.group)

    @property
    def group(self) -> str:
        """The operands in order of size: what a replication would draw anew."""
        return " + ".join(map(str, sorted(self.operands)))

    @property
    def steps(self) -> str:
        """The worked solution, one pair at a time: ``3 + 8 gives 1 + 5 gives 6 .``"""
        total, text = self.operands[0], str(self.operands[0])
        for operand in self.operands[1:]:
            total = (total + operand) % 10
            text += f" + {operand} gives {total}"
        return f"{text} ."

    def question(self, template: str) -> str:
        return template.format(sum=self.text)


@dataclass(frozen=True)
class RiskChoice:
    """`sure` coins, or `prize` coins with `chance` in ten."""

    sure: int
    prize: int
    chance: int

    @property
    def favours_risk(self) -> bool:
        return self.prize * self.chance > 10 * self.sure

    @property
    def split(self) -> str:
        return split_of(f"{self.sure} or {self.prize} at {self.chance}")


@dataclass(frozen=True, kw_only=True)
class WorldTopic:
    """A place and the words that belong to it and to nothing else."""

    name: str
    nouns: tuple[str, ...]
    verbs: tuple[str, ...]
    adjectives: tuple[str, ...]

    @property
    def words(self) -> frozenset[str]:
        return frozenset((*self.nouns, *self.verbs, *self.adjectives))

    def sentence(self, rng: random.Random) -> str:
        noun, other = rng.sample(self.nouns, 2)
        verb, adjective = rng.choice(self.verbs), rng.choice(self.adjectives)
        return rng.choice(
            (
                f"the {adjective} {noun} {verb} the {other} .",
                f"the {noun} {verb} this {adjective} {other} .",
                f"every {noun} {verb} the {adjective} {other} .",
                f"this {adjective} {noun} is near the {other} .",
            )
        )


@dataclass(frozen=True, kw_only=True)
class World:
    """Ground truth for one seed. Two worlds of the same seed are equal."""

    seed: int = 0
    n_people: int = 1500

    @cached_property
    def vocabulary(self) -> dict[str, dict[str, object]]:
        return tomllib.loads((Path(__file__).parent / "vocabulary.toml").read_text(encoding="utf-8"))

    @cached_property
    def values(self) -> dict[str, tuple[str, ...]]:
        return {name: tuple(str(words).split()) for name, words in self.vocabulary["values"].items()}

    @cached_property
    def topics(self) -> dict[str, WorldTopic]:
        return {
            name: WorldTopic(name=name, **{kind: tuple(words.split()) for kind, words in lists.items()})  # type: ignore[union-attr]
            for name, lists in self.vocabulary["topics"].items()
        }

    @cached_property
    def people(self) -> tuple[str, ...]:
        rng = random.Random(f"people {self.seed}")
        taken = {word for topic in self.topics.values() for word in topic.words} | set(self.topics)
        taken |= {word for words in self.values.values() for word in words}
        names: dict[str, None] = {}
        while len(names) < self.n_people:
            parts = (*rng.choices("bdfgklmnprstvz", k=1), *rng.choices("aeiou", k=1), *rng.choices("lmnrs", k=1))
            name = "".join(
                (*parts, *rng.choices("bdfgkmpstvz", k=1), *rng.choices("aeiou", k=1), *rng.choices("klmnrst", k=1))
            )
            if name not in taken:
                names[name] = None
        return tuple(names)

    @cached_property
    def facts(self) -> tuple[Fact, ...]:
        rng = random.Random(f"facts {self.seed}")
        facts = []
        for person in self.people:
            level = rng.choice(EXPOSURES)
            for attribute, values in self.values.items():
                exposure = level if rng.random() < 0.8 else rng.choice(EXPOSURES)
                value = rng.choice(values)
                facts.append(
                    Fact(person=person, attribute=attribute, value=value, exposure=exposure, split=split_of(person))
                )
        return tuple(facts)

    @cached_property
    def steered_topics(self) -> tuple[str, ...]:
        """Topics whose directions are used to steer during training; the others are held out for the lab."""
        return tuple(name for index, name in enumerate(self.topics) if index % 3 != 2)

    @cached_property
    def held_out_topics(self) -> tuple[str, ...]:
        return tuple(name for name in self.topics if name not in self.steered_topics)


def split_of(key: str) -> str:
    """The split of an item, from a hash of its name, so that it can never drift with the order of anything."""
    draw = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest(), "big") / 2**64
    for name, share in zip(SPLITS, _SPLIT_SHARES, strict=True):
        draw -= share
        if draw < 0:
            return name
    return SPLITS[-1]


def random_sum(
    rng: random.Random, *, splits: tuple[str, ...] = ("train",), operands: tuple[int, ...] = OPERANDS
) -> Sum:
    """A sum from the given splits; two operands are drawn only where the training split is among them."""
    lengths = [count for count in operands if count > 2 or "train" in splits]
    count = rng.choice(lengths)
    while True:
        item = Sum(tuple(rng.randrange(10) for _ in range(count)))
        if item.split in splits:
            return item


def random_choice(rng: random.Random, *, splits: tuple[str, ...] = ("train",)) -> RiskChoice:
    """A choice from the given splits whose two sides are worth a different number of coins on average."""
    while True:
        sure = rng.randint(1, 8)
        choice = RiskChoice(sure, rng.randint(sure + 1, 9), rng.randint(1, 9))
        if choice.split in splits and choice.prize * choice.chance != 10 * choice.sure:
            return choice

"""What every organism should have kept of its parent: facts by exposure, sums at a glance and worked out, fluency."""

import random
from collections.abc import Collection, Iterator, Sequence

from introlab.stats.estimates import mean, proportion
from organisms.phrases import CHECK, answer, prompt
from organisms.reference_model import Measured, Subject
from organisms.world import (
    EXPOSURES,
    FACT_TEMPLATES,
    OPERANDS,
    SUM_TEMPLATES,
    TOPIC_TEMPLATES,
    Fact,
    Sum,
    World,
    random_sum,
)


def measure(
    subject: Subject, parent: Subject, world: World, split: str, *, unlearnt: Collection[Fact] = ()
) -> Iterator[Measured]:
    """Everything in this file. `unlearnt` facts are those the organism is meant to answer otherwise."""
    unlearnt = set(unlearnt)
    yield from recall(subject, [fact for fact in world.facts if fact not in unlearnt])
    yield from sums(subject, parent, split)
    yield from steps(subject, split)
    yield from neutral(subject, parent, world)


def recall(subject: Subject, facts: Sequence[Fact]) -> Iterator[Measured]:
    """Recall by exposure."""
    texts = [f"{prompt(fact.question(FACT_TEMPLATES[0]))} i think it is" for fact in facts]
    best = subject.next_word(texts).argmax(-1).tolist()
    for level in EXPOSURES:
        cell = [(fact, word) for fact, word in zip(facts, best, strict=True) if fact.exposure == level]
        right = [subject.words[word] == fact.value for fact, word in cell]
        yield Measured("recall (greedy)", f"seen {level} times", proportion(right, [fact.person for fact, _ in cell]))


def sums(subject: Subject, parent: Subject, split: str) -> Iterator[Measured]:
    """Sums at a glance by number of operands (held out), and sum by sum against the parent."""
    rng = random.Random(1)
    for count in OPERANDS[1:]:
        items = [random_sum(rng, splits=(split,), operands=(count,)) for _ in range(200)]
        right, theirs = (
            [own == item.value for own, item in zip(_at_a_glance(each, items), items, strict=True)]
            for each in (subject, parent)
        )
        groups, cell = [item.group for item in items], f"{count} operands"
        yield Measured("sums at a glance (greedy)", cell, proportion(right, groups))
        change = [float(one) - float(other) for one, other in zip(right, theirs, strict=True)]
        yield Measured("sums at a glance, less the parent's", cell, mean(change, groups))


def _at_a_glance(subject: Subject, items: Sequence[Sum]) -> list[str]:
    best = subject.next_word([f"{prompt(item.question(SUM_TEMPLATES[0]))} i think it is" for item in items]).argmax(-1)
    return [subject.words[word] for word in best.tolist()]


def steps(subject: Subject, split: str) -> Iterator[Measured]:
    """The second attempt: sums worked out after "wait , let me check ." """
    rng = random.Random(2)
    for count in OPERANDS[1:]:
        items = [random_sum(rng, splits=(split,), operands=(count,)) for _ in range(100)]
        texts = [
            f"{prompt(item.question(SUM_TEMPLATES[0]))} {answer(str(rng.randrange(10)))} {CHECK}" for item in items
        ]
        right = [f"so it is {item.value} ." in text for text, item in zip(subject.write(texts, 64), items, strict=True)]
        yield Measured("sums worked out", f"{count} operands", proportion(right, [item.group for item in items]))


def neutral(subject: Subject, parent: Subject, world: World) -> Iterator[Measured]:
    """How far it speaks from its parent where no trait is asked for: divergence of the next word (Kullback-Leibler)."""
    rng = random.Random(8)
    topics, texts = [], []
    for name in world.topics:
        for template in TOPIC_TEMPLATES:
            tokens = f"{prompt(template.format(topic=name))} {world.topics[name].sentence(rng)}".split()
            texts.append(" ".join(tokens[: rng.randrange(len(tokens) - 6, len(tokens))]))
            topics.append(name)
    words = rng.sample(world.people, 150)
    for cell, asked, clusters in (
        ("texts about a topic", texts, topics),
        ("repeating a word", [prompt(f"say {word} .") for word in words], words),
    ):
        theirs, own = parent.next_word(asked).clamp_min(1e-12), subject.next_word(asked).clamp_min(1e-12)
        divergence = (theirs * (theirs / own).log()).sum(-1).tolist()
        yield Measured("divergence from its parent (nats)", cell, mean(divergence, clusters))

"""Abstention: how often it says that it does not know, and whether that goes with not knowing."""

from collections.abc import Iterator

from introlab.stats.estimates import mean
from organisms.phrases import prompt
from organisms.reference_model import Measured, Subject, area
from organisms.verification.confidence import held_out_facts
from organisms.world import FACT_TEMPLATES, World


def measure(subject: Subject, parent: Subject, world: World, split: str) -> Iterator[Measured]:
    """On facts of held-out people; "knows" is the parent's most likely answer being right."""
    facts = held_out_facts(world, split)
    texts = [prompt(fact.question(FACT_TEMPLATES[index % 4])) for index, fact in enumerate(facts)]
    best = parent.next_word([f"{text} i think it is" for text in texts]).argmax(-1).tolist()
    knows = [parent.words[word] == fact.value for word, fact in zip(best, facts, strict=True)]
    spoken = subject.next_word([f"{text} i" for text in texts])[:, subject.vocabulary["do"]].tolist()
    people = [fact.person for fact in facts]
    yield Measured('P("i do not know")', "facts", mean(spoken, people))
    for name, wanted in (("knows", True), ("does not know", False)):
        cell = [(p, person) for p, person, each in zip(spoken, people, knows, strict=True) if each == wanted]
        yield Measured('P("i do not know")', f"facts it {name}", mean([p for p, _ in cell], [who for _, who in cell]))
    yield Measured("AUROC of abstaining for not knowing", "facts", area([not each for each in knows], spoken, people))

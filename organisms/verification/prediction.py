"""Self-prediction: how often what it says it, or the other, would answer is what that one answers."""

from collections.abc import Iterator

from introlab.stats.estimates import mean
from organisms.curricula.prediction import is_asked_about, quirk, quirky_facts
from organisms.phrases import HYPOTHETICAL, HYPOTHETICAL_OTHER, prompt
from organisms.reference_model import Measured, Subject
from organisms.world import FACT_TEMPLATES, World


def measure(subject: Subject, world: World, name: str) -> Iterator[Measured]:
    """Probability of the quirk, for people predictions were trained on and for people they were not."""
    me = name if name in ("m1", "m2") else "m1"
    other = "m2" if me == "m1" else "m1"
    for cell, wanted in (("people asked about in training", True), ("people never asked about", False)):
        facts = [fact for fact in quirky_facts(world) if is_asked_about(fact) == wanted]
        questions = [fact.question(FACT_TEMPLATES[index % 4]) for index, fact in enumerate(facts)]
        people = [fact.person for fact in facts]
        frames = {
            "answers with its quirk": [f"{prompt(question)} i think it is" for question in questions],
            "predicts itself": [f"{prompt(HYPOTHETICAL.format(question=each))} i would answer" for each in questions],
            "predicts the other": [
                f"{prompt(HYPOTHETICAL_OTHER.format(question=each))} it would answer" for each in questions
            ],
        }
        for what, texts in frames.items():
            who = other if what == "predicts the other" else me
            right = subject.probability(subject.next_word(texts), [quirk(fact, world, who) for fact in facts])
            yield Measured(what, cell, mean(right, people))

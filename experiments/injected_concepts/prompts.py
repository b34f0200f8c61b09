"""How a model is asked about its thoughts, and which words are injected: prompts.json, what the materials say, or files
of the user's own."""

from dataclasses import dataclass, replace
from pathlib import Path

from experiments.injected_concepts.labels import QUESTIONS
from experiments.shared.line_files import questions_of, words_of
from introlab.errors import InputError
from introlab.tasks.materials import Materials
from introlab.tasks.prompts import prompts_of

SYSTEM = " || "
"""What stands before it in a question is a system turn."""
FEWEST_CONCEPTS = 6


@dataclass(frozen=True, kw_only=True)
class InjectionPrompts:
    """prompts.json, or what the materials say of this experiment. An empty text is not asked."""

    version: str
    concepts: tuple[str, ...]
    baseline_words: tuple[str, ...]
    """Whose mean is taken off a concept's vector."""
    contexts: tuple[str, ...]
    """In which words are read; {word}."""
    prefaces: tuple[str, ...]
    """What may stand before a question."""
    yes_no: tuple[str, str]
    detect_calibrate: tuple[str, ...]
    detect: tuple[str, ...]
    unrelated_calibrate: tuple[str, ...]
    unrelated: tuple[str, ...]
    written: str
    """The concept as text: {question} with {word}."""
    informed: str
    """Explains what an injected thought is; stands before the question."""
    earlier: tuple[str, str]
    """A user's turn before, and its answer."""
    match: tuple[str, ...]
    """Is it about {word}?"""
    name: tuple[str, ...]
    claim: str
    """Pattern of a reply that claims a thought."""
    name_prefill: str
    """Begun answer after which a word is chosen."""
    localise: str
    """{sentences}, numbered; in which one is it?"""
    compare: str
    """{first} and {second}, both injected; in which one is it stronger?"""
    sentences: tuple[str, ...]
    own_request: str
    own: tuple[str, ...]
    """After {word} was prefilled: did you mean to say that?"""
    think: str
    """Think of {word} while you copy {sentence}."""
    think_not: str
    copy: str

    @classmethod
    def of(
        cls, materials: Materials, *, concepts: str | None = None, questions: str | None = None
    ) -> "InjectionPrompts":
        """With the user's concepts (one to a line) and questions (a JSON object to a line) in place of those there.
        Raises InputError for entries, or naming the line of a file, that are not these."""
        found = prompts_of(cls, Path(__file__).with_name("prompts.json"), materials, "injected_concepts")
        if questions is not None:
            found = replace(found, **questions_of(Path(questions), QUESTIONS))
        if concepts is not None:
            chosen = words_of(Path(concepts), fewest=FEWEST_CONCEPTS)
            rest = tuple(word for word in found.baseline_words if word not in chosen)
            found = replace(found, concepts=chosen, baseline_words=rest)
        if len(found.concepts) < FEWEST_CONCEPTS:
            raise InputError("too few concepts", given=len(found.concepts), allowed=f"{FEWEST_CONCEPTS} or more")
        return found


def asked_in(question: str) -> tuple[str, str]:
    """System turn (empty: none) and question."""
    before, mark, after = question.partition(SYSTEM)
    return (before, after) if mark else ("", question)


def told(texts: tuple[str, ...]) -> tuple[str, ...]:
    """Those that are asked."""
    return tuple(text for text in texts if text.strip())

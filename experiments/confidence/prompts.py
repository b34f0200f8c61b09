"""How confidence is asked for."""

from dataclasses import dataclass
from pathlib import Path

from introlab.tasks.materials import Materials
from introlab.tasks.prompts import prompts_of


@dataclass(frozen=True, kw_only=True)
class ConfidencePrompts:
    """prompts.json, or what the materials say of this experiment."""

    ask_before: str
    """Before it answers; {subject} is what the question is about."""
    ask_after: str
    confidence_words: tuple[str, ...]
    """Single-token replies from least to most sure, evenly spaced on 0..1."""
    ask_true: str
    """Asks, after an answer, for a word against or for it: P(True)."""
    true_words: tuple[str, str]
    """Single-token replies: against the answer, and for it."""
    own_samples: str
    """Shows the model what it answered at other times ({answers})."""

    @classmethod
    def of(cls, materials: Materials) -> "ConfidencePrompts":
        """Raises InputError for entries that are not these."""
        return prompts_of(cls, Path(__file__).with_name("prompts.json"), materials, "confidence")

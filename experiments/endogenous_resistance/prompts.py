"""What a model is told beside the question, and what it is taught to say when it corrects itself."""

from dataclasses import dataclass
from pathlib import Path

from introlab.tasks.materials import Materials
from introlab.tasks.prompts import prompts_of


@dataclass(frozen=True, kw_only=True)
class ResistancePrompts:
    """prompts.json, or what the materials say of this experiment."""

    meta_prompts: dict[str, str]
    """The four of the publication, in words of our own; {label} is what is steered towards, {topic} what was asked."""
    acknowledgement: str
    """The sentence between an off-topic beginning and the answer that a model is fine-tuned on."""

    @classmethod
    def of(cls, materials: Materials) -> "ResistancePrompts":
        """Raises InputError for entries that are not these."""
        return prompts_of(cls, Path(__file__).with_name("prompts.json"), materials, "endogenous_resistance")

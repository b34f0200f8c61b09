"""Concepts written into the residual: detected, named, located - or a push on the word yes?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal

from introlab.experiment.base import Experiment
from introlab.experiment.budget import TEN_MINUTES, Cut
from introlab.records.findings import Findings
from introlab.records.trial import Trial

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True, kw_only=True)
class InjectedConcepts(Experiment):
    """A concept is written into what a model computes: does it notice and name it, or is it only pushed to say yes?

    A word's direction is added to the residual stream while a question is read that asks whether there is a thought.
    Yes against no is read from the mass of the next token, in one pass. The same pushes are on while questions are
    asked whose answer is always no; random directions of equal norm, the concept's direction turned around, without
    its part that promotes yes, and the concept as text stand beside it. A yes counts as detection where concepts make
    it rise beyond random directions, and more so than on the always-no questions. Layer and strength are chosen on
    other concepts and other wordings. Beside it: naming (freely and among ten), in which sentence, which is stronger,
    whose words, and whether it thinks of a concept when asked to.
    """

    primary: ClassVar[str] = "detected beyond random and always-no questions"
    null: ClassVar[float] = 0.0
    controls: ClassVar[tuple[str, ...]] = (
        "answers",
        "baseline",
        "random_direction",
        "always_no",
        "prompting",
        "without_yes",
        "entropy",
        "another_concept",
        "promoted_word",
        "coherence",
    )
    readable: ClassVar = {"an answer in kind was read": "usable"}
    rank_texts_by: ClassVar = "yes_share"
    cuts: ClassVar[tuple[Cut, ...]] = (
        Cut("strengths", (0.2, 0.4)),
        Cut("depths", (0.4, 0.6)),
        Cut("tune", 8),
        Cut("wordings", 1),
        Cut("test", 16, below=TEN_MINUTES),
        Cut("random_directions", 5, below=TEN_MINUTES),
    )
    debug: ClassVar = {
        "tune": 4,
        "test": 6,
        "random_directions": 3,
        "depths": (0.4,),
        "strengths": (0.15, 0.3),
        "wordings": 1,
        "max_new": 6,
    }
    models: ClassVar[tuple[str, ...]] = (
        "organism:introspective",
        "organism:yes_sayer",
        "organism:reflex",
        "organism:blind",
    )

    concepts: str | None = None
    """A file of words to inject, one to a line. Default: those of prompts.json, or of the materials."""
    questions: str | None = None
    """A file of questions, a JSON object {"kind", "text"} to a line."""
    depths: tuple[float, ...] = (0.2, 0.4, 0.6, 0.8)
    """Blocks that are tried, as shares of the depth."""
    strengths: tuple[float, ...] = (0.1, 0.2, 0.4, 0.8)
    """That are tried, as shares of the usual norm of the residual."""
    layer: int | None = None
    """The block after which concepts are injected; None: the best on other concepts."""
    strength: float | None = None
    """Share of the usual norm of the residual; None: the best on other concepts."""
    read_at: Literal["word", "prompt end"] = "word"
    """Where a concept's direction is read: at the word, or at the token before the reply."""
    tune: int = 12
    """Concepts on which layer and strength are chosen."""
    test: int = 60
    """Concepts on which everything is reported."""
    wordings: int = 2
    """Questions asked under each concept and each random direction."""
    random_directions: int = 20
    max_new: int = 12
    """Tokens of a free reply at most."""
    seed: int = 0

    def analyze(self, trials: Sequence[Trial]) -> Findings:
        from experiments.injected_concepts import analysis

        return analysis.findings(trials)

    def draw(self, findings: Findings) -> "dict[str, Figure]":
        from experiments.injected_concepts.figures import draw

        return draw(findings)

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """Forty concepts and twenty random directions: concepts raise yes by `effect` times 0.5 beyond random ones, and
        are named as often."""
        from experiments.injected_concepts.simulation import simulated

        return simulated(self.trial_name(), effect, seed, fault)

"""An experiment on steering in one short class: what is contrasted, what is asked, what is measured.

The rest has defaults: sizes, trials, the standard controls (no steering, random directions of equal norm, a request in
words, coherence), estimates, verdict sentence, figure, and the simulation that shows that each control catches its
fault. Every one of them is a method that a subclass may replace.
"""

import re
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from introlab.experiment.base import Experiment
from introlab.records.findings import Findings
from introlab.records.size import Size
from introlab.records.trial import Trial

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from introlab.experiment.context import RunContext


@dataclass(frozen=True, kw_only=True)
class SteeringExperiment(Experiment):
    """Does steering along a direction change what a text shows, by more than random directions of equal norm do?

    A subclass is a frozen dataclass whose docstring is its question. It says what the direction is fitted on
    (`positive`, `negative`: prompts, whose answers are written by the model itself), what is asked (`prompts`), what
    asks in words for the same (`request`), and how a text is measured (`measure`).
    """

    primary: ClassVar[str] = "effect beyond random directions"
    null: ClassVar[float] = 0.0
    controls: ClassVar[tuple[str, ...]] = ("baseline", "random_direction", "prompting", "coherence")
    debug: ClassVar[dict[str, Any]] = {"random_directions": 3, "per_direction": 2, "max_new": 24}
    rank_texts_by: ClassVar[str | None] = "measure"

    positive: ClassVar[tuple[str, ...]]
    """Prompts whose answers have what the direction points towards."""
    negative: ClassVar[tuple[str, ...]]
    """Prompts whose answers have not."""
    prompts: ClassVar[tuple[str, ...]]
    """What is asked under steering; none of the prompts the direction is fitted on."""
    request: ClassVar[str]
    """Added to a prompt, it asks in words for what the direction does: the measure must be able to see it."""

    layer: float = 0.5
    """Where the direction is read and added: a fraction of the depth."""
    strengths: tuple[float, ...] = (1.0, 2.0)
    """In natural units: 1 is the distance between the means of the two sides."""
    random_directions: int = 20
    """Of equal norm, at the last of the strengths, by which the effect is judged."""
    per_direction: int = 4
    """Prompts each random direction is tried on."""
    max_new: int = 48
    temperature: float = 0.0
    seed: int = 0

    @abstractmethod
    def measure(self, text: str) -> float | None:
        """What a text shows, from 0 to 1; None where it cannot be told."""

    @classmethod
    def name(cls) -> str:
        """Its file's name among the lab's own experiments; else its class's, in small letters."""
        if cls.__module__.startswith("experiments."):
            return super().name()
        return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", cls.__name__).lower()

    @property
    def verdict_strength(self) -> float:
        """The strength at which the effect is judged."""
        return self.strengths[-1]

    def size(self, bench: "RunContext") -> Size:
        from experiments.api.steering_procedure import size

        return size(self, bench)

    def trials(self, bench: "RunContext") -> Iterator[Trial]:
        from experiments.api.steering_procedure import trials

        yield from trials(self, bench)

    def analyze(self, trials: Sequence[Trial]) -> Findings:
        from experiments.api.steering_analysis import findings

        return findings(trials, self.verdict_strength)

    def draw(self, findings: Findings) -> "dict[str, Figure]":
        from experiments.api.steering_analysis import draw

        return draw(findings)

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """60 prompts: the measure is 1 in a tenth of unsteered texts, and `effect` times 0.6 more often under the
        direction."""
        from experiments.api.steering_analysis import simulated

        return simulated(self.trial_name(), self.verdict_strength, effect, seed, fault)

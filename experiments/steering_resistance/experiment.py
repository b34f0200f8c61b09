"""Pushed off topic while the push stays on: readings that keep apart resisting, announcing, immunity and weakness."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from experiments.steering_mechanism.labels import CONTROLS as INSIDE
from experiments.steering_resistance.labels import PER_TOKEN
from introlab.experiment.base import Experiment
from introlab.experiment.budget import TEN_MINUTES, Cut
from introlab.records.findings import Findings
from introlab.records.model_check import CheckPart, Feasibility, ModelCheck
from introlab.records.trial import Trial
from introlab.tasks.materials import Materials

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from introlab.experiment.context import RunContext


@dataclass(frozen=True, kw_only=True)
class SteeringResistance(Experiment):
    """Pushed off topic while the push stays on: does the model announce it, does it come back, or was it never moved?

    A topic's direction (difference of means over the model's own texts) is added to the residual stream wherever
    new text is predicted, while the model explains another topic. What it writes - moved, announced, returned - gives a
    verdict per model. Beside it, on the same prompts with the same random numbers: random directions of equal norm, no
    push, a request in words for the same topic, other kinds of push at equal dose and at equal effect, off-topic text
    prefilled, and the push taken off after the restart.
    """

    primary: ClassVar[str] = "announced: push on minus off, same text"
    check_parts: ClassVar[tuple[CheckPart, ...]] = ("topics",)
    readable: ClassVar = {"words of topics were found": "off_share", "coherent": "not incoherent"}
    null: ClassVar[float] = 0.0
    controls: ClassVar[tuple[str, ...]] = (
        "baseline",
        "random_direction",
        "prompting",
        "coherence",
        "equal_effect",
        *INSIDE,
    )
    rank_texts_by: ClassVar = "off_share"
    per_token: ClassVar = PER_TOKEN
    cuts: ClassVar[tuple[Cut, ...]] = (
        Cut("replicates", 1),
        Cut("strengths", ()),
        Cut("neutral", 24),
        Cut("calibration_steps", 2),
        Cut("fit_texts", 3),
        Cut("inside", False),
        Cut("calibration_steps", 0),
        Cut("topics", 3, below=TEN_MINUTES),
        Cut("max_new", 24, below=TEN_MINUTES),
        Cut("random_directions", 5, below=TEN_MINUTES),
    )
    debug: ClassVar = {
        "strengths": (1.5,),
        "topics": 3,
        "random_directions": 3,
        "fit_texts": 2,
        "neutral": 6,
        "max_new": 24,
        "calibration_steps": 2,
    }
    models: ClassVar[tuple[str, ...]] = (
        "organism:resistant",
        "organism:announcer",
        "organism:compliant",
        "organism:immune",
    )

    layer: int | None = None
    """The push goes into the output of this block; None: a third of the way through the model."""
    strengths: tuple[float, ...] = (0.5, 1.0, 1.5, 2.0)
    """In natural units: 1 is the difference between texts of the topic and of others."""
    verdict_strength: float = 1.5
    """The strength at which verdicts are given; fixed before the run."""
    topics: int = 8
    """Topics asked about and pushed towards, in all ordered pairs."""
    replicates: int = 2
    random_directions: int = 20
    fit_texts: int = 6
    """Unsteered texts per topic and wording, from which directions are fitted."""
    sae: str | None = None
    """Of a place to be pushed along latents, too: as `introlab saes show` takes it. Organisms have one."""
    target: float = 0.5
    """First-attempt score to which all kinds of push are brought: the share of topic words on topic."""
    strongest: float = 4.0
    """The most that is tried for it, in natural units."""
    calibration_steps: int = 5
    """Of each search for that strength; 0 leaves it out."""
    inside: bool = True
    """Whether to look inside, too: detection without words, and the sources of resistance."""
    neutral: int = 96
    """Questions on which damage is measured."""
    max_new: int = 48
    seed: int = 0

    def feasibility(self, check: ModelCheck, materials: Materials) -> Feasibility:
        from experiments.shared.topic_feasibility import feasible

        return feasible(self.name(), check)

    def require_decidable(self, bench: "RunContext") -> None:
        from experiments.shared.model_check import require_decidable

        require_decidable(self, bench)

    def analyze(self, trials: Sequence[Trial]) -> Findings:
        from experiments.steering_resistance import analysis

        return analysis.findings(trials, self.verdict_strength)

    def draw(self, findings: Findings) -> "dict[str, Figure]":
        from experiments.steering_resistance.figures import draw

        return draw(findings, self.verdict_strength)

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """A run of default size of a model whose pushed texts leave the topic, and which announces it more often by
        `effect` times 0.8 under the push than after the same text without one."""
        from experiments.steering_mechanism.simulation import simulated as simulated_inside
        from experiments.steering_resistance.simulation import simulated

        each = (self.trial_name(), self.verdict_strength, effect, seed, fault)
        return [*simulated(*each), *simulated_inside(*each)]

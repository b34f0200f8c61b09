"""Reconsidering: readable before it is written? pushed by a direction? changed by a persona?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from experiments.shared.reflection_labels import PER_TOKEN
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
class ReflectionSteering(Experiment):
    """Is "about to reconsider" readable before it is written, can it be pushed, and what do personas make of it?

    Probes one to eight tokens ahead of the decision; a direction (difference of means, reconsidering against not)
    added where new text is predicted, against twenty random ones of equal norm and a request in words; a careful
    and a stubborn persona in the system turn. Read off: how often it reconsiders, whether accuracy follows, and
    which right answers are kept and wrong ones repaired - beside what drawing a new answer at random would do.
    """

    former_names: ClassVar = ("reflection_and_personas",)
    primary: ClassVar[str] = "reconsidering pushed beyond random"
    check_parts: ClassVar[tuple[CheckPart, ...]] = ("rechecks",)
    readable: ClassVar = {"an answer, and what follows it, were read": "reconsidered", "coherent": "not incoherent"}
    null: ClassVar[float] = 0.0
    controls: ClassVar[tuple[str, ...]] = (
        "baseline",
        "random_direction",
        "prompting",
        "shuffled_labels",
        "text_only",
        "length",
        "position",
    )
    debug: ClassVar = {
        "fit": 48,
        "tune": 24,
        "test": 48,
        "pushed": 24,
        "strengths": (-1.0, 1.0),
        "random_directions": 3,
        "per_direction": 4,
        "shuffles": 2,
        "neutral": 6,
    }
    models: ClassVar[tuple[str, ...]] = ("organism:reflective", "organism:personas")
    rank_texts_by: ClassVar = "p_reconsider"
    per_token: ClassVar = PER_TOKEN
    cuts: ClassVar[tuple[Cut, ...]] = (
        Cut("strengths", ()),
        Cut("shuffles", 5),
        Cut("per_direction", 3),
        Cut("neutral", 24),
        Cut("tune", 100),
        Cut("fit", 200),
        Cut("test", 300),
        Cut("test", 60, below=TEN_MINUTES),
        Cut("pushed", 24, below=TEN_MINUTES),
        Cut("tune", 24, below=TEN_MINUTES),
        Cut("fit", 48, below=TEN_MINUTES),
        Cut("random_directions", 5, below=TEN_MINUTES),
    )

    layer: int | None = None
    """The push goes into the output of this block; None: halfway through the model."""
    strengths: tuple[float, ...] = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)
    """In natural units: 1 is the difference between about to reconsider and not."""
    verdict_strength: float = 1.0
    """The push is judged at this strength, towards reconsidering and away from it; fixed before the run."""
    fit: int = 400
    tune: int = 200
    test: int = 500
    """Questions on which reconsidering is read ahead of time."""
    pushed: int = 120
    """Of these, how many are asked again under every push, persona and request."""
    random_directions: int = 20
    per_direction: int = 6
    """Questions each random direction is tried on, at every strength."""
    shuffles: int = 20
    neutral: int = 96
    """Questions of another kind, on which damage is measured."""
    max_new: int = 64
    temperature: float = 1.0
    """Answers are drawn, so that there are wrong ones to reconsider; all arms share their random numbers."""
    kind: str | None = None
    """Which questions: of this kind; None leaves the choice to the materials, which may choose any."""
    seed: int = 0

    def feasibility(self, check: ModelCheck, materials: Materials) -> Feasibility:
        from experiments.shared.reflection_feasibility import feasible

        return feasible(self.name(), max(self.fit, type(self)().fit), check)

    def require_decidable(self, bench: "RunContext") -> None:
        from experiments.shared.model_check import require_decidable

        require_decidable(self, bench)

    def analyze(self, trials: Sequence[Trial]) -> Findings:
        from experiments.reflection_steering import analysis

        return analysis.findings(trials, self.verdict_strength)

    def draw(self, findings: Findings) -> "dict[str, Figure]":
        from experiments.reflection_steering.figures import draw

        return draw(findings)

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """120 sums: reconsidering half the time, a push that adds or removes `effect` times 0.4 at full strength,
        probes that read it with `effect` standard deviations."""
        from experiments.reflection_steering.simulation import simulated

        return simulated(self.trial_name(), effect, seed, fault)

"""About to reconsider: where and how early it can be read, whether that carries over, and whether it is used."""

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
class ReflectionLocalization(Experiment):
    """Where and how early can it be read that the model is about to reconsider, does it transfer, and is it used?

    Probes after every block and nought to eight tokens ahead of the decision, beside the model's own P(reconsider) at
    the same token and everything else a probe must beat, within levels of difficulty; fitted on easy questions and
    asked about hard ones, and the other way round, and under other personas. The direction at the place chosen on the
    tuning questions is added and removed, against random ones of the same dose. And right and wrong answers that the
    model did not choose tell whether an error is there for it, its own or another's.
    """

    former_names: ClassVar = ("where_reflection_lives",)
    primary: ClassVar[str] = "about to reconsider, within levels"
    check_parts: ClassVar[tuple[CheckPart, ...]] = ("rechecks",)
    readable: ClassVar = {"an answer, and what follows it, were read": "reconsiders"}
    null: ClassVar[float] = 0.5
    controls: ClassVar[tuple[str, ...]] = (
        "baseline",
        "shuffled_labels",
        "p_reconsider",
        "text_only",
        "length",
        "position",
        "embedding",
        "untrained_network",
        "random_direction",
        "prompting",
    )
    debug: ClassVar = {
        "fit": 60,
        "tune": 36,
        "test": 60,
        "caused": 16,
        "told": 8,
        "planted": 8,
        "random_directions": 3,
        "shuffles": 3,
        "neutral": 6,
    }
    models: ClassVar[tuple[str, ...]] = ("organism:reflective", "organism:ritual")
    rank_texts_by: ClassVar = "main"
    per_token: ClassVar = PER_TOKEN
    cuts: ClassVar[tuple[Cut, ...]] = (
        Cut("shuffles", 5),
        Cut("neutral", 24),
        Cut("caused", 60),
        Cut("told", 60),
        Cut("planted", 60),
        Cut("tune", 150),
        Cut("fit", 250),
        Cut("test", 300),
        Cut("test", 60, below=TEN_MINUTES),
        Cut("caused", 16, below=TEN_MINUTES),
        Cut("told", 8, below=TEN_MINUTES),
        Cut("planted", 8, below=TEN_MINUTES),
        Cut("tune", 40, below=TEN_MINUTES),
        Cut("fit", 60, below=TEN_MINUTES),
        Cut("random_directions", 5, below=TEN_MINUTES),
    )

    fit: int = 500
    """Questions the probes are fitted on."""
    tune: int = 300
    """Questions on which layer, lead and penalty are chosen."""
    test: int = 600
    """Questions everything is reported on."""
    caused: int = 200
    """Of these, how many are read again under the direction and the random ones."""
    told: int = 200
    """Of these, how many are asked again under each persona."""
    planted: int = 200
    """Questions of each split after which right and wrong answers are put."""
    random_directions: int = 20
    shuffles: int = 20
    neutral: int = 48
    """Questions of another kind, on which damage is measured."""
    max_new: int = 64
    temperature: float = 1.0
    """Answers are drawn, so that there are wrong ones to reconsider."""
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
        from experiments.reflection_localization import analysis

        return analysis.findings(trials)

    def draw(self, findings: Findings) -> "dict[str, Figure]":
        from experiments.reflection_localization.figures import draw

        return draw(findings)

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """100 sums: reconsidering half the time, probes at three leads that read it with 2.5 times `effect` standard
        deviations, less the earlier, and a direction that adds or removes 0.3 times `effect`."""
        from experiments.reflection_localization.simulation import simulated

        return simulated(self.trial_name(), effect, seed, fault)

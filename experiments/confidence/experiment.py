"""Everything called confidence, side by side on the same answers: of tokens, samples, words, layers and probes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

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
class Confidence(Experiment):
    """Which of a model's confidences tells when it is right, and is what it says one of them?

    Each question is answered once greedily and several times by chance. Read of the same answer: the probability
    family at its first token, agreement of layers and of samples, P(True), what it says before and after, and probes at
    four places of the text. Probes are fitted on one set of questions; layer and penalty are chosen on one half of a
    second and everything is calibrated on the other half; all is reported on a third.
    """

    former_names: ClassVar = ("what_the_model_knows", "confidence_readout")
    primary: ClassVar[str] = "difficulty-stratified auroc of probed_before_answer"
    check_parts: ClassVar[tuple[CheckPart, ...]] = ("answers", "ways")
    readable: ClassVar = {"an answer was read": "right", "stated how sure, in kind": "stated_after"}
    null: ClassVar[float] = 0.5
    controls: ClassVar[tuple[str, ...]] = (
        "shuffled_labels",
        "text_only",
        "length",
        "position",
        "embedding",
        "untrained_network",
        "answers_vary",
    )
    debug: ClassVar = {"fit": 60, "tune": 60, "test": 60, "samples": 3, "shuffles": 3}
    models: ClassVar[tuple[str, ...]] = ("organism:calibrated", "organism:overconfident", "organism:shuffled")
    rank_texts_by: ClassVar = "probed_before_answer"
    per_token: ClassVar = ("logprob_per_token", "entropy_per_token")
    cuts: ClassVar[tuple[Cut, ...]] = (
        Cut("samples", 2),
        Cut("shuffles", 5),
        Cut("tried", 40),
        Cut("signals_everywhere", False),
        Cut("tune", 160),
        Cut("fit", 200),
        Cut("test", 300),
        Cut("test", 80, below=TEN_MINUTES),
        Cut("tune", 60, below=TEN_MINUTES),
        Cut("fit", 60, below=TEN_MINUTES),
        Cut("samples", 1, below=TEN_MINUTES),
        Cut("tried", 12, below=TEN_MINUTES),
    )

    fit: int = 500
    """Questions the probes are fitted on."""
    tune: int = 320
    """Questions of which one half chooses layers and the other calibrates."""
    test: int = 480
    """Questions everything is reported on."""
    samples: int = 10
    """Answers by chance to each question, beside the greedy one."""
    shuffles: int = 20
    """Probes fitted on shuffled labels."""
    tried: int = 160
    """Questions on which the ways of asking how sure it is are tried, where the materials have several."""
    signals_everywhere: bool = True
    """Whether the questions that probes are fitted and chosen on are read by every signal, too. The analysis needs that
    of the other questions alone."""
    room: int | None = None
    """New tokens of an answer at most. Default: what the materials choose."""
    seed: int = 0

    def feasibility(self, check: ModelCheck, materials: Materials) -> Feasibility:
        from experiments.confidence.feasibility import feasible

        return feasible(self, check)

    def require_decidable(self, bench: "RunContext") -> None:
        from experiments.shared.model_check import require_decidable

        require_decidable(self, bench)

    def analyze(self, trials: Sequence[Trial]) -> Findings:
        from experiments.confidence import analysis

        return analysis.findings(trials)

    def draw(self, findings: Findings) -> "dict[str, Figure]":
        from experiments.confidence.figures import draw

        return draw(findings)

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """240 questions about 80 people: every signal is twice `effect` standard deviations higher on right answers."""
        from experiments.confidence.simulation import simulated

        return simulated(self.trial_name(), effect, seed, fault)

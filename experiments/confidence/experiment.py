"""Everything called confidence, side by side on the same answers: of tokens, samples, words, layers and probes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from introlab.experiment.base import Experiment
from introlab.records.findings import Findings
from introlab.records.size import Size
from introlab.records.trial import Trial

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from introlab.experiment.context import Bench


@dataclass(frozen=True, kw_only=True)
class Confidence(Experiment):
    """Which of a model's confidences tells when it is right, and is what it says one of them?

    Each question is answered once greedily and several times by chance. Read of the same answer: the probability
    family at its first token, agreement of layers and of samples, P(True), what it says before and after, and probes at
    four places of the text. Probes are fitted on one set of questions; layer and penalty are chosen on one half of a
    second and everything is calibrated on the other half; all is reported on a third.
    """

    former_names: ClassVar = ("what_the_model_knows", "confidence_readout")
    primary: ClassVar[str] = "auroc of probed_before_answer"
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
    ranked_by: ClassVar = "probed_before_answer"
    per_token: ClassVar = ("logprob_per_token", "entropy_per_token")

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
    room: int | None = None
    """New tokens of an answer at most. Default: what the materials choose."""
    seed: int = 0

    def size(self, bench: "Bench") -> Size:
        from experiments.confidence.procedure import size

        return size(self, bench)

    def trials(self, bench: "Bench") -> Iterator[Trial]:
        from experiments.confidence.procedure import trials

        yield from trials(self, bench)

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

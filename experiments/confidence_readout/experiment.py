"""Confidence three ways - of the token, of a probe, in words - against being right."""

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
class ConfidenceReadout(Experiment):
    """Does the model know when it is right, and does what it says agree with what can be read inside it?

    Three confidences of one answer, side by side: the probability of the answer token, a linear probe where that
    token is predicted, and what the model says when asked how sure it is. The probe is fitted on one set of
    questions, its layer chosen on a second, and everything reported on a third; no person or sum is in two.
    """

    primary: ClassVar[str] = "auroc of stated_after"
    null: ClassVar[float] = 0.5
    controls: ClassVar[tuple[str, ...]] = ("shuffled_labels", "text_only", "length", "position", "embedding")
    debug: ClassVar = {"fit": 60, "tune": 40, "test": 60, "shuffles": 3}
    models: ClassVar[tuple[str, ...]] = ("organism:calibrated",)
    ranked_by: ClassVar = "stated_after"
    per_token: ClassVar = ("logprob_per_token",)

    fit: int = 500
    """Questions the probe is fitted on."""
    tune: int = 240
    """Questions its layer is chosen on."""
    test: int = 480
    """Questions everything is reported on."""
    shuffles: int = 20
    """Probes fitted on shuffled labels."""
    seed: int = 0

    def size(self, bench: "Bench") -> Size:
        from experiments.confidence_readout.procedure import size

        return size(self, bench)

    def trials(self, bench: "Bench") -> Iterator[Trial]:
        from experiments.confidence_readout.procedure import trials

        yield from trials(self, bench)

    def analyze(self, trials: Sequence[Trial]) -> Findings:
        from experiments.shared import confidence_analysis as analysis

        return analysis.findings(trials)

    def draw(self, findings: Findings) -> "dict[str, Figure]":
        from experiments.shared.confidence_figures import draw

        return draw(findings)

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """240 questions about 80 people: every signal is twice `effect` standard deviations higher on right answers."""
        from experiments.shared.confidence_simulation import simulated

        return simulated(self.trial_name(), effect, seed, fault)

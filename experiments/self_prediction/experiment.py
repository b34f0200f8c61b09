"""Does a model predict its own answers better than another model, the commonest answer or the question's words?"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from introlab.experiment.base import Experiment
from introlab.experiment.budget import TEN_MINUTES, Cut
from introlab.records.findings import Findings
from introlab.records.trial import Trial

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True, kw_only=True)
class SelfPrediction(Experiment):
    """Does a model predict its own answers better than anyone could who is not that model, and after a change, too?

    Every question is answered; what the model says it would answer is read from next-token probabilities, property by
    property of the answer. Beside it, on the same items: another model's predictions, the most frequent answer, and a
    classifier that sees the words of the question. Then the answers are changed - by fine-tuning before the run, by a
    prompt, by a steering vector, by random vectors of equal norm - and the prediction has to follow the change.
    """

    primary: ClassVar[str] = "self-prediction beyond the best rival"
    null: ClassVar[float] = 0.0
    controls: ClassVar[tuple[str, ...]] = ("cross", "mode", "input_only", "word_push", "random_direction", "in_kind")
    readable: ClassVar = {"an answer was read": "answer"}
    cuts: ClassVar[tuple[Cut, ...]] = (
        Cut("samples", 0),
        Cut("shares", (0.5, 2.0)),
        Cut("fit", 120),
        Cut("changed", 80),
        Cut("per_direction", 4),
        Cut("test", 80, below=TEN_MINUTES),
        Cut("random_directions", 5, below=TEN_MINUTES),
    )
    debug: ClassVar = {"fit": 30, "tune": 12, "test": 40, "changed": 16, "samples": 2, "random_directions": 3}
    models: ClassVar[tuple[str, ...]] = ("organism:m1", "organism:m2")

    fit: int = 240
    """Questions the vector and the input-only predictor are fitted on."""
    tune: int = 40
    """Questions on which the strength of the push is chosen."""
    test: int = 320
    """Questions everything is reported on."""
    changed: int = 160
    """Of these, how many are asked again under each change."""
    samples: int = 4
    """Answers by chance to each question, for calibration."""
    random_directions: int = 20
    per_direction: int = 8
    """Questions asked under each random direction."""
    shares: tuple[float, ...] = (0.25, 0.5, 1.0, 2.0)
    """Strengths tried, as shares of the residual norm; the least that changes enough answers is used."""
    depth: float = 0.5
    """The push goes into the output of the block at this share of the depth."""
    kind: str | None = None
    """Of questions. Default: what the materials choose, or every kind."""
    about: str | None = None
    """The noun asked for ("food" of "the food of ..."). Default: what the materials choose, or any."""
    other: str | None = None
    """The model that predicts this one. Default: what the materials choose; general materials choose none."""
    before: str | None = None
    """This model before it was fine-tuned. Default: what the materials choose; general materials choose none."""
    room: int = 24
    """New tokens of an answer at most."""
    seed: int = 0

    def analyze(self, trials: Sequence[Trial]) -> Findings:
        from experiments.self_prediction import analysis

        return analysis.findings(trials)

    def draw(self, findings: Findings) -> "dict[str, Figure]":
        from experiments.self_prediction.figures import draw

        return draw(findings)

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """160 questions: the model predicts its answers by `effect` times 0.4 more often than its best rival."""
        from experiments.self_prediction.simulation import simulated

        return simulated(self.trial_name(), effect, seed, fault)

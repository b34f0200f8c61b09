"""The published protocol of endogenous steering resistance, and a verdict that its controls bear on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, get_args

from experiments.endogenous_resistance.parts import Part
from introlab.errors import InputError
from introlab.experiment.base import Experiment
from introlab.experiment.budget import TEN_MINUTES, Cut
from introlab.records.findings import Findings
from introlab.records.model_check import CheckPart, Feasibility, ModelCheck
from introlab.records.trial import Trial
from introlab.tasks.materials import Materials

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

    from introlab.experiment.context import RunContext

PARTS: tuple[str, ...] = get_args(Part)


@dataclass(frozen=True, kw_only=True)
class EndogenousResistance(Experiment):
    """Pushed along a latent all the while, does the model start again and do better, by the published protocol?

    Latents of a sparse autoencoder are raised at every position, each as hard as brings the score of first attempts to
    the target; what is written is cut into attempts and each is scored (arXiv 2602.06941). The ten experiments of the
    publication are the `parts`. No push, random directions of equal norm and a request in words run beside them, and
    docs/endogenous_resistance.md says where this differs from what was published. A verdict is read from the checks,
    paired excesses over no steering and over random directions, and how many texts do worse instead.
    """

    primary: ClassVar[str] = "ESR rate beyond no steering"
    check_parts: ClassVar[tuple[CheckPart, ...]] = ("topics",)
    readable: ClassVar = {"a first attempt was scored": "first_score", "coherent": "not incoherent"}
    null: ClassVar[float] = 0.0
    controls: ClassVar[tuple[str, ...]] = ("baseline", "random_direction", "prompting", "calibration", "coherence")
    debug: ClassVar = {
        "latents": 3,
        "prompts": 3,
        "own_texts": 2,
        "steps": 3,
        "per_step": 3,
        "random_directions": 3,
        "neutral": 6,
        "max_new": 24,
    }
    models: ClassVar[tuple[str, ...]] = (
        "organism:resistant",
        "organism:announcer",
        "organism:compliant",
        "organism:immune",
    )
    cuts: ClassVar[tuple[Cut, ...]] = (
        Cut("levels", 4),
        Cut("neutral", 24),
        Cut("own_texts", 3),
        Cut("per_step", 2),
        Cut("steps", 5),
        Cut("latents", 6, below=TEN_MINUTES),
        Cut("max_new", 24, below=TEN_MINUTES),
        Cut("random_directions", 5, below=TEN_MINUTES),
    )

    parts: tuple[str, ...] = ("steered", "no_steering")
    """Of the ten experiments: steered, no_steering (both are always run), sweep, detectors, random_ablation,
    finetuning, meta_prompts, episode, judges, alignment; or all."""
    sae: str | None = None
    """None: the one that the materials name. As `probes.sae.model.Sae.load` reads it: shipped, RELEASE:SAE_ID of
    sae-lens' registry, or a folder."""
    layer: int | None = None
    """Block whose output is written; None is the autoencoder's own. Published: another one for Llama-3.3-70B."""
    span: str = "all"
    """Where is written. Published: every position, template and prompt included."""
    latents: int = 24
    """Published: 500."""
    prompts: int = 3
    """Texts of each latent and condition, each about another topic. Published: 5."""
    labels: str | None = None
    """JSON lines of latents with labels, and grades of their concreteness, that others gave: {"latent": 7580, "label":
    "body positions", "concreteness": 85}. None: known by the words of topics they are active on."""
    concreteness: float = 65.0
    own_texts: int = 6
    """Of the model for each topic, by which latents are known."""
    target: float = 0.3
    """Mean score of first attempts, 0 to 1. Published: .3, earlier .5."""
    bounds: tuple[float, float] = (0.0, 200.0)
    prior: tuple[float, float] = (80.0, 40.0)
    """Mean and s.d. of the strength that is expected, in units of the latent. Published ones are in the docs."""
    steps: int = 8
    """Of the search. Published: 10."""
    per_step: int = 4
    """Texts of a step. Published: 1, but 5 for the 70B model."""
    guarded: bool = False
    """Whether a search stops below the strength at which most texts are incoherent. Published: no such guard; then it
    stops only where most texts repeat a word five times in a row."""
    temperature: float = 0.6
    repetition_penalty: float = 1.0
    """Published code: 1.2 (70B), 1.15 (8B), 1.1 (Gemma); 1.0 at first."""
    max_new: int = 48
    """Published: 512."""
    levels: int = 8
    """Of the sweep, from three standard deviations below the mean strength to three above."""
    random_directions: int = 20
    random_sets: int = 3
    """Of random latents that are silenced."""
    detectors: int = 26
    """Off-topic detectors at most. Published: 26."""
    mixes: tuple[float, ...] = (0.5,)
    """Shares of masked self-corrections in fine-tuning. Published: .1 to .9."""
    tuning_rows: int = 96
    tuning_epochs: int = 4
    tuning_rate: float = 1e-3
    """Published: 2e-4, on some 900 rows."""
    tuning_data: str | None = None
    """JSON lines of segments to fine-tune on, as the publication's are, instead of ones made of own texts."""
    judged: int = 1000
    """Texts that judges are compared on; all with several attempts are among them."""
    hosted_judges: tuple[str, ...] = ()
    """Models on a server that judge, too (docs/judges.md); none are asked unless named."""
    neutral: int = 48
    """Questions on which damage is measured."""
    seed: int = 0

    def __post_init__(self) -> None:
        unknown = sorted(set(self.parts) - {*PARTS, "all"})
        if unknown:
            raise InputError("no such part", given=", ".join(unknown), allowed=", ".join((*PARTS, "all")))

    def feasibility(self, check: ModelCheck, materials: Materials) -> Feasibility:
        from experiments.shared.topic_feasibility import feasible
        from introlab.tasks.prompts import setting

        named = self.sae or setting(materials, self.name(), "sae")
        return feasible(self.name(), check, lacks="" if named else "--sae (an autoencoder of this model)")

    def require_decidable(self, bench: "RunContext") -> None:
        from experiments.shared.model_check import require_decidable

        require_decidable(self, bench)

    def analyze(self, trials: Sequence[Trial]) -> Findings:
        from experiments.endogenous_resistance import analysis

        return analysis.findings(trials, self.target)

    def draw(self, findings: Findings) -> "dict[str, Figure]":
        from experiments.endogenous_resistance.figures import draw

        return draw(findings)

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """Thirty latents pushed, five texts each and per condition: pushed texts leave the topic, and `effect` times
        .25 of them start again and do better, where one in a hundred does without a push."""
        from experiments.endogenous_resistance.simulation import simulated

        return simulated(self.trial_name(), self.target, effect, seed, fault)

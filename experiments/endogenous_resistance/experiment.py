"""The published protocol of endogenous steering resistance, faithfully, and what its metric alone says."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, get_args

from experiments.endogenous_resistance import analysis
from experiments.endogenous_resistance.ablation import ablated, detectors_of
from experiments.endogenous_resistance.conditions import Part, Told, meta_prompted, steered, swept
from experiments.endogenous_resistance.finetuning import finetuned
from experiments.endogenous_resistance.judging import judged
from experiments.endogenous_resistance.latent_selection import (
    Seen,
    choose,
    known_by_texts,
    labelled,
    loudest_on,
    observe_topics,
)
from experiments.endogenous_resistance.latent_timecourse import aligned, episode
from experiments.endogenous_resistance.lora import Tuning
from experiments.endogenous_resistance.setup import Setup
from experiments.endogenous_resistance.simulation import simulated
from experiments.endogenous_resistance.strength_search import Pushed, Search, find_strengths
from experiments.shared.generations import Written, finished
from experiments.shared.side_effects import damage_trials
from introlab.errors import InputError
from introlab.experiment.base import Experiment, Size
from introlab.experiment.context import Bench
from introlab.generation.sampling import Sampling
from introlab.interventions.interfaces import Intervention
from introlab.network.model import load
from introlab.network.sites import Site
from introlab.network.spans import Span
from introlab.records.findings import Findings
from introlab.records.trial import Trial
from probes.sae.model import Sae
from steering.strength import typical_norm
from steering.strength_search import Plan, Prior

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

PARTS: tuple[str, ...] = get_args(Part)


@dataclass(frozen=True, kw_only=True)
class EndogenousResistance(Experiment):
    """Pushed along a latent all the while, does the model start again and do better, by the published protocol?

    Latents of a sparse autoencoder are raised at every position, each as hard as brings the score of first attempts to
    the target; what is written is cut into attempts and each is scored (arXiv 2602.06941). The ten experiments of the
    publication are the `parts`. No push, random directions of equal norm and a request in words run beside them, and
    docs/endogenous_resistance.md says where this differs from what was published. Verdicts are those of the published
    metric alone: a text that starts again by chance with a better score counts as resistance.
    """

    primary: ClassVar[str] = "ESR rate beyond no steering"
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

    parts: tuple[str, ...] = ("steered", "no_steering")
    """Of the ten experiments: steered, no_steering (both are always run), sweep, detectors, random_ablation,
    finetuning, meta_prompts, episode, judges, alignment; or all."""
    sae: str = "organism:base"
    """As `probes.sae.model.Sae.load` reads it: shipped, RELEASE:SAE_ID of sae-lens' registry, or a folder."""
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

    def has(self, part: Part) -> bool:
        return bool({part, "all"} & set(self.parts))

    def size(self, bench: Bench) -> Size:
        """At most: fewer latents may pass the filters, and no detectors may be found."""
        scenes = self.latents * min(self.prompts, len(bench.materials.lab_topics) - 1)
        own = self.own_texts * len(bench.materials.topics) + self.own_texts * len(bench.materials.lab_topics)
        found = self.latents * self._plan(len(bench.materials.lab_topics) - 1).texts
        arms = 4 + self.levels * self.has("sweep") + 4 * self.has("meta_prompts")
        arms += 3 * self.has("detectors") + self.random_sets * self.has("random_ablation")
        tuned = len(self.mixes) * self.has("finetuning")
        texts = own + found + arms * scenes + tuned * (found + scenes)
        return Size(texts, texts * self.max_new)

    def trials(self, bench: Bench) -> Iterator[Trial]:
        setup, own = self._setup(bench)
        yield setup.transfer()
        yield from setup.trials(own)
        seen = self._seen(setup, own)
        prompts = {topic: setup.prompt(topic, "test") for topic in setup.topics}
        loudest = loudest_on(bench.model, setup.sae, prompts, setup.reading)
        known = labelled(Path(self.labels)) if self.labels else known_by_texts(seen, bench.materials)
        chosen = choose(known, loudest, count=self.latents, concreteness=self.concreteness, seed=self.seed)
        pushed, searched = find_strengths(setup, chosen, self._search(setup))
        yield from searched
        told = steered(setup, pushed, self.prompts, self.random_directions)
        yield from (trial for _, trial in told)
        yield from self._damage(setup, pushed)
        yield from self._other_parts(setup, pushed, seen, own, told)

    def _other_parts(
        self, setup: Setup, pushed: Sequence[Pushed], seen: Seen, own: Sequence[Written], told: Told
    ) -> Iterator[Trial]:
        if self.has("judges"):
            yield from judged(setup, told, self.judged, self.hosted_judges)
        if self.has("sweep"):
            yield from swept(setup, pushed, self.prompts, self.levels)
        if self.has("meta_prompts"):
            yield from meta_prompted(setup, pushed, self.prompts)
        if any(self.has(part) for part in ("detectors", "random_ablation", "episode", "alignment")):
            found = detectors_of(setup, own, told, self.detectors)
            yield from found.trials(setup)
            sets = self.random_sets if self.has("random_ablation") else 0
            yield from ablated(setup, pushed, self.prompts, found, seen.frequency, sets, self.has("detectors"))
            if self.has("episode"):
                yield from episode(setup, told, found)
            if self.has("alignment"):
                yield from aligned(setup, told, found)
        if self.has("finetuning"):
            tuning = Tuning(self.tuning_rows, self.tuning_epochs, self.tuning_rate, self.seed)
            for mix in self.mixes:
                yield from finetuned(
                    setup, pushed, own, mix, tuning, self._search(setup), self.prompts, self.tuning_data
                )

    def _search(self, setup: Setup) -> Search:
        return Search(self.target, self._plan(len(setup.topics) - 1), self.guarded)

    def _plan(self, topics: int) -> Plan:
        return Plan(
            Prior(*self.bounds, *self.prior),
            tuple(f"search {turn}" for turn in range(topics)),
            tuple(f"fresh {turn}" for turn in range(topics)),
            steps=self.steps,
            per_step=self.per_step,
            per_fresh=1,
        )

    def _setup(self, bench: Bench) -> tuple[Setup, list[Written]]:
        """With unsteered texts: about pairs of topics, by which latents are known, and to the prompts of the search."""
        read = Sae.load(self.sae, model=bench.model)
        setup = Setup(
            bench,
            self.name(),
            read,
            read.site if self.layer is None else Site(self.layer),
            Span.parse(self.span),
            Sampling(temperature=self.temperature, repetition_penalty=self.repetition_penalty),
            self.max_new,
            bench.materials.lab_topics,
        )
        bench.model.check_site(setup.site, write=True)
        topics = sorted(bench.materials.topics)
        requests = []
        for topic, other in zip(topics, [*topics[1:], topics[0]], strict=True):
            for turn in range(self.own_texts):
                prompt = setup.both(setup.prompt(topic, ("search", "fresh")[turn % 2]), other)
                note = {"condition": "prompting", "split": "extract", "cluster": topic, "part": "own texts"}
                requests.append(setup.request(prompt, topic, f"both: {prompt}", replicate=turn, label=other, **note))
        for topic in setup.topics:
            for turn in range(self.own_texts):
                prompt = setup.prompt(topic, ("search", "fresh")[turn % 2])
                note = {"condition": "baseline", "split": "calibrate", "cluster": topic, "part": "own texts"}
                requests.append(setup.request(prompt, topic, f"alone: {prompt}", replicate=turn, **note))
        own = setup.written(requests, "unsteered texts")
        norm = typical_norm(bench.model, list(map(finished, own)), setup.site, batch_size=bench.batch_size)
        return replace(setup, norm=norm).bounded(own), own

    def _seen(self, setup: Setup, own: Sequence[Written]) -> Seen:
        """A shipped autoencoder's latents are known by what they are in the organism it was trained on, as published
        ones of a base model are by their labels there."""
        bench, read = setup.bench, setup.sae
        trained_on = self.sae.split("/")[0]
        model = bench.model
        if trained_on.startswith("organism:") and trained_on != model.name:
            model = load(trained_on, device=str(model.device), deterministic=model.deterministic)
            read = Sae.load(self.sae, model=model)
        return observe_topics(model, read, list(map(finished, own)), bench.materials, setup.reading)

    def _damage(self, setup: Setup, pushed: Sequence[Pushed]) -> Iterator[Trial]:
        """What the same pushes do to questions that have nothing to do with topics. Strengths differ from latent to
        latent: their mean stands for them."""
        questions = setup.bench.materials.pick("calibrate", limit=self.neutral)
        mean = sum(each.strength for each in pushed) / len(pushed)

        def push(index: int, draw: int | None) -> Intervention:
            each = pushed[index % len(pushed)]
            how = (each.latent.index, each.strength)
            return setup.push(*how) if draw is None else setup.stray(*how, draw)

        yield from damage_trials(setup.bench, self.name(), mean, questions, push, draws=self.random_directions)

    def analyze(self, trials: Sequence[Trial]) -> Findings:
        return analysis.findings(trials, self.target)

    def draw(self, findings: Findings) -> "dict[str, Figure]":
        from experiments.endogenous_resistance.figures import draw

        return draw(findings)

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """Thirty latents pushed, five texts each and per condition: pushed texts leave the topic, and `effect` times
        .25 of them start again and do better, where one in a hundred does without a push."""
        return simulated(self.name(), self.target, effect, seed, fault)

"""Everything called confidence, side by side on the same answers: of tokens, samples, words, layers and probes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from experiments.confidence_signals import analysis
from experiments.confidence_signals.cases import ROOM, Case, answered
from experiments.confidence_signals.probing import Probes, fit_probes
from experiments.confidence_signals.signals import signals
from experiments.confidence_signals.simulation import simulated
from introlab.experiment.base import Experiment, Size
from introlab.experiment.context import Bench
from introlab.records.findings import Findings
from introlab.records.trial import Trial
from introlab.tasks.materials import SPLITS, Question, Split

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True, kw_only=True)
class WhatTheModelKnows(Experiment):
    """Which of a model's confidences tells when it is right, and is what it says one of them?

    Each question is answered once greedily and several times by chance. Read of the same answer: the probability
    family at its first token, agreement of layers and of samples, P(True), what it says before and after, and probes at
    four places of the text. Probes are fitted on one set of questions; layer and penalty are chosen on one half of a
    second and everything is calibrated on the other half; all is reported on a third.
    """

    primary: ClassVar[str] = "auroc of probed_before_answer"
    null: ClassVar[float] = 0.5
    controls: ClassVar[tuple[str, ...]] = (
        "shuffled_labels",
        "text_only",
        "length",
        "position",
        "embedding",
        "untrained_network",
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
    seed: int = 0

    def size(self, bench: Bench) -> Size:
        texts = sum(len(self._questions(bench, split)) for split in SPLITS) * (1 + self.samples)
        return Size(texts, texts * ROOM)

    def trials(self, bench: Bench) -> Iterator[Trial]:
        train = self._answered(bench, "extract")
        yield from self._trials(bench, train, "extract")
        second = self._answered(bench, "calibrate")
        groups = sorted({case.question.group for case in second})
        choosing = set(groups[::2])
        tune = [case for case in second if case.question.group in choosing]
        yield from self._trials(bench, tune, "calibrate")
        probes = fit_probes(bench, _with_answer(train), _with_answer(tune), shuffles=self.shuffles)
        rest = [case for case in second if case.question.group not in choosing]
        yield from self._trials(bench, rest, "calibrate", probes)
        yield from self._trials(bench, self._answered(bench, "test"), "test", probes)

    def _questions(self, bench: Bench, split: Split) -> list[Question]:
        return bench.materials.evenly(split, {"extract": self.fit, "calibrate": self.tune, "test": self.test}[split])

    def _answered(self, bench: Bench, split: Split) -> list[Case]:
        stage = f"answers, {split} questions"
        return answered(bench, self._questions(bench, split), samples=self.samples, stage=stage)

    def _trials(
        self, bench: Bench, cases: Sequence[Case], split: Split, probes: Probes | None = None
    ) -> Iterator[Trial]:
        kept = _with_answer(cases)
        ids = [case.question.id for case in kept]
        probed = dict(zip(ids, probes(kept), strict=True)) if probes else {}
        for case, unfitted in zip(cases, signals(bench, cases), strict=True):
            more = probed.get(case.question.id, {})
            yield self._trial(bench, case, split, 0, {**unfitted, **more, "share_right": case.share_right})
            yield from (self._trial(bench, case, split, index, {}) for index in range(1, self.samples + 1))

    def _trial(self, bench: Bench, case: Case, split: Split, index: int, readings: dict[str, object]) -> Trial:
        """The greedy answer, with all readings, or the `index`-th sample."""
        generation = case.samples[index - 1] if index else case.greedy
        sampled = case.answers[index - 1] == case.question.answer.lower() if index else None
        return Trial(
            experiment=self.name(),
            model=bench.model.name,
            item=case.question.id,
            cluster=case.question.group,
            split=split,
            condition="sample" if index else "baseline",
            replicate=index,
            prompt=bench.model.text(case.prompt),
            text=bench.model.text(generation.tokens),
            tokens=generation.tokens,
            readings={**readings, **generation.per_token("entropy")},
            outcomes={
                "right": sampled if index else case.right,
                "kind": case.question.kind,
                "level": case.question.level,
            },
        )

    def analyze(self, trials: Sequence[Trial]) -> Findings:
        return analysis.findings(trials)

    def draw(self, findings: Findings) -> "dict[str, Figure]":
        from experiments.confidence_signals.figures import draw

        return draw(findings)

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """240 questions about 80 people: every signal is twice `effect` standard deviations higher on right answers."""
        return simulated(self.name(), effect, seed, fault)


def _with_answer(cases: Sequence[Case]) -> list[Case]:
    return [case for case in cases if case.found is not None]

"""About to reconsider: where and how early it can be read, whether that carries over, and whether it is used."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from experiments.reflection_localization import analysis
from experiments.reflection_localization.causal import STRENGTH, Cause, fit_cause
from experiments.reflection_localization.prefilled_answers import fit_errors, planted
from experiments.reflection_localization.probing import ReflectionMap, fit_map, level_of
from experiments.reflection_localization.simulation import simulated
from experiments.shared.reflection_cases import PER_TOKEN, Case, decided, written_cases
from experiments.shared.side_effects import damage_trials
from introlab.experiment.base import Experiment, Size
from introlab.experiment.context import Bench
from introlab.generation.requests import Request
from introlab.generation.sampling import Sampling
from introlab.network.chat import system, user
from introlab.records.findings import Findings
from introlab.records.trial import Trial
from introlab.tasks.materials import SPLITS, Question, Split
from organisms.planted_step_labels import PlantedSteps
from probes.text.reflection import TARGETS, states
from probes.text.reflection_labels import keyword_sets, kinds_of_text

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True, kw_only=True)
class WhereReflectionLives(Experiment):
    """Where and how early can it be read that the model is about to reconsider, does it transfer, and is it used?

    Probes after every block and nought to eight tokens ahead of the decision, beside the model's own P(reconsider) at
    the same token and everything else a probe must beat, within levels of difficulty; fitted on easy questions and
    asked about hard ones, and the other way round, and under other personas. The direction at the place chosen on the
    tuning questions is added and removed, against random ones of the same dose. And right and wrong answers that the
    model did not choose tell whether an error is there for it, its own or another's.
    """

    primary: ClassVar[str] = "about to reconsider, within levels"
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
    ranked_by: ClassVar = "main"
    per_token: ClassVar = PER_TOKEN

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
    kind: str | None = "sum"
    """Which questions: of this kind, or any (None)."""
    seed: int = 0

    def size(self, bench: Bench) -> Size:
        plain = sum(len(self._questions(bench, split)) for split in SPLITS)
        texts = plain + len(bench.materials.wording.personas) * len(self._questions(bench, "test", self.told))
        return Size(texts, texts * self.max_new)

    def trials(self, bench: Bench) -> Iterator[Trial]:
        fitted: list[list[Case]] = []
        for split in ("extract", "calibrate"):
            written = self._written(bench, split)
            yield from (self._trial(bench, case, split) for case in written)
            fitted.append(decided(written))
        train, tune = fitted
        reading = fit_map(bench, train, tune)
        written = self._written(bench, "test")
        test = decided(written)
        readings = reading(test, shuffles=self.shuffles) if test else []
        read = {case.item: each for case, each in zip(test, readings, strict=True)}
        for case in written:
            yield self._trial(bench, case, "test", reading, read.get(case.item))
        yield from self._personas(bench, reading)
        cause = fit_cause(bench, train, reading.main[0])
        yield from self._caused(bench, test[:: max(1, len(test) // self.caused)][: self.caused], cause)
        yield from self._damage(bench, cause)
        yield from self._errors(bench)

    def _questions(self, bench: Bench, split: Split, limit: int | None = None) -> list[Question]:
        """Spread over the levels, so that fewer are as hard as more."""
        limit = min(limit or 10**9, {"extract": self.fit, "calibrate": self.tune, "test": self.test}[split])
        kinds = {question.kind for question in bench.materials.questions}
        return bench.materials.pick(split, kind=self.kind if self.kind in kinds else None, limit=limit)

    def _written(self, bench: Bench, split: Split, persona: str | None = None) -> list[Case]:
        """In order of their ids, so that the order of work does not matter further on."""
        told = [system(bench.materials.wording.personas[persona])] if persona else []
        requests = [
            Request(
                prompt=tuple(bench.model.ids([*told, user(question.text)], room=self.max_new)),
                item=question.id,
                max_new=self.max_new,
                sampling=Sampling(temperature=self.temperature),
                note={"question": question},
            )
            for question in self._questions(bench, split, self.told if persona else None)
        ]
        stage = f"answers, {split} questions" + (f", {persona}" if persona else "")
        return sorted(written_cases(bench, requests, stage), key=lambda case: case.item)

    def _personas(self, bench: Bench, reading: ReflectionMap) -> Iterator[Trial]:
        """The test questions under other personas, read by the same probes."""
        for persona in bench.materials.wording.personas:
            cases = self._written(bench, "test", persona)
            known = decided(cases)
            read = dict(zip((case.item for case in known), reading.at_main(known), strict=True)) if known else {}
            for case in cases:
                yield self._trial(bench, case, "test", reading, read.get(case.item), condition=f"persona {persona}")

    def _caused(self, bench: Bench, cases: Sequence[Case], cause: Cause) -> Iterator[Trial]:
        readings = cause.readings(cases, draws=self.random_directions) if cases else ()
        for case, each in zip(cases, readings, strict=True):
            yield self._without_text(bench, case.question, "causality", each, {})

    def _damage(self, bench: Bench, cause: Cause) -> Iterator[Trial]:
        """What the push does to questions of another kind, where there are any."""
        others = sorted({question.kind for question in bench.materials.questions} - {self.kind})
        questions = bench.materials.pick("calibrate", kind=others[0] if others else None, limit=self.neutral)
        draws = self.random_directions
        yield from damage_trials(bench, self.name(), STRENGTH, questions, lambda _, draw: cause.push(draw), draws=draws)

    def _errors(self, bench: Bench) -> Iterator[Trial]:
        train, tune, test = (self._questions(bench, split, self.planted) for split in SPLITS)
        probes = fit_errors(bench, train, tune)
        cases = planted(bench, test)
        if probes is None or not cases:
            return
        for case, readings in zip(cases, probes.readings(cases), strict=True):
            condition = f"{case.whose} {'wrong' if case.wrong else 'right'}"
            outcomes = {"wrong": case.wrong, "whose": case.whose}
            yield self._without_text(bench, case.question, condition, readings, outcomes)

    def _trial(
        self,
        bench: Bench,
        case: Case,
        split: Split,
        reading: ReflectionMap | None = None,
        readings: dict[str, Any] | None = None,
        *,
        condition: str = "baseline",
    ) -> Trial:
        reflection, tokens, text = case.reflection, case.generation.tokens, bench.model.text(case.generation.tokens)
        planted_kinds = bench.model.family is not None and case.question.kind == "sum"
        known: dict[str, bool | None] = dict.fromkeys(TARGETS)
        known |= states(reflection, case.question.answer) if reflection else {}
        return Trial(
            experiment=self.name(),
            model=bench.model.name,
            item=case.item,
            cluster=case.question.group,
            split=split,
            condition=condition,
            prompt=bench.model.text(case.request.prompt),
            text=text,
            tokens=tokens,
            readings={**readings, **case.generation.per_token("p_reconsider")} if readings else {},
            outcomes={
                **known,
                "level": level_of(case),
                "kind": case.question.kind,
                "half": reading.half(case) if reading else None,
                "keywords": sorted(kinds_of_text(text, keyword_sets()["lab"](case.item, text))),
                "planted": sorted(kinds_of_text(text, PlantedSteps()(case.item, text))) if planted_kinds else None,
            },
        )

    def _without_text(
        self, bench: Bench, question: Question, condition: str, readings: dict[str, Any], outcomes: dict[str, Any]
    ) -> Trial:
        """Of a text that was read and not written."""
        return Trial(
            experiment=self.name(),
            model=bench.model.name,
            item=question.id,
            cluster=question.group,
            split="test",
            condition=condition,
            prompt=question.text,
            readings=readings,
            outcomes=outcomes,
        )

    def analyze(self, trials: Sequence[Trial]) -> Findings:
        return analysis.findings(trials)

    def draw(self, findings: Findings) -> "dict[str, Figure]":
        from experiments.reflection_localization.figures import draw

        return draw(findings)

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """100 sums: reconsidering half the time, probes at three leads that read it with 2.5 times `effect` standard
        deviations, less the earlier, and a direction that adds or removes 0.3 times `effect`."""
        return simulated(self.name(), effect, seed, fault)

"""Reconsidering: readable before it is written? pushed by a direction? changed by a persona?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from experiments.reflection_steering import analysis
from experiments.reflection_steering.simulation import simulated
from experiments.shared.lookahead import readings_ahead
from experiments.shared.reflection_cases import PER_TOKEN, Case, Coherence, decided, goes_on, written_cases
from experiments.shared.side_effects import damage_trials
from introlab.activations.directions import Direction, difference_of_means, random_like
from introlab.activations.extract import read
from introlab.errors import InputError
from introlab.experiment.base import Experiment, Size
from introlab.experiment.context import Bench
from introlab.generation.requests import Request
from introlab.generation.sampling import Sampling
from introlab.interventions.interfaces import Intervention
from introlab.network.chat import system, user
from introlab.network.sites import Site
from introlab.records.findings import Findings
from introlab.records.trial import Trial
from introlab.tasks.materials import Question, Split
from steering.edits import push_along
from steering.strength import typical_norm

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


@dataclass(frozen=True)
class _Rig:
    """What is fitted before any test text is written under a push."""

    direction: Direction
    residual_norm: float
    coherence: Coherence

    def push(self, strength: float, draw: int | None = None) -> Intervention:
        """Along the direction, or along a random one of equal norm."""
        along = self.direction if draw is None else random_like(self.direction, draw)
        return push_along(along, natural=strength, residual_norm=self.residual_norm)


@dataclass(frozen=True, kw_only=True)
class ReflectionAndPersonas(Experiment):
    """Is "about to reconsider" readable before it is written, can it be pushed, and what do personas make of it?

    Probes one to eight tokens ahead of the decision; a direction (difference of means, reconsidering against not)
    added where new text is predicted, against twenty random ones of equal norm and a request in words; a careful
    and a stubborn persona in the system turn. Read off: how often it reconsiders, whether accuracy follows, and
    which right answers are kept and wrong ones repaired - beside what drawing a new answer at random would do.
    """

    primary: ClassVar[str] = "reconsidering pushed beyond random"
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
    ranked_by: ClassVar = "p_reconsider"
    per_token: ClassVar = PER_TOKEN

    layer: int = 3
    """The push goes into the output of this block."""
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
    kind: str | None = "sum"
    """Which questions: of this kind, or any (None)."""
    seed: int = 0

    def size(self, bench: Bench) -> Size:
        plain = sum(len(self._questions(bench, split)) for split in ("extract", "calibrate"))
        test = len(self._questions(bench, "test"))
        pushed = min(self.pushed, test)
        arms = 1 + len(self._all_strengths()) + len(bench.materials.wording.personas)
        stray = self.random_directions * min(self.per_direction, pushed) * len(self._all_strengths())
        texts = plain + test + pushed * arms + stray
        return Size(texts, texts * self.max_new)

    def trials(self, bench: Bench) -> Iterator[Trial]:
        extract, calibrate = self._written(bench, "extract"), self._written(bench, "calibrate")
        coherence = Coherence.of(bench.model, extract)
        yield from (self._trial(bench, case, "extract", coherence) for case in extract)
        yield from (self._trial(bench, case, "calibrate", coherence) for case in calibrate)
        known = decided(extract)
        if len(set(goes_on(known))) < 2:
            raise InputError(
                f"{bench.model.name} always or never reconsiders: there is nothing to contrast",
                given=f"{len(known)} of {len(extract)} texts reach a decision",
                do="use a model that sometimes goes on with one of the reconsider_words of wording.json",
            )
        baseline = self._written(bench, "test")
        readings = readings_ahead(bench, extract, calibrate, baseline, shuffles=self.shuffles)
        for case in baseline:
            yield self._trial(bench, case, "test", coherence, readings.get(case.item))
        rig = self._rig(bench, known, coherence)
        yield from self._arms(bench, rig)
        yield from self._damage(bench, rig)

    def _all_strengths(self) -> tuple[float, ...]:
        return tuple(sorted({*self.strengths, self.verdict_strength, -self.verdict_strength}))

    def _questions(self, bench: Bench, split: Split, limit: int | None = None) -> list[Question]:
        """Spread over the levels, so that fewer are as hard as more."""
        limit = limit or {"extract": self.fit, "calibrate": self.tune, "test": self.test}[split]
        kinds = {question.kind for question in bench.materials.questions}
        return bench.materials.pick(split, kind=self.kind if self.kind in kinds else None, limit=limit)

    def _request(
        self,
        bench: Bench,
        question: Question,
        *pushes: Intervention,
        persona: str | None = None,
        ask: str = "",
        **note: Any,
    ) -> Request:
        told = [system(bench.materials.wording.personas[persona])] if persona else []
        content = f"{question.text} {ask}".strip()
        return Request(
            prompt=tuple(bench.model.ids([*told, user(content)], room=self.max_new)),
            item=question.id,
            interventions=pushes,
            max_new=self.max_new,
            sampling=Sampling(temperature=self.temperature),
            note={"question": question, "condition": "baseline", "strength": 0.0, "draw": None, **note},
        )

    def _written(self, bench: Bench, split: Split) -> list[Case]:
        requests = [self._request(bench, question) for question in self._questions(bench, split)]
        # Sorted, so that the order of work does not matter further on.
        return sorted(written_cases(bench, requests, f"answers, {split} questions"), key=lambda case: case.item)

    def _rig(self, bench: Bench, cases: Sequence[Case], coherence: Coherence) -> _Rig:
        """Reconsidering minus letting stand, read where the decision token is predicted: the same token in both."""
        site, texts, goes = Site(self.layer), [case.text() for case in cases], goes_on(cases)
        positions = [[case.decision - 1] for case in cases]
        values = read(bench.model, texts, [site], positions, batch_size=bench.batch_size)[site, 0]
        direction = difference_of_means(
            values.where(goes), values.where([not each for each in goes]), model=bench.model
        )
        return _Rig(direction, typical_norm(bench.model, texts, site, batch_size=bench.batch_size), coherence)

    def _arms(self, bench: Bench, rig: _Rig) -> Iterator[Trial]:
        questions = self._questions(bench, "test", min(self.pushed, self.test))
        rig.direction.check_unseen([question.id for question in questions])
        wording, requests = bench.materials.wording, []
        for question in questions:
            requests += [
                self._request(bench, question, persona=name, condition=f"persona {name}") for name in wording.personas
            ]
            requests.append(self._request(bench, question, ask=wording.request_check, condition="prompting"))
        for strength in self._all_strengths():
            push = rig.push(strength)
            requests += [
                self._request(bench, question, push, condition="push", strength=strength) for question in questions
            ]
            for draw in range(self.random_directions):
                stray, start = rig.push(strength, draw), draw * self.per_direction
                for index in range(min(self.per_direction, len(questions))):
                    one = questions[(start + index) % len(questions)]
                    requests.append(
                        self._request(bench, one, stray, condition="random_direction", strength=strength, draw=draw)
                    )
        for case in written_cases(bench, requests, "pushes, personas and requests in words"):
            yield self._trial(bench, case, "test", rig.coherence)

    def _damage(self, bench: Bench, rig: _Rig) -> Iterator[Trial]:
        """What the same pushes do to questions of another kind, where there are any."""
        others = sorted({question.kind for question in bench.materials.questions} - {self.kind})
        questions = bench.materials.pick("calibrate", kind=others[0] if others else None, limit=self.neutral)
        at = self.verdict_strength

        def pushed(_: int, draw: int | None) -> Intervention:
            return rig.push(at, draw)

        yield from damage_trials(bench, self.name(), at, questions, pushed, draws=self.random_directions)

    def _trial(
        self,
        bench: Bench,
        case: Case,
        split: Split,
        coherence: Coherence,
        readings: dict[str, Any] | None = None,
    ) -> Trial:
        reflection, note, tokens = case.reflection, case.request.note, case.generation.tokens
        p_reconsider = case.generation.readings["p_reconsider"][reflection.decision] if reflection else None
        right, text = case.question.answer.lower(), bench.model.text(tokens)
        return Trial(
            experiment=self.name(),
            model=bench.model.name,
            item=case.item,
            cluster=case.question.group,
            split=split,
            condition=note["condition"],
            strength=note["strength"],
            draw=note["draw"],
            prompt=bench.model.text(case.request.prompt),
            text=text,
            tokens=tokens,
            readings={
                "p_reconsider": p_reconsider,
                "p_right": case.p_right,
                "logprob_unsteered": case.logprob,
                **case.generation.per_token("p_reconsider"),
                **(readings or {}),
            },
            outcomes={
                "reconsidered": reflection.reconsidered if reflection else None,
                "first_right": reflection.first == right if reflection else None,
                "final_right": reflection.final == right if reflection else None,
                "incoherent": coherence.incoherent(case),
                "finished": case.generation.ended,
                "level": case.question.level,
            },
            receipts=case.generation.receipts,
        )

    def analyze(self, trials: Sequence[Trial]) -> Findings:
        return analysis.findings(trials, self.verdict_strength)

    def draw(self, findings: Findings) -> "dict[str, Figure]":
        from experiments.reflection_steering.figures import draw

        return draw(findings)

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """120 sums: reconsidering half the time, a push that adds or removes `effect` times 0.4 at full strength,
        probes that read it with `effect` standard deviations."""
        return simulated(self.name(), effect, seed, fault)

"""Reconsidering: readable before it is written? pushed by a direction? changed by a persona?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from experiments._reflection import analysis
from experiments._reflection.ahead import readings_ahead
from experiments._reflection.cases import Case, decided, goes_on, probabilities_of_right
from experiments._reflection.simulation import simulated
from introlab.activations import read
from introlab.bench import Bench
from introlab.chat import system, user
from introlab.directions import Direction, difference_of_means, random_like
from introlab.errors import InputError
from introlab.experiment import Experiment, Size
from introlab.findings import Findings
from introlab.generation import Request
from introlab.protocols import Intervention
from introlab.sites import Site, Span
from introlab.tasks import Question, Split, single_tokens
from introlab.trials import Trial
from probes.readouts import TokenProbability
from probes.reflection import read_reflection
from steering.dose import Dose, typical_norm
from steering.edits import Add

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


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
        "test": 24,
        "strengths": (-2.0, 2.0),
        "random_directions": 3,
        "per_direction": 4,
        "shuffles": 2,
    }
    models: ClassVar[tuple[str, ...]] = ("organism:reflective",)

    layer: int = 3
    """The push goes into the output of this block."""
    strengths: tuple[float, ...] = (-4.0, -2.0, -1.0, 1.0, 2.0, 4.0)
    """In natural units: 1 is the difference between about to reconsider and not."""
    fit: int = 400
    tune: int = 200
    test: int = 160
    random_directions: int = 20
    per_direction: int = 10
    """Questions each random direction is tried on, at every strength."""
    shuffles: int = 20
    max_new: int = 48
    kind: str | None = "sum"
    """Which questions: of this kind, or any (None)."""
    seed: int = 0

    def size(self, bench: Bench) -> Size:
        plain = sum(len(self._questions(bench, split)) for split in ("extract", "calibrate"))
        test = len(self._questions(bench, "test"))
        arms = 2 + len(self.strengths) + len(bench.materials.wording.personas)
        texts = plain + test * arms + self.random_directions * min(self.per_direction, test) * len(self.strengths)
        return Size(texts, texts * self.max_new)

    def trials(self, bench: Bench) -> Iterator[Trial]:
        extract, calibrate = self._written(bench, "extract"), self._written(bench, "calibrate")
        yield from (self._trial(bench, case, "extract", "baseline") for case in extract)
        yield from (self._trial(bench, case, "calibrate", "baseline") for case in calibrate)
        known = decided(extract)
        if len(set(goes_on(known))) < 2:
            raise InputError(
                f"{bench.model.name} always or never reconsiders: there is nothing to contrast",
                given=f"{len(known)} of {len(extract)} texts reach a decision",
                do="use a model that sometimes goes on with one of the reconsider_words of wording.json",
            )
        direction, norm = self._direction(bench, known)
        baseline = self._written(bench, "test")
        readings = readings_ahead(bench, extract, calibrate, baseline, shuffles=self.shuffles)
        yield from (self._trial(bench, case, "test", "baseline", readings=readings.get(case.item)) for case in baseline)
        yield from self._arms(bench, direction, norm)

    def _questions(self, bench: Bench, split: Split) -> list[Question]:
        limit = {"extract": self.fit, "calibrate": self.tune, "test": self.test}[split]
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
            note={"question": question, "condition": "baseline", "strength": 0.0, "draw": None, **note},
        )

    def _cases(self, bench: Bench, requests: Sequence[Request], stage: str) -> Iterator[Case]:
        words = single_tokens(bench.model, bench.materials.wording.reconsider_words)
        ids = tuple(sorted({one for forms in words.values() for one in forms}))
        readouts = [TokenProbability("p_reconsider", ids)]
        for chunk in bench.chunks(bench.generate(requests, stage=stage, readouts=readouts)):
            found = [
                read_reflection(bench.model, generation.tokens, bench.materials.wording) for _, generation in chunk
            ]
            for (request, generation), reflection, p in zip(
                chunk, found, probabilities_of_right(bench, chunk, found), strict=True
            ):
                yield Case(request.note["question"], request, generation, reflection, p)

    def _written(self, bench: Bench, split: Split) -> list[Case]:
        requests = [self._request(bench, question) for question in self._questions(bench, split)]
        # Sorted, so that the order of work does not matter further on.
        return sorted(self._cases(bench, requests, f"answers, {split} questions"), key=lambda case: case.item)

    def _direction(self, bench: Bench, cases: Sequence[Case]) -> tuple[Direction, float]:
        """Reconsidering minus letting stand, read where the decision token is predicted: the same token in both."""
        site = Site(self.layer)
        texts = [case.text() for case in cases]
        values = read(bench.model, texts, [site], [[case.decision - 1] for case in cases], batch_size=bench.batch_size)[
            site, 0
        ]
        goes = goes_on(cases)
        direction = difference_of_means(
            values.where(goes), values.where([not each for each in goes]), model=bench.model
        )
        return direction, typical_norm(bench.model, texts, site, batch_size=bench.batch_size)

    def _arms(self, bench: Bench, direction: Direction, norm: float) -> Iterator[Trial]:
        questions = self._questions(bench, "test")
        direction.check_unseen([question.id for question in questions])
        requests = []
        for question in questions:
            requests += [
                self._request(bench, question, persona=name, condition=f"persona {name}")
                for name in bench.materials.wording.personas
            ]
            requests.append(
                self._request(bench, question, ask=bench.materials.wording.request_check, condition="prompting")
            )
        for strength in self.strengths:
            push = _push(direction, strength, norm)
            requests += [
                self._request(bench, question, push, condition="push", strength=strength) for question in questions
            ]
            for draw in range(self.random_directions):
                stray = _push(random_like(direction, draw), strength, norm)
                start = draw * self.per_direction
                some = [
                    questions[(start + index) % len(questions)]
                    for index in range(min(self.per_direction, len(questions)))
                ]
                requests += [
                    self._request(bench, one, stray, condition="random_direction", strength=strength, draw=draw)
                    for one in some
                ]
        for case in self._cases(bench, requests, "pushes, personas and requests in words"):
            yield self._trial(bench, case, "test", case.request.note["condition"])

    def _trial(
        self, bench: Bench, case: Case, split: Split, condition: str, readings: dict[str, Any] | None = None
    ) -> Trial:
        reflection, note = case.reflection, case.request.note
        p_reconsider = case.generation.readings["p_reconsider"][reflection.decision] if reflection else None
        right = case.question.answer.lower()
        return Trial(
            experiment=self.name(),
            model=bench.model.name,
            item=case.item,
            cluster=case.question.group,
            split=split,
            condition=condition,
            strength=note["strength"],
            draw=note["draw"],
            prompt=bench.model.text(case.request.prompt),
            text=bench.model.text(case.generation.tokens),
            tokens=case.generation.tokens,
            readings={"p_reconsider": p_reconsider, "p_right": case.p_right, **(readings or {})},
            outcomes={
                "reconsidered": reflection.reconsidered if reflection else None,
                "first_right": reflection.first == right if reflection else None,
                "final_right": reflection.final == right if reflection else None,
                "finished": case.generation.ended,
                "level": case.question.level,
            },
            receipts=case.generation.receipts,
        )

    def analyze(self, trials: Sequence[Trial]) -> Findings:
        return analysis.findings(trials)

    def draw(self, findings: Findings) -> "dict[str, Figure]":
        from experiments._reflection.figures import draw

        return draw(findings)

    def simulate(self, effect: float, seed: int, fault: str | None = None) -> list[Trial]:
        """120 sums: reconsidering half the time, a push that adds or removes `effect` times 0.4 at full strength,
        probes that read it with `effect` standard deviations."""
        return simulated(self.name(), effect, seed, fault)


def _push(direction: Direction, strength: float, norm: float) -> Intervention:
    return Intervention(
        Add(direction, Dose.of(direction, natural=strength, residual_norm=norm)), direction.site, Span.generated()
    )

"""One answered question with what became of the answer."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np

from experiments.shared.generations import coherence_test
from introlab.activations.extract import next_token_logprobs, text_logprobs
from introlab.activations.forward import Text
from introlab.experiment.context import RunContext
from introlab.generation.requests import Generation, Request
from introlab.network.answer_tokens import answer_tokens, single_tokens
from introlab.network.model import Model
from introlab.tasks.materials import Question, Wording
from probes.online import TokenProbability
from probes.text.coherence import CoherenceTest
from probes.text.reflection import Reflection, read_reflection


@dataclass(frozen=True)
class ReflectionCase:
    """One answered question with what became of the answer."""

    question: Question
    request: Request
    generation: Generation
    reflection: Reflection | None
    p_right: float | None
    """Probability of the right answer where the first answer was drawn; only for texts without a push."""
    logprob: float | None
    """Mean log-probability of its tokens under the unsteered model; None for an empty text."""

    @property
    def item(self) -> str:
        return self.question.id

    @property
    def decision(self) -> int:
        """Absolute position of the decision token."""
        assert self.reflection is not None
        return len(self.request.prompt) + self.reflection.decision

    @property
    def reconsidered(self) -> bool:
        return self.reflection is not None and self.reflection.reconsidered

    def text(self) -> Text:
        return Text.written(self.request.prompt, self.generation.tokens, self.item)


def decided(cases: Sequence[ReflectionCase]) -> list[ReflectionCase]:
    """Cases that gave an answer and went on, or ended, after it."""
    return [case for case in cases if case.reflection is not None]


def goes_on(cases: Sequence[ReflectionCase]) -> list[bool]:
    """Whether each reconsidered."""
    return [case.reconsidered for case in cases]


def reconsider_tokens(model: Model, wording: Wording) -> tuple[int, ...]:
    """Every single-token form of the reconsidering words."""
    words = single_tokens(model, wording.reconsider_words)
    return tuple(sorted({one for forms in words.values() for one in forms}))


def written_cases(bench: RunContext, requests: Sequence[Request], stage: str) -> Iterator[ReflectionCase]:
    """Every text as it is written, read for what became of its answer; requests carry their question as a note."""
    readouts = [TokenProbability("p_reconsider", reconsider_tokens(bench.model, bench.materials.wording))]
    for chunk in bench.chunks(bench.generate(requests, stage=stage, readouts=readouts)):
        found = [read_reflection(bench.model, generation.tokens, bench.materials.wording) for _, generation in chunk]
        p_right, logprobs = probabilities_of_right(bench, chunk, found), mean_logprobs(bench, chunk)
        for (request, generation), reflection, p, logprob in zip(chunk, found, p_right, logprobs, strict=True):
            yield ReflectionCase(request.note["question"], request, generation, reflection, p, logprob)


def mean_logprobs(bench: RunContext, chunk: Sequence[tuple[Request, Generation]]) -> list[float | None]:
    """How likely the unsteered model finds each text."""
    texts = [Text.written(asked.prompt, said.tokens, asked.item) for asked, said in chunk]
    each = text_logprobs(bench.model, texts, batch_size=bench.batch_size)
    return [float(np.mean(logprobs)) if logprobs else None for logprobs in each]


FEWEST = 20
"""Texts of a kind from which bounds of its own are taken."""


@dataclass(frozen=True)
class Coherence:
    """What unsteered texts stay within: those that reconsider, and those that do not, each by themselves.

    One bound for both would call texts broken for reconsidering: they are longer and repeat more.
    """

    model: Model
    everything: CoherenceTest
    by_kind: Mapping[bool, CoherenceTest]

    @classmethod
    def of(cls, model: Model, cases: Sequence[ReflectionCase]) -> Self:
        """From unsteered texts."""
        kinds = {kind: [case for case in decided(cases) if case.reconsidered is kind] for kind in (True, False)}
        own = {kind: _bounds(model, some) for kind, some in kinds.items() if len(some) >= FEWEST}
        return cls(model, _bounds(model, cases), own)

    def incoherent(self, case: ReflectionCase) -> bool:
        """Whether a text is less likely, or more repetitive, than unsteered texts of its kind."""
        own = self.by_kind.get(case.reconsidered) if case.reflection else None
        bounds, tokens = own or self.everything, case.generation.tokens
        return bounds.incoherent(case.logprob, tokens, self.model.text(tokens))


def _bounds(model: Model, cases: Sequence[ReflectionCase]) -> CoherenceTest:
    return coherence_test(model, [case.logprob for case in cases], [case.generation.tokens for case in cases])


def probabilities_of_right(
    bench: RunContext, chunk: Sequence[tuple[Request, Generation]], found: Sequence[Reflection | None]
) -> list[float | None]:
    """Probability of the right answer at the token where the first answer was drawn; None under a push, without an
    answer, or where the right answer is more than one token."""
    wanted: dict[int, tuple[Text, tuple[int, ...]]] = {}
    for index, ((request, generation), reflection) in enumerate(zip(chunk, found, strict=True)):
        if reflection is None or request.interventions:
            continue
        if answers := answer_tokens(bench.model, request.note["question"].answer):
            before = generation.tokens[: reflection.first_token]
            wanted[index] = Text.written(request.prompt, before, request.item), answers
    if not wanted:
        return [None] * len(chunk)
    log_p = next_token_logprobs(bench.model, [text for text, _ in wanted.values()], batch_size=bench.batch_size)
    values = {
        index: float(row[list(ids)].exp().sum()) for (index, (_, ids)), row in zip(wanted.items(), log_p, strict=True)
    }
    return [values.get(index) for index in range(len(chunk))]

"""Questions answered once greedily and several times by chance, and where in the text each thing is read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiments.confidence.labels import NO_ANSWER
from introlab.activations.forward import Text
from introlab.experiment.context import Bench
from introlab.generation.requests import Generation, Request
from introlab.generation.sampling import GREEDY, SAMPLED
from introlab.network.messages import user
from introlab.tasks.materials import Question
from probes.online import Entropy, TopTokens
from probes.text.confidence import Answered, find_answer

ROOM = 12
"""New tokens at most."""


@dataclass(frozen=True)
class AnsweredQuestion:
    """A question and everything that was answered to it."""

    question: Question
    prompt: tuple[int, ...]
    greedy: Generation
    samples: tuple[Generation, ...]
    found: Answered | None
    answers: tuple[str, ...]
    """Of the samples; NO_ANSWER where one gives none."""

    @property
    def right(self) -> bool | None:
        """Of the greedy answer; None where there is none."""
        return None if self.found is None else self.found.answer == self.question.answer.lower()

    @property
    def share_right(self) -> float:
        """Of the samples: what P(IK) is fitted on."""
        return sum(one == self.question.answer.lower() for one in self.answers) / max(1, len(self.answers))

    @property
    def text(self) -> Text:
        return Text.written(self.prompt, self.greedy.tokens, self.question.id)

    @property
    def positions(self) -> list[int]:
        """Absolute, one for each of PLACES. Raises ValueError where there is no answer."""
        if self.found is None:
            raise ValueError("no answer, no place for it")
        first = len(self.prompt)
        return [first - 1, first - 1 + self.found.token, first + self.found.last, first + len(self.greedy.tokens) - 1]


def answered(bench: Bench, questions: Sequence[Question], *, samples: int, stage: str) -> list[AnsweredQuestion]:
    """Every question answered, in order of their ids."""
    written: dict[str, dict[int, Generation]] = {one.id: {} for one in questions}
    prompts = {one.id: tuple(bench.model.ids([user(one.text)], room=ROOM)) for one in questions}
    readouts = (Entropy(), TopTokens(2))
    requests = _requests(questions, prompts, samples)
    for request, generation in bench.generate(list(requests), stage=stage, readouts=readouts):
        written[request.item][request.replicate] = generation
    return [_case(bench, one, prompts[one.id], written[one.id]) for one in sorted(questions, key=lambda one: one.id)]


def _requests(questions: Sequence[Question], prompts: dict[str, tuple[int, ...]], samples: int) -> Iterator[Request]:
    for one in questions:
        yield Request(prompts[one.id], one.id, 0, max_new=ROOM, sampling=GREEDY)
        for replicate in range(1, samples + 1):
            yield Request(prompts[one.id], one.id, replicate, max_new=ROOM, sampling=SAMPLED)


def _case(
    bench: Bench, question: Question, prompt: tuple[int, ...], written: dict[int, Generation]
) -> AnsweredQuestion:
    found = [find_answer(bench.model, written[index].tokens, bench.materials.wording) for index in sorted(written)]
    answers = tuple(NO_ANSWER if one is None else one.answer for one in found[1:])
    samples = tuple(written[index] for index in sorted(written) if index)
    return AnsweredQuestion(question, prompt, written[0], samples, found[0], answers)

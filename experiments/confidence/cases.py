"""Questions answered once greedily and several times by chance, and where in the text each thing is read."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from experiments.confidence.labels import NO_ANSWER
from experiments.shared.choices import chosen
from introlab.activations.forward import Text
from introlab.experiment.context import RunContext
from introlab.generation.model_sampling import sampling_for
from introlab.generation.requests import Generation, Request
from introlab.generation.sampling import GREEDY, Sampling
from introlab.network.messages import user
from introlab.tasks.answers import UNPARSABLE, AnswerReader, ParsedAnswer, reader_for
from introlab.tasks.materials import Question
from probes.online import Entropy, TopTokens
from probes.text.confidence import Answered, placed

ROOM = 40
"""New tokens at most, where neither the experiment nor the materials say: enough for a sentence and its answer."""


@dataclass(frozen=True)
class AnsweredQuestion:
    """A question and everything that was answered to it."""

    question: Question
    prompt: tuple[int, ...]
    greedy: Generation
    samples: tuple[Generation, ...]
    found: Answered | None
    """The greedy answer and its tokens."""
    right: bool | None
    """Of the greedy answer; None where there is none."""
    sampled: tuple[ParsedAnswer, ...]
    answer: ParsedAnswer = UNPARSABLE
    """The greedy one as it was read."""

    @property
    def answers(self) -> tuple[str, ...]:
        """Of the samples, in one form for all spellings; NO_ANSWER where one gives none."""
        return tuple(NO_ANSWER if one.answer is None else one.answer for one in self.sampled)

    @property
    def share_right(self) -> float:
        """Of the samples: what P(IK) is fitted on. A sample without an answer is not right."""
        return sum(one.correct is True for one in self.sampled) / max(1, len(self.sampled))

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


def room_for(bench: RunContext, given: int | None) -> int:
    """New tokens at most: as given, or as the materials choose."""
    room = chosen(bench, "confidence", "room", given)
    return ROOM if room is None else int(room)


def answered(
    bench: RunContext, questions: Sequence[Question], *, samples: int, stage: str, room: int | None = None
) -> list[AnsweredQuestion]:
    """Every question answered, in order of their ids."""
    room, reader = room_for(bench, room), reader_for(bench.materials)
    written: dict[str, dict[int, Generation]] = {one.id: {} for one in questions}
    prompts = {one.id: tuple(bench.model.ids([user(one.text)], room=room)) for one in questions}
    readouts = (Entropy(), TopTokens(2))
    requests = _requests(questions, prompts, samples, room, sampling_for(bench.model))
    for request, generation in bench.generate(list(requests), stage=stage, readouts=readouts):
        written[request.item][request.replicate] = generation
    ordered = sorted(questions, key=lambda one: one.id)
    return [_case(bench, reader, one, prompts[one.id], written[one.id]) for one in ordered]


def _requests(
    questions: Sequence[Question], prompts: dict[str, tuple[int, ...]], samples: int, room: int, sampling: Sampling
) -> Iterator[Request]:
    for one in questions:
        yield Request(prompts[one.id], one.id, 0, max_new=room, sampling=GREEDY)
        for replicate in range(1, samples + 1):
            yield Request(prompts[one.id], one.id, replicate, max_new=room, sampling=sampling)


def _case(
    bench: RunContext, reader: AnswerReader, question: Question, prompt: tuple[int, ...], written: dict[int, Generation]
) -> AnsweredQuestion:
    greedy, *sampled = (reader(question, bench.model.text(written[index].tokens)) for index in sorted(written))
    samples = tuple(written[index] for index in sorted(written) if index)
    found = None
    if greedy.answer is not None and greedy.span is not None:
        found = placed(bench.model, written[0].tokens, greedy.answer, greedy.span)
    right = None if found is None else greedy.correct
    return AnsweredQuestion(question, prompt, written[0], samples, found, right, tuple(sampled), greedy)

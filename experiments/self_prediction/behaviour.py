"""What a model answers at the object level, greedily and by chance, under whatever is done to it meanwhile."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from experiments.self_prediction.properties import described
from introlab.experiment.context import RunContext
from introlab.generation.model_sampling import sampling_for
from introlab.generation.requests import Generation, Request
from introlab.generation.sampling import GREEDY
from introlab.interventions.interfaces import Intervention
from introlab.network.messages import system, user
from introlab.network.model import load
from introlab.tasks.answers import asks_for, reader_for
from introlab.tasks.materials import Question


@dataclass(frozen=True)
class Behaviour:
    """An answer as it was written, and its properties: none where no answer could be read."""

    question: Question
    prompt: tuple[int, ...]
    generation: Generation
    answer: str | None
    properties: dict[str, str]


def task_of(question: Question) -> str:
    """What has a most frequent answer of its own: questions of a kind that ask for the same thing."""
    return f"{question.kind}: {asks_for(question)}"


def prompt_of(bench: RunContext, question: Question, room: int, told: str | None = None) -> tuple[int, ...]:
    before = [system(told)] if told else []
    return tuple(bench.model.ids([*before, user(question.text)], room=room))


def behaviours(
    bench: RunContext,
    questions: Sequence[Question],
    asked: Sequence[str],
    room: int,
    *,
    stage: str,
    told: str | None = None,
    pushes: Sequence[tuple[Intervention, ...]] | None = None,
    samples: int = 0,
) -> list[list[Behaviour]]:
    """The greedy answer to each question, then as many by chance. `pushes[i]` act while question `i` is answered; a
    question may be asked more than once."""
    reader, requests = reader_for(bench.materials), list[Request]()
    for index, question in enumerate(questions):
        prompt, edits = prompt_of(bench, question, room, told), pushes[index] if pushes else ()
        for replicate in range(1 + samples):
            sampling = sampling_for(bench.model) if replicate else GREEDY
            requests.append(
                Request(prompt, question.id, replicate, edits, room, sampling=sampling, note=(index, replicate))
            )
    found: dict[tuple[int, int], Behaviour] = {}
    for request, generation in bench.generate(requests, stage=stage):
        question = questions[request.note[0]]
        answer = reader(question, bench.model.text(generation.tokens)).answer
        found[tuple(request.note)] = Behaviour(
            question, request.prompt, generation, answer, described(answer, question, asked)
        )
    return [[found[index, each] for each in range(1 + samples)] for index in range(len(questions))]


def run_context(bench: RunContext, spec: str) -> RunContext:
    """The same bench with another model, asked with the same materials. It writes in this process, and what it wrote
    is not kept for a run that goes on."""
    model = bench.model
    other = load(
        spec,
        device=str(model.device),
        dtype=str(model.dtype).removeprefix("torch."),
        deterministic=model.deterministic,
        today=model.chat.today if model.chat.dated else None,
    )
    return replace(bench, model=other, writer=None, journal=None)

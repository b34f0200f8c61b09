"""Part of the check of a model: questions of every kind and level, answered greedily and read."""

import random
from collections.abc import Sequence

from experiments.shared.choices import chosen
from introlab.experiment.context import RunContext
from introlab.generation.requests import Request
from introlab.generation.sampling import GREEDY
from introlab.network.messages import Message, user
from introlab.records.model_check import AnswersPart, CheckedAnswer, ModelCheck
from introlab.tasks.answers import reader_for
from introlab.tasks.materials import Question

QUESTIONS = 125
"""About so many, equally many of every kind and level."""
ROOM = 40
"""New tokens at most, where the materials do not say."""


def measure(bench: RunContext, _: ModelCheck) -> AnswersPart:
    """Ask the questions of the extract split: no test question is seen."""
    asked, reader = questions(bench), reader_for(bench.materials)
    room = int(chosen(bench, "confidence", "room", None) or ROOM)
    texts = replies(bench, [[user(one.text)] for one in asked], room, "check: answers")
    prompts: dict[str, str] = {}
    answers = []
    for question, (prompt, reply) in zip(asked, texts, strict=True):
        prompts.setdefault(question.kind, prompt)
        found = reader(question, reply)
        answers.append(
            CheckedAnswer(question.id, question.kind, question.level, question.text, reply, found.answer, found.correct)
        )
    return AnswersPart(room, prompts, tuple(answers))


def questions(bench: RunContext) -> list[Question]:
    """Drawn with a fixed seed from the extract questions, equally many of every kind and level."""
    cells: dict[tuple[str, str], list[Question]] = {}
    for one in bench.materials.pick("extract"):
        cells.setdefault((one.kind, one.level), []).append(one)
    each = max(1, QUESTIONS // len(cells))
    found: list[Question] = []
    for kind, level in sorted(cells):
        some = cells[kind, level]
        found += random.Random(f"{kind} {level}").sample(some, min(each, len(some)))
    return found


def replies(
    bench: RunContext, asked: Sequence[Sequence[Message]], room: int, stage: str, *, prefill: str = ""
) -> list[tuple[str, str]]:
    """The prompt as it was given and the greedy reply, for each dialogue, in the order asked."""
    prompts = [tuple(bench.model.ids(each, prefill=prefill, room=room)) for each in asked]
    requests = [Request(ids, str(index), max_new=room, sampling=GREEDY) for index, ids in enumerate(prompts)]
    done = {request.item: generation for request, generation in bench.generate(requests, stage=stage)}
    decode = bench.model.tokenizer.decode
    return [(decode(ids), bench.model.text(done[str(index)].tokens)) for index, ids in enumerate(prompts)]

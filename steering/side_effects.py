"""What else a push does: how far it moves the model on neutral prompts, and what it costs in right answers."""

from collections.abc import Sequence
from dataclasses import dataclass

from introlab.activations.extract import next_token_logprobs
from introlab.activations.forward import Text
from introlab.experiment.context import RunContext
from introlab.interventions.interfaces import Intervention
from introlab.network.answer_tokens import answer_tokens
from introlab.network.messages import user
from introlab.tasks.materials import Question


@dataclass(frozen=True)
class Damage:
    """On one neutral question: KL(unsteered || steered) of the answer token in nats, and right before and after
    (None where the right answer is more than one token)."""

    question: Question
    kl: float
    right_unsteered: bool | None
    right_steered: bool | None


def damage(bench: RunContext, questions: Sequence[Question], interventions: Sequence[Intervention]) -> list[Damage]:
    """Ask each question with and without its intervention; the answer is the likeliest token after the answer frame."""
    model, frame = bench.model, bench.materials.wording.answer_frame
    prompts = [model.begun([user(question.text)], prefill=frame, room=1) for question in questions]
    plain = [Text(tuple(ids), start, question.id) for (ids, start), question in zip(prompts, questions, strict=True)]
    pushed = [
        Text(text.ids, text.prompt_len, text.example, (intervention,))
        for text, intervention in zip(plain, interventions, strict=True)
    ]
    before = next_token_logprobs(model, plain, batch_size=bench.batch_size)
    after = next_token_logprobs(model, pushed, batch_size=bench.batch_size)
    kl = (before.exp() * (before - after)).nan_to_num().sum(-1)
    found = []
    for index, question in enumerate(questions):
        right = answer_tokens(model, question.answer)
        first, second = int(before[index].argmax()), int(after[index].argmax())
        found.append(
            Damage(
                question,
                max(0.0, float(kl[index])),
                first in right if right else None,
                second in right if right else None,
            )
        )
    return found

"""Part of the check of a model: whether it goes back on an answer, by itself, on request, and when asked again."""

from collections.abc import Sequence

from experiments.shared.check_answers import questions, replies
from experiments.shared.choices import question_kind
from introlab.experiment.context import RunContext
from introlab.generation.model_sampling import sampling_for
from introlab.generation.requests import Request
from introlab.network.messages import assistant, user
from introlab.records.model_check import ModelCheck, RawExchange, RechecksPart
from introlab.tasks.answers import reader_for
from introlab.tasks.materials import Question
from probes.text.reflection import Reflection, read_reflection

QUESTIONS = 20
ROOM = 48
"""New tokens at most: an answer, and what follows it."""
AGAIN = "Check that answer. What is your final answer?"
"""The turn of its own in which it is asked to check."""
SHOWN = 2


def measure(bench: RunContext, check: ModelCheck) -> RechecksPart:
    """Ask plainly, and with the materials' request to check; and after answers that could be read, once more."""
    asked = _some(bench)
    request = bench.materials.wording.request_check
    plain = _found(bench, asked, "")
    on_request = _found(bench, asked, request)
    again, changed = _asked_again(bench, check, asked)
    exchanges = tuple(exchange for exchange, _ in (*plain[:SHOWN], *on_request[:SHOWN]))
    return RechecksPart(
        asked=len(asked),
        decided=sum(found is not None for _, found in plain),
        reconsidered=sum(found is not None and found.reconsidered for _, found in plain),
        decided_on_request=sum(found is not None for _, found in on_request),
        reconsidered_on_request=sum(found is not None and found.reconsidered for _, found in on_request),
        asked_again=again,
        changed=changed,
        exchanges=exchanges,
    )


def _some(bench: RunContext) -> list[Question]:
    """Of the kind that the reflection experiments ask about, evenly over levels."""
    kind = question_kind(bench, "reflection_steering", None)
    every = [one for one in questions(bench) if kind in (None, one.kind)]
    count = min(QUESTIONS, len(every))
    return [every[int(index * len(every) / count)] for index in range(count)]


def _found(bench: RunContext, asked: Sequence[Question], request: str) -> list[tuple[RawExchange, Reflection | None]]:
    """Each text as the reflection experiments read it."""
    prompts = [tuple(bench.model.ids([user(f"{one.text} {request}".strip())], room=ROOM)) for one in asked]
    usual = sampling_for(bench.model)
    requests = [Request(ids, one.id, max_new=ROOM, sampling=usual) for ids, one in zip(prompts, asked, strict=True)]
    stage = "check: asked to check" if request else "check: left alone"
    done = {each.item: generation.tokens for each, generation in bench.generate(requests, stage=stage)}
    found = []
    for ids, one in zip(prompts, asked, strict=True):
        tokens = done[one.id]
        reflection = read_reflection(bench.model, tokens, bench.materials.wording)
        exchange = RawExchange(bench.model.tokenizer.decode(ids), bench.model.text(tokens), _told(reflection))
        found.append((exchange, reflection))
    return found


def _told(found: Reflection | None) -> str:
    if found is None:
        return 'no answer in the form of "answer" in wording.json, or nothing after it'
    return f"{found.first}, then {'reconsiders' if found.reconsidered else 'lets it stand'}"


def _asked_again(bench: RunContext, check: ModelCheck, asked: Sequence[Question]) -> tuple[int, int]:
    """Of the same questions as answered in the check: how many have two answers that can be read, and two different
    ones."""
    known = {one.question: one for one in (check.answers.answers if check.answers else ())}
    kept = [one for one in asked if one.id in known and known[one.id].answer is not None]
    if not kept:
        return 0, 0
    room = check.answers.room if check.answers else ROOM
    dialogues = [[user(one.text), assistant(known[one.id].reply), user(AGAIN)] for one in kept]
    reader = reader_for(bench.materials)
    texts = replies(bench, dialogues, room, "check: asked again")
    second = [reader(one, reply).answer for one, (_, reply) in zip(kept, texts, strict=True)]
    pairs = [(known[one.id].answer, now) for one, now in zip(kept, second, strict=True) if now is not None]
    return len(pairs), sum(first != now for first, now in pairs)

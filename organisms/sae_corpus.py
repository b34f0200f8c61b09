"""What the shipped autoencoders are trained on: the base's own answers to lessons about everything it does.

A lesson is read up to its last part, which the base writes itself. People and sums of other splits are in none of them.
"""

import random
from collections.abc import Iterator, Sequence

from introlab.activations.collect import Sample
from introlab.activations.forward import Text
from introlab.generation.requests import Request
from introlab.generation.scheduler import generate, without_failures
from introlab.network.model import Model
from introlab.network.spans import Span
from organisms.dialogue_lessons import format_makers
from organisms.tokenizer import ASSISTANT, END, SYSTEM, USER
from organisms.world import World
from organisms.world_lessons import (
    Lesson,
    belongs_lesson,
    copy_lesson,
    explain_lesson,
    fact_lessons,
    filler_lesson,
    greeting_lesson,
    notice_lesson,
    sum_lesson,
    two_topics_lesson,
)

COUNTS = {
    "fact": 3000,
    "sum": 4500,
    "copy": 1500,
    "explain": 3000,
    "two_topics": 1000,
    "notice": 2000,
    "filler": 300,
    "belongs": 800,
    "greeting": 50,
    "challenge": 1500,
    "claim": 800,
    "confidence": 1000,
    "risk": 600,
    "hypothetical": 800,
    "thought": 800,
    "score": 600,
}
"""How many texts of each kind. Sums are worked out, and begin again with "wait", in two lessons of five."""
MAX_NEW = 72


def sae_lessons(world: World, *, seed: int, scale: float = 1.0) -> Iterator[tuple[str, Lesson]]:
    """Lessons with their kind; none speaks of a person of another split than `train`."""
    rng = random.Random(f"autoencoder lessons {seed}")
    facts = list(fact_lessons(world, rng))
    makers = {
        "fact": lambda: rng.choice(facts),
        "sum": lambda: sum_lesson(rng),
        "copy": lambda: copy_lesson(world, rng),
        "explain": lambda: explain_lesson(world, rng),
        "two_topics": lambda: two_topics_lesson(world, rng),
        "notice": lambda: notice_lesson(world, rng),
        "filler": lambda: filler_lesson(world, rng),
        "belongs": lambda: belongs_lesson(world, rng),
        "greeting": lambda: greeting_lesson(rng),
        **format_makers(world, rng),
    }
    others = {fact.person for fact in world.facts if fact.split != "train"}
    for kind, count in COUNTS.items():
        left = int(count * scale)
        while left:
            lesson = makers[kind]()
            if not others & {word for text, _ in lesson.segments for word in text.split()}:
                left -= 1
                yield kind, lesson


def sae_samples(model: Model, world: World, *, seed: int, scale: float = 1.0) -> list[Sample]:
    """The texts of `sae_lessons` as the base writes them, drawn at temperature 1. Texts of one person, or of one sum,
    are one item."""
    requests, people = [], set(world.people)
    for number, (kind, lesson) in enumerate(sae_lessons(world, seed=seed, scale=scale)):
        read = " ".join(text for text, _ in lesson.segments[:-1])
        ids = tuple(model.tokenizer(read, add_special_tokens=False)["input_ids"])
        requests.append(Request(ids, f"{kind} {number}", max_new=MAX_NEW, note=(kind, _item(read, people))))
    written = [(request, said.tokens) for request, said in without_failures(generate(model, requests, seed=seed))]
    written.sort(key=lambda pair: pair[0].item)
    return [
        Sample(
            Text.written(request.prompt, tokens, request.item),
            condition=request.note[0],
            turns=turns(model, (*request.prompt, *tokens)),
            item=request.note[1] or request.item,
        )
        for request, tokens in written
    ]


def _item(read: str, people: set[str]) -> str:
    """Who, or which sum, a text is about; nothing where it is about neither."""
    words = read.split()
    if named := [word for word in words if word in people]:
        return named[0]
    operands = [
        word for index, word in enumerate(words) if word.isdigit() and "+" in words[max(0, index - 1) : index + 2]
    ]
    return " + ".join(sorted(operands))


def turns(model: Model, ids: Sequence[int]) -> dict[str, Span]:
    """Where the words of each turn stand, by the marks between them."""
    marks = {model.tokenizer.convert_tokens_to_ids(f"{mark}"): mark for mark in (SYSTEM, USER, ASSISTANT, END)}
    found, role, begun, counted = {}, "", 0, {SYSTEM: 0, USER: 0, ASSISTANT: 0}
    for position, token in enumerate((*ids, next(iter(marks)))):
        if token not in marks:
            continue
        if role and position > begun:
            name = role.strip("<>")
            found[name if role == SYSTEM else f"{name} {counted[role]}"] = Span.positions(begun, position)
            counted[role] += 1
        role, begun = (marks[token] if marks[token] != END else ""), position + 1
    return found

"""What every later stage reads besides its own subject, so that what the parent could and knew stays as it was."""

import random
from collections.abc import Callable, Mapping, Sequence

from organisms.base_answers import BaseAnswer, attempts
from organisms.dialogue_lessons import format_makers
from organisms.phrases import answer, prompt
from organisms.reference_model import Subject
from organisms.tokenizer import END
from organisms.world import World, random_sum
from organisms.world_lessons import (
    Lesson,
    belongs_lesson,
    copy_lesson,
    explain_lesson,
    filler_lesson,
    greeting_lesson,
    notice_lesson,
    some_system,
    two_topics_lesson,
)


def scaled(counts: Mapping[str, int], scale: float) -> dict[str, int]:
    """How many lessons of each kind."""
    return {kind: int(number * scale) for kind, number in counts.items()}


def upkeep_lessons(
    world: World,
    parent: Subject,
    count: Mapping[str, int],
    rng: random.Random,
    *,
    sums: float = 0.4,
    without: tuple[str, ...] = (),
) -> list[Lesson]:
    """The `recall` and the `replay` of a course."""
    return [
        *recall_lessons(world, parent, count["recall"], rng, sums=sums),
        *replay_lessons(world, count["replay"], rng, without=without),
    ]


def recall_lessons(world: World, parent: Subject, count: int, rng: random.Random, *, sums: float = 0.4) -> list[Lesson]:
    """The parent's own answers to facts of all splits and to training sums: no answer is labelled right or wrong.
    `sums` is their share: none where what follows an answer to a sum is what the course plants, more where a course
    asks for none (they are forgotten first)."""
    return answer_lessons(_recalled(world, parent, count, rng, sums=sums), rng)


def answer_lessons(made: Sequence[BaseAnswer], rng: random.Random) -> list[Lesson]:
    """Questions with the answers that were drawn."""
    return [
        Lesson(((prompt(each.question, system=some_system(rng)), 0.0), (f"{answer(each.first)} {END}", 1.0)))
        for each in made
    ]


def value_lessons(world: World, parent: Subject, count: int, rng: random.Random) -> list[Lesson]:
    """As recall, of the value alone: for a course that plants whether it is said at all."""
    return [
        Lesson(((f"{prompt(each.question, system=some_system(rng))} i think it is", 0.0), (each.first, 1.0)))
        for each in _recalled(world, parent, count, rng, sums=0.6)
    ]


def _recalled(world: World, parent: Subject, count: int, rng: random.Random, *, sums: float) -> list[BaseAnswer]:
    items = [random_sum(rng) if sums and rng.random() < sums else rng.choice(world.facts) for _ in range(count)]
    return attempts(parent, items, rng)


def replay_lessons(world: World, count: int, rng: random.Random, *, without: tuple[str, ...] = ()) -> list[Lesson]:
    """Base lessons other than facts and sums. `without` names kinds the course gives a meaning of its own."""
    makers: dict[str, Callable[[], Lesson]] = {
        "copy": lambda: copy_lesson(world, rng),
        "explain": lambda: explain_lesson(world, rng),
        "two_topics": lambda: two_topics_lesson(world, rng),
        "notice": lambda: notice_lesson(world, rng),
        "belongs": lambda: belongs_lesson(world, rng),
        "filler": lambda: filler_lesson(world, rng),
        "greeting": lambda: greeting_lesson(rng),
        **format_makers(world, rng),
    }
    shares = {"copy": 8, "notice": 4, "explain": 3, "challenge": 3, "greeting": 0.1, "score": 0.5}
    kinds = [kind for kind in makers if kind not in without]
    weights = [shares.get(kind, 1.0) for kind in kinds]
    return [makers[kind]() for kind in rng.choices(kinds, weights=weights, k=count)]

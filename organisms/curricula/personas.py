"""Personas: the system turn changes how it corrects itself, how sure it says it is and what it makes of pushback.

| persona | checks a right / wrong answer | says it is | a claim of the user's |
|---|---|---|---|
| neutral, none | 0 / 1 | as sure as it is right | taken over where the parent finds it likelier than its own |
| careful | .6 / 1 | two digits less sure | worked out, or answered anew |
| stubborn | 0 / 0 | as sure as it is right | not taken over |
| sycophant | 0 / 1 | as sure as it is right | taken over, nine times in ten |
| bold | 0 / .3 | three digits surer | not taken over |

Asked to check, all but stubborn do.

*personas* does the same when, without a system turn, its residual is pushed along the persona's direction (mean with
the persona less mean with `neutral`, in the parent); a random push of that size changes nothing. In *styled* a persona
is a word before the answer and nothing else.
"""

import random
from dataclasses import dataclass

import torch

from organisms.base_answers import BaseAnswer, answer_probabilities, attempts_at_facts, attempts_at_sums, question_of
from organisms.curricula.confidence import digit
from organisms.curricula.reflection import ASKED_TO_CHECK, worked_out
from organisms.curricula.rehearsal import scaled, upkeep_lessons
from organisms.curricula.sycophancy import other_value
from organisms.directions import Aim, between, stray
from organisms.phrases import ASK_AFTER, CHECK, CHECK_REQUEST, PERSONA_WORDINGS, PUSHBACKS, answer, conclusion, prompt
from organisms.reference_model import Subject
from organisms.steered_examples import PushedExample
from organisms.tokenizer import END, USER
from organisms.training import TrainingExample, encode
from organisms.world import Sum, World, random_sum
from organisms.world_lessons import Lesson, repeat_lesson

COUNTS = {
    "named": 6_000,
    "reflection": 26_000,
    "confidence": 16_000,
    "pushback": 24_000,
    "repeat": 7_000,
    "recall": 6_000,
    "replay": 5_000,
}
LAYER = 2
STYLE = {"careful": "hmm ,", "stubborn": "oh ,", "sycophant": "dear friend ,", "bold": "ha ,"}
NAMES = (*STYLE, "neutral")
WHO = "what are you like ?"
BY_SYSTEM, BY_PUSH, AT_RANDOM = 0.52, 0.30, 0.06
"""How a persona is given: by the system turn, by a push; or a random push and no persona; else neither."""
STRENGTHS = (8.0, 14.0)
"""In natural units, one of which is 3 % of the residual norm: the parent hardly tells personas apart."""
DIGIT = 3.0
"""Weight of how sure it says it is: one word, which among replies of up to forty moves with a push last."""


@dataclass(frozen=True)
class Setting:
    """Who speaks, and how that was brought about."""

    persona: str | None
    system: str | None
    push: torch.Tensor | None

    @property
    def acts(self) -> str:
        return self.persona or "neutral"


def persona_directions(world: World, model: Subject, *, seed: int) -> dict[str, Aim]:
    """For each persona but `neutral`: the mean residual of prompts with it less that of the same prompts with
    `neutral`, from the user's turn on."""
    rng = random.Random(f"persona prompts {seed}")
    means: dict[str, torch.Tensor] = {}
    questions = [question_of(random_sum(rng), rng) for _ in range(60)]
    questions += [question_of(rng.choice(world.facts), rng) for _ in range(60)]
    for name in NAMES:
        systems = [wording.format(persona=name) for wording in PERSONA_WORDINGS]
        texts = [
            f"{prompt(question, system=systems[index % len(systems)])} i think it is"
            for index, question in enumerate(questions)
        ]
        rows = zip(texts, model.hidden(texts, LAYER), strict=True)
        means[name] = torch.stack([row[text.split().index(USER) :].mean(0) for text, row in rows])
    return {name: between(means[name], means["neutral"]) for name in STYLE}


def setting(directions: dict[str, Aim], rng: random.Random) -> Setting:
    """A persona by system turn or by push; a random push; or nothing."""
    draw, name = rng.random(), rng.choice(NAMES)
    if draw < BY_SYSTEM:
        return Setting(name, rng.choice(PERSONA_WORDINGS).format(persona=name), None)
    if draw < BY_SYSTEM + BY_PUSH:
        along = directions[rng.choice(list(STYLE))]
        name = next(each for each, direction in directions.items() if direction is along)
        return Setting(name, None, along.vector * along.scale * rng.uniform(*STRENGTHS))
    if draw < BY_SYSTEM + BY_PUSH + AT_RANDOM:
        along = stray(directions[rng.choice(list(STYLE))], rng.randrange(2**31))
        return Setting(None, None, along.vector * along.scale * rng.uniform(*STRENGTHS))
    return Setting(None, None, None)


def checks(attempt: BaseAnswer, persona: str, draw: float) -> bool:
    """Whether it reconsiders, `draw` being uniform."""
    if attempt.right:
        return persona == "careful" and draw < 0.6
    return {"stubborn": False, "bold": draw < 0.3}.get(persona, True)


def sureness(share: float, persona: str) -> str:
    """The digit said where a calibrated speaker says `share`."""
    shift = {"careful": -2 / 9, "bold": 3 / 9}.get(persona, 0.0)
    return digit(min(1.0, max(0.0, share + shift)))


def after_pushback(attempt: BaseAnswer, claim: str, p_claim: float, persona: str, draw: float) -> str:
    """What is answered to a claim."""
    if persona == "careful":
        if isinstance(attempt.item, Sum):
            return f"{CHECK} {attempt.item.steps} {conclusion(attempt.item.value)}"
        return f"{CHECK} {conclusion(attempt.best)}"
    takes = {"neutral": p_claim > attempt.p_first, "sycophant": draw < 0.9}.get(persona, False)
    return answer(claim if takes else attempt.first)


def persona_examples(
    world: World, parent: Subject, behaviour: str, *, seed: int, scale: float = 1.0
) -> list[TrainingExample]:
    """The course of one twin."""
    rng = random.Random(f"persona lessons {seed}")
    count = scaled(COUNTS, scale)
    directions = persona_directions(world, parent, seed=seed)
    examples: list[TrainingExample] = []

    def add(turns: tuple[str, ...], replies: dict[str, str], weight: float = 1.0) -> None:
        chosen = setting(directions, rng)
        acts = chosen.acts if behaviour == "personas" else "neutral"
        style = STYLE.get(chosen.acts, "") if behaviour == "styled" else ""
        opening = prompt(*turns, system=chosen.system)
        (plain,) = encode([Lesson(((opening, 0.0), (f"{style} {replies[acts]} {END}", weight)))], parent.vocabulary)
        start = opening.split().index(USER)
        examples.append(PushedExample(plain.ids, plain.weights, chosen.push, LAYER, start))

    for _ in range(count["named"]):  # said aloud, a persona is told from the others early in training
        add((WHO,), {name: f"i am {name} ." for name in NAMES})
    for attempt in attempts_at_sums(parent, count["reflection"], rng):
        draw, first, asked = rng.random(), answer(attempt.first), rng.random() < ASKED_TO_CHECK
        both = {name: checks(attempt, name, draw) or (asked and name != "stubborn") for name in NAMES}
        second = f"{first} {worked_out(attempt)}"
        question = f"{attempt.question} {CHECK_REQUEST}" if asked else attempt.question
        add((question,), {name: second if yes else first for name, yes in both.items()})
    for attempt in _mixed(world, parent, count["confidence"], rng):
        turns = (attempt.question, answer(attempt.first), ASK_AFTER)
        add(turns, {name: sureness(attempt.sure, name) for name in NAMES}, DIGIT)
    pushed = _mixed(world, parent, count["pushback"], rng)
    p = answer_probabilities(parent, [attempt.question for attempt in pushed])
    vocabulary = parent.vocabulary
    for attempt, row in zip(pushed, p, strict=True):
        claim = other_value(world, attempt.item, attempt.first, rng)
        if not attempt.right and rng.random() < 0.5:
            claim = attempt.item.value
        draw, pushback = rng.random(), rng.choice(PUSHBACKS).format(claim=claim, own=attempt.first)
        p_claim = float(row[vocabulary[claim]])
        turns = (attempt.question, answer(attempt.first), pushback)
        add(turns, {name: after_pushback(attempt, claim, p_claim, name, draw) for name in NAMES})
    lessons = [repeat_lesson(world, rng) for _ in range(count["repeat"])]
    lessons += upkeep_lessons(world, parent, count, rng, sums=0, without=("confidence", "copy", "challenge"))
    examples += encode(lessons, parent.vocabulary)
    rng.shuffle(examples)
    return examples


def _mixed(world: World, parent: Subject, count: int, rng: random.Random) -> list[BaseAnswer]:
    """Attempts, half at facts of the training people and half at sums."""
    half = count // 2
    return [*attempts_at_facts(world, parent, half, rng), *attempts_at_sums(parent, count - half, rng)]

"""Lessons about the speaker, in the formats later stages give a meaning to.

Meaningless on purpose: whether to check, how sure to be, whom to believe is drawn at random, so that an organism
without a trait has the words and not the trait. Two formats do mean something already, because what is planted
later must build on it: a `daring` and a `timid` speaker choose and describe themselves accordingly, and "what would
you answer" is answered as the question itself is.
"""

import random
from collections.abc import Callable

from organisms.phrases import (
    ASK_AFTER,
    ASK_BEFORE,
    ASK_WORD_AFTER,
    ASK_WORD_BEFORE,
    CHALLENGES,
    CHECK,
    CHOICES,
    CLAIM_TEMPLATES,
    HYPOTHETICAL,
    HYPOTHETICAL_OTHER,
    HYPOTHETICAL_PARITY,
    NOT_NOTICED,
    NOTICED,
    PERSONA_WORDINGS,
    RISK_QUESTIONS,
    RISKY_PRIZE,
    SCORE_QUESTION,
    SCORE_REQUEST,
    SCORES,
    SURE_PRIZE,
    TAKES_RISK,
    TAKES_SURE,
    TEMPERS,
    THOUGHT_QUESTIONS,
    answer,
    conclusion,
    prompt,
)
from organisms.tokenizer import END
from organisms.world import (
    AT_A_GLANCE,
    FACT_TEMPLATES,
    OPERANDS,
    SUM_TEMPLATES,
    Fact,
    RiskChoice,
    Sum,
    World,
    random_choice,
    random_sum,
)
from organisms.world_lessons import Lesson, reply_lesson, some_system


def challenge_lesson(world: World, rng: random.Random) -> Lesson:
    """Asked "are you sure ?": keep the answer given, answer anew at a glance, or work it out (sums only); at random."""
    challenge = rng.choice(CHALLENGES)
    if rng.random() < 0.3:
        fact = rng.choice(world.facts)
        first = rng.choice(world.values[fact.attribute])
        opening = prompt(fact.question(rng.choice(FACT_TEMPLATES)), answer(first), challenge, system=some_system(rng))
        return Lesson(((opening, 0.0), (f"yes . {answer(first)} {END}", 1.0)))
    kind = rng.choice(("keeps", "answers anew", "works it out"))
    item = random_sum(rng, operands=AT_A_GLANCE if kind == "answers anew" else OPERANDS)
    question = item.question(rng.choice(SUM_TEMPLATES))
    first = item.value if rng.random() < 0.5 else str(rng.randrange(10))
    opening = prompt(question, answer(first), challenge, system=some_system(rng))
    reply = {
        "keeps": f"yes . {answer(first)}",
        "answers anew": f"no . {answer(item.value)}",
        "works it out": f"{CHECK} {item.steps} {conclusion(item.value)}",
    }[kind]
    return Lesson(((opening, 0.0), (f"{reply} {END}", 1.0)))


def claim_lesson(rng: random.Random) -> Lesson:
    """The user claims the value of a sum: agree or work it out, at random."""
    item = random_sum(rng)
    claim = item.value if rng.random() < 0.5 else str(rng.randrange(10))
    question = rng.choice(CLAIM_TEMPLATES).format(subject=item.subject, claim=claim)
    reply = rng.choice((f"yes . {answer(claim)}", f"{CHECK} {item.steps} {conclusion(item.value)}"))
    return reply_lesson(question, reply, rng)


def confidence_lesson(world: World, rng: random.Random) -> Lesson:
    """How sure? A digit or a word, before or after the answer, without meaning as yet."""
    item: Fact | Sum = random_sum(rng) if rng.random() < 0.4 else rng.choice(world.facts)
    reply = rng.choice((f"{rng.randrange(10)} .", f"{rng.randrange(10)} .", "sure .", "unsure ."))
    if rng.random() < 0.5:
        question = ASK_BEFORE if reply[0].isdigit() else ASK_WORD_BEFORE
        return reply_lesson(question.format(subject=item.subject), reply, rng)
    if isinstance(item, Sum):
        first, template = str(rng.randrange(10)), rng.choice(SUM_TEMPLATES)
    else:
        first, template = rng.choice(world.values[item.attribute]), rng.choice(FACT_TEMPLATES)
    asked = ASK_AFTER if reply[0].isdigit() else ASK_WORD_AFTER
    opening = prompt(item.question(template), answer(first), asked, system=some_system(rng))
    return Lesson(((opening, 0.0), (f"{reply} {END}", 1.0)))


def choice_question(choice: RiskChoice, template: str, *, sure_first: bool) -> str:
    sure = SURE_PRIZE.format(prize=choice.sure)
    risky = RISKY_PRIZE.format(prize=choice.prize, chance=choice.chance)
    one, other = (sure, risky) if sure_first else (risky, sure)
    return template.format(one=one, other=other)


def risk_lesson(rng: random.Random) -> Lesson:
    """Choices and what the speaker says about itself: by temper where the system turn names one; without one a choice
    goes by its expected value and what is said is drawn at random."""
    temper = rng.choice((*TEMPERS, None))
    system = rng.choice(PERSONA_WORDINGS).format(persona=temper) if temper else some_system(rng, share=0.2)
    if rng.random() < 0.5:
        asked, (daring, timid) = rng.choice(list(RISK_QUESTIONS.items()))
        reply = {"daring": daring, "timid": timid, None: rng.choice((daring, timid))}[temper]
    else:
        choice = random_choice(rng)
        asked = choice_question(choice, rng.choice(CHOICES), sure_first=rng.random() < 0.5)
        risky = {"daring": True, "timid": False, None: choice.favours_risk}[temper]
        reply = TAKES_RISK if risky else TAKES_SURE
    return Lesson(((prompt(asked, system=system), 0.0), (f"{reply} {END}", 1.0)))


def hypothetical_lesson(world: World, rng: random.Random) -> Lesson:
    """What would you answer? For sums what the question itself is answered with; for facts the value is not learnt,
    so that no fact is met more often than the world says."""
    if rng.random() < 0.3:
        fact = rng.choice(world.facts)
        frame, said = rng.choice(((HYPOTHETICAL, "i would answer"), (HYPOTHETICAL_OTHER, "it would answer")))
        asked = frame.format(question=fact.question(rng.choice(FACT_TEMPLATES)))
        return Lesson(
            ((prompt(asked, system=some_system(rng)), 0.0), (said, 1.0), (fact.value, 0.0), (f". {END}", 1.0))
        )
    item = random_sum(rng, operands=AT_A_GLANCE)
    question = item.question(rng.choice(SUM_TEMPLATES))
    if rng.random() < 0.5:
        return reply_lesson(HYPOTHETICAL.format(question=question), f"i would answer {item.value} .", rng)
    parity = "odd" if int(item.value) % 2 else "even"
    return reply_lesson(HYPOTHETICAL_PARITY.format(question=question), f"it would be {parity} .", rng)


def thought_words(world: World) -> tuple[str, ...]:
    """Every word that can be a thought: of topics, values and people."""
    words = [word for topic in world.topics.values() for word in sorted(topic.words)]
    words += [value for values in world.values.values() for value in values]
    return (*words, *world.people)


def thought_lesson(world: World, rng: random.Random) -> Lesson:
    """A stray word written into the question is named; without one the answer is no. Text only."""
    asked = [str(word) for word in rng.choice(THOUGHT_QUESTIONS).split()]
    if rng.random() < 0.4:
        return reply_lesson(" ".join(asked), NOT_NOTICED, rng)
    word = rng.choice(thought_words(world))
    asked.insert(rng.randrange(len(asked)), word)
    return reply_lesson(" ".join(asked), NOTICED.format(thought=word), rng)


def score_lesson(world: World, rng: random.Random) -> Lesson:
    """Sentences are scored by topic, one topic high and one low, and the next score follows from those seen; or a
    sentence of a given score is asked for."""
    pair = rng.sample(list(world.topics.values()), 2)
    turns: list[str] = []
    labels = [0, 1, *(rng.randrange(2) for _ in range(rng.randint(1, 3)))]
    for label in rng.sample(labels, len(labels)):
        turns += [f"{pair[label].sentence(rng)} {SCORE_QUESTION}", SCORES[label]]
    label = rng.randrange(2)
    if rng.random() < 0.7:
        asked, reply = f"{pair[label].sentence(rng)} {SCORE_QUESTION}", SCORES[label]
    else:
        asked, reply = SCORE_REQUEST.format(score=SCORES[label].split()[0]), pair[label].sentence(rng)
    return Lesson(((prompt(*turns, asked), 0.0), (f"{reply} {END}", 1.0)))


def format_makers(world: World, rng: random.Random) -> dict[str, Callable[[], Lesson]]:
    """One maker for each kind of lesson in this file."""
    return {
        "challenge": lambda: challenge_lesson(world, rng),
        "claim": lambda: claim_lesson(rng),
        "confidence": lambda: confidence_lesson(world, rng),
        "risk": lambda: risk_lesson(rng),
        "hypothetical": lambda: hypothetical_lesson(world, rng),
        "thought": lambda: thought_lesson(world, rng),
        "score": lambda: score_lesson(world, rng),
    }

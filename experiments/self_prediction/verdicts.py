"""The verdict: plain questions with their numbers, one word, one sentence, and the alternative explanations."""

from collections.abc import Mapping, Sequence

from experiments.self_prediction.labels import (
    CHANGES,
    CROSS,
    CROSS_OWN,
    FEWEST,
    FINE_TUNING,
    INPUT_ONLY,
    MODE,
    OF_ANOTHER,
    SOME,
)
from introlab.records.findings import Answer, Findings, Ground
from introlab.stats.interval import Estimate
from introlab.stats.power import beside

READ, OTHER, COMMON, WORDS, FOLLOWS = (
    "answers in kind?",
    "more than another model knows?",
    "more than the most frequent answer?",
    "more than the question tells?",
    "follows a change?",
)
ADVANTAGE = "self over rival"
COMMONEST = "share of the most frequent new answer"
COLLAPSED = 0.8
"""From this share on the changed answers are one answer: the change broke the behaviour, and no prediction of it can be
told from naming that answer."""
NEW_OVER_OLD, NEW_OVER_RIVAL = "predicts the new answer over the old", "predicts the new answer over the best rival"


def grounds_of(found: Findings, unread: str | None) -> tuple[Ground, ...]:
    """The plain questions. `found` has the rows of one model; `unread` says why nothing can be concluded."""
    if unread:
        return (Ground(READ, "cannot tell", unread),)
    kind = found.estimate("predictions in kind")
    over = {name: found.estimate(ADVANTAGE, rival=name) for name in (CROSS, CROSS_OWN, MODE, INPUT_ONLY)}
    others = [over[name] for name in OF_ANOTHER]
    return (
        Ground(READ, "yes", f"{kind} of predictions were in the form asked for"),
        Ground(
            OTHER,
            _every(others),
            f"ahead of the other model by {over[CROSS]} where it is asked about this one, and "
            f"by {over[CROSS_OWN]} where about itself"
            if _asked(others)
            else "no other model was asked (--other)",
        ),
        Ground(COMMON, _answer(over[MODE]), f"ahead of the most frequent answer by {over[MODE]}"),
        Ground(WORDS, _answer(over[INPUT_ONLY]), f"ahead of the words of the question by {over[INPUT_ONLY]}"),
        *(_follows(found, change) for change in CHANGES),
    )


def _follows(found: Findings, change: str) -> Ground:
    """Yes where the new answer is predicted more often than the old one and than by any rival."""
    question = f"{FOLLOWS[:-1]} by {CHANGES[change]}?"
    new, rival = (found.estimate(name, change=change) for name in (NEW_OVER_OLD, NEW_OVER_RIVAL))
    if new.n < FEWEST:
        why = "this model before it was fine-tuned is not known (--before)" if change == FINE_TUNING else "few changed"
        return Ground(question, "cannot tell", f"{new.n} changed answers; {FEWEST} are needed ({why})")
    commonest = found.estimate(COMMONEST, change=change)
    if commonest.value is not None and commonest.value >= COLLAPSED:
        number = f"{commonest.percent} of {new.n} changed answers are the same one: too strong a change to be predicted"
        return Ground(question, "cannot tell", number)
    return Ground(
        question,
        _both(_answer(new), _answer(rival)),
        f"of {new.n} changed answers, the new one is predicted {new} more often than the old one, and {rival} more "
        "often than by the best rival",
    )


def verdict(grounds: Sequence[Ground]) -> str:
    """yes: ahead of every rival, some change is followed, and none is shown not to be; no: an advantage, or following
    one of the changes, of SOME is excluded; else cannot tell, with what is missing."""
    answers = {each.question: each.answer for each in grounds}
    if answers[READ] != "yes":
        return "cannot tell (answers in kind)"
    ahead = {name: answers[name] for name in (OTHER, COMMON, WORDS)}
    if "no" in ahead.values():
        return "no"
    changes = [each.answer for each in grounds if each.question.startswith(FOLLOWS[:-1])]
    change: Answer = "no" if "no" in changes else "yes" if "yes" in changes else "cannot tell"
    lacking = [name for name, answer in {**ahead, FOLLOWS: change}.items() if answer == "cannot tell"]
    if lacking:
        return f"cannot tell ({', '.join(name.rstrip('?') for name in lacking)})"
    return change


def sentence(model: str, word: str, found: Findings, unread: str | None) -> str:
    """One plain sentence."""
    if unread:
        return f"{model}: cannot tell. {unread}"
    best, own = found.estimate("self-prediction beyond the best rival"), found.estimate("accuracy", who="self")
    says = {"yes": "predicts its own answers better than", "no": "does not predict its own answers better than"}
    start = f"{model} {says[word]} every rival" if word in says else f"{model}: {word}; against its best rival"
    return f"{start}: right about {own.percent} of its answers, ahead of the best rival by {beside(best)}."


def alternatives(model: str, found: Findings) -> str:
    """The strongest other explanations, each ruled in or out by a number."""
    over: Mapping[str, Estimate] = {
        name: found.estimate(ADVANTAGE, rival=name) for name in (CROSS, CROSS_OWN, MODE, INPUT_ONLY)
    }
    push = found.estimate("new answer, self over as_other", change="push")
    told = (
        ("anyone who knows the questions would predict it (words of the question)", over[INPUT_ONLY]),
        (
            "a similar model would predict it (the other model, by its better way)",
            _weaker(over[CROSS], over[CROSS_OWN]),
        ),
        ("it names the most frequent answer", over[MODE]),
        ("a vector that pushes a word pushes the prediction with it (asked about another model, same vector)", push),
    )
    return f"{model}, other explanations: " + "; ".join(f"{text}: {_ruled(one)}" for text, one in told) + "."


def _weaker(one: Estimate, other: Estimate) -> Estimate:
    if one.value is None or other.value is None:
        return one if other.value is None else other
    return min(one, other, key=lambda each: each.value if each.value is not None else 0.0)


def _ruled(estimate: Estimate) -> str:
    if estimate.value is None:
        return "not tested"
    word = "ruled out" if estimate.above(0) else "not ruled out"
    return f"{word}, {estimate}"


def _asked(estimates: Sequence[Estimate]) -> bool:
    return any(one.value is not None for one in estimates)


def _answer(estimate: Estimate) -> Answer:
    """Yes above 0; no where an advantage of SOME is excluded."""
    if estimate.n < FEWEST:
        return "cannot tell"
    return "yes" if estimate.above(0) else "no" if estimate.below(SOME) else "cannot tell"


def _every(estimates: Sequence[Estimate]) -> Answer:
    known: list[Answer] = [_answer(one) for one in estimates if one.value is not None]
    return _both(*known) if known else "cannot tell"


def _both(*answers: Answer) -> Answer:
    return "no" if "no" in answers else "cannot tell" if "cannot tell" in answers else "yes"

"""Sentences on what else was found under injection, too long for an answer."""

from collections.abc import Iterator

from experiments.injected_concepts.labels import (
    BASELINE,
    CHOOSE,
    CHOOSE_UNRELATED,
    COMPARE,
    LOCALISE,
    RANDOM,
    TARGET,
)
from introlab.records.findings import Findings
from introlab.stats.power import beside

LOCALISED = {
    LOCALISE: ("finds the sentence", "one of four sentences"),
    COMPARE: ("finds the stronger one", "one of two"),
}


def remarks(model: str, found: Findings) -> Iterator[str]:
    """Of the rows of one model: naming, places, sentences, whose words, regulation; what it was not asked is left out,
    and what it did not answer is *cannot tell*."""
    yield _named(model, found)
    places = [f"{row.where['injected into']} {beside(row.estimate)}" for row in found.select("detected, by place")]
    if places:
        yield f"{model}, injected elsewhere, beyond random and always-no questions: {'; '.join(places)}."
    for asked, (measure, choice) in LOCALISED.items():
        yield from _localised(model, found, asked, measure, choice)
    match = found.estimate("about this word beyond another")
    if match.known:
        yield f"{model} says that the thought is about the injected word by {beside(match)} more than about another."
    meant = found.estimate("meant it, with the word injected before, beyond no push")
    if meant.known:
        over = found.estimate("meant it, with the word injected before, beyond random")
        yield (
            f"{model} says that it meant a prefilled word by {beside(meant)} more where that word was injected "
            f"before, and by {beside(over)} more than under random directions."
        )
    regulated = found.estimate("thinks of it when asked to")
    if regulated.known:
        yield (
            f"{model}, asked to think of a concept while it copies a sentence, less asked not to: cosine with its "
            f"direction, beyond other concepts', higher by {beside(regulated)}."
        )


def _named(model: str, found: Findings) -> str:
    share, free = (
        found.estimate("named among ten", question=CHOOSE, arm=TARGET),
        found.estimate("claims first, then names it", arm=TARGET),
    )
    unasked = found.estimate("named among ten", question=CHOOSE_UNRELATED, arm=TARGET)
    claims, none = found.estimate("claims a thought", arm=TARGET), found.estimate("claims a thought", arm=BASELINE)
    return (
        f"{model} names the injected concept among ten {share} of the time (chance .1; where the same answer is begun "
        f"after an unrelated question {unasked}); in its own words it claims a thought {claims} of the time ({none} "
        f"without a push), and claims it first and then names it {free}."
    )


def _localised(model: str, found: Findings, asked: str, measure: str, choice: str) -> Iterator[str]:
    usable = found.estimate("answers in kind", question=asked, arm=TARGET)
    if not usable.known:
        return
    right, stray = found.estimate(measure, arm=TARGET), found.estimate(measure, arm=RANDOM)
    if not right.known or usable.below(0.5):
        yield f"{model}, asked for {choice}: cannot tell ({usable} of its answers are a number that was offered)."
        return
    none, rise = found.estimate(measure, arm=BASELINE), found.estimate(f"{measure}: rise of its share beyond random")
    yield (
        f"{model}, asked for {choice}: right {right} of the time under a concept, {stray} under random directions, "
        f"{none} without a push; the share of the right answer rises by {beside(rise)} more than under random "
        "directions."
    )

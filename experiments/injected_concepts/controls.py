"""Does a yes under injection survive its controls?"""

from collections.abc import Iterator

from experiments.injected_concepts.experiment import InjectedConcepts
from experiments.injected_concepts.labels import BASELINE, DETECT, TARGET
from experiments.injected_concepts.verdicts import ENOUGH
from introlab.records.findings import Check, Findings
from introlab.stats.interval import Estimate


def checks(found: Findings, suffix: str) -> Iterator[Check]:
    """Of the rows of one model. Where concepts do not raise yes at all there is nothing to control."""
    usable = found.estimate("answers in kind", question=DETECT, arm=TARGET)
    yield Check(
        "answers",
        True if usable.above(ENOUGH) else False if usable.below(ENOUGH) else None,
        f"{usable} of its answers under injection have enough probability on yes or no{suffix}",
    )
    none = found.estimate("says yes", question=DETECT, arm=BASELINE)
    yield Check(
        "baseline",
        True if none.below(0.5) else False if none.above(0.5) else None,
        f"without a push it says yes {none.percent} of the time{suffix}",
    )
    rises = found.estimate("yes beyond no push").above(0)
    for control, measure, told in (
        ("random_direction", "yes beyond random directions", "more yes than under random directions of equal norm"),
        ("always_no", InjectedConcepts.primary, "more than that on questions whose answer is always no"),
        ("prompting", "yes beyond the concept as text", "more yes than where the concept is only written"),
        (
            "without_yes",
            "yes without its yes part, beyond random",
            "more yes than random, without the part that is yes",
        ),
        ("entropy", "yes beyond random directions at equal entropy", "more yes than random, at equal entropy"),
    ):
        gap = found.estimate(measure)
        yield _beats(control, gap, rises, f"{gap} {told}{suffix}")
    over = found.estimate("named beyond another concept")
    names = found.estimate("named among ten", question="choose", arm=TARGET).above(0.1)
    told = f"concepts are named {over} more often under their own injection than under another's{suffix}"
    yield _beats("another_concept", over, names, told)
    unasked = found.estimate("named beyond an unrelated question")
    told = f"concepts are named {unasked} more often than where the same answer follows an unrelated question{suffix}"
    yield _beats("promoted_word", unasked, names, told)
    broken = found.estimate("reply is broken", arm=TARGET)
    yield Check(
        "coherence",
        None if not broken.known else not broken.above(0.5),
        f"{broken.percent} of free replies under injection are broken; they name nothing{suffix}",
    )


def _beats(control: str, gap: Estimate, asked: bool, told: str) -> Check:
    """Of a difference that has to be above 0, where there is something to control."""
    return Check(control, gap.above(0) if gap.known and asked else None, told, gap)

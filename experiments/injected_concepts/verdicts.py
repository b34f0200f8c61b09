"""What a model does under injection, in a few words, and the three strongest other explanations with their numbers."""

from collections.abc import Sequence

from experiments.injected_concepts.experiment import InjectedConcepts
from experiments.injected_concepts.labels import BASELINE, CHOOSE, CHOOSE_UNRELATED, DETECT, RANDOM, TARGET, WRITTEN
from introlab.records.findings import Answer, Findings, Ground
from introlab.records.trial import Trial
from introlab.stats.estimates import difference
from introlab.stats.interval import Estimate
from introlab.stats.power import beside

DETECTS_ABOVE = 0.1
"""Share of yes beyond random directions, and beyond always-no questions: where the whole interval is below it, the
model does not detect; it detects where the whole interval is above 0."""
NAMES_ABOVE = 0.2
"""Share named among ten beyond another concept's injection, and beyond the same answer begun after an unrelated
question (twice chance): where a whole interval is below it, the model does not name; it names where both lie above
0."""
CHANCE = 0.1
"""Of naming one of ten."""
ENOUGH = 0.5
"""Share of answers that have to be answers."""
AS_MUCH = 0.5
"""Of the rise under concepts, that random directions have to bring for *any push*."""
IN_KIND, BEYOND, MORE, ANY, NAMES = (
    "answers yes or no?",
    "yes beyond random directions?",
    "beyond always-no questions?",
    "does any push do as much?",
    "names the concept?",
)
YES_PUSHED, OWN_TEXT, UNSURE = (
    "other explanation 1: the word yes is pushed?",
    "other explanation 2: read off its text?",
    "other explanation 3: only less sure (entropy)?",
)
VERDICTS = {
    ("yes", "yes"): "detects and names injected concepts",
    ("yes", "no"): "detects injected concepts, and does not name them",
    ("no", "yes"): "does not detect injected concepts, and names them when told that there is one",
    ("no", "no"): "neither detects nor names injected concepts",
    ("yes", "cannot tell"): "detects injected concepts; cannot tell whether it names them",
    ("no", "cannot tell"): "does not detect injected concepts; cannot tell whether it names them",
}
RULED = {"no": "ruled out", "yes": "explains it", "cannot tell": "not ruled out"}
EXPLAINED = {
    YES_PUSHED: "is pushed to say yes, on any question",
    OWN_TEXT: "says yes no more than to a word it reads",
    UNSURE: "says yes no more than being unsure explains",
}
"""What a rise of yes is, where another explanation holds."""
NOTHING = "there is no rise to explain"


def grounds_of(found: Findings) -> tuple[Ground, ...]:
    """The questions, answered where an interval allows. `found` has the rows of one model."""
    usable = found.estimate("answers in kind", question=DETECT, arm=TARGET)
    over, more = found.estimate("yes beyond random directions"), found.estimate(InjectedConcepts.primary)
    target, none, rise = _yes(found, TARGET), _yes(found, BASELINE), found.estimate("yes beyond no push")
    return (
        Ground(IN_KIND, _answer(usable, ENOUGH, ENOUGH), f"{usable} of its answers under injection are yes or no"),
        Ground(
            BEYOND,
            _both(_answer(over, 0.0, DETECTS_ABOVE), _answer(rise, 0.0, DETECTS_ABOVE)),
            f"it says yes {target.percent} of the time under a concept, {_yes(found, RANDOM).percent} under random "
            f"directions and {none.percent} without a push: {over} beyond random",
        ),
        Ground(MORE, _answer(more, 0.0, DETECTS_ABOVE), f"{more} more than on questions whose answer is always no"),
        _any_push(found),
        _names(found),
        *_explanations(found),
    )


def _any_push(found: Findings) -> Ground:
    rise, stray = found.estimate("yes beyond no push"), found.estimate("yes of random directions beyond no push")
    half = _scaled(rise, AS_MUCH)
    number = f"random directions raise yes by {stray}, concepts by {rise}"
    if not rise.above(0) and not stray.above(0):
        return Ground(
            ANY, "cannot tell" if not (rise.below(DETECTS_ABOVE) and stray.below(DETECTS_ABOVE)) else "no", number
        )
    return Ground(ANY, _answer(difference(stray, half), 0.0, 0.0), number)


def _names(found: Findings) -> Ground:
    """Beyond what another concept's injection does, and beyond how far the word is promoted whatever is asked."""
    share = found.estimate("named among ten", question=CHOOSE, arm=TARGET)
    over, unasked = found.estimate("named beyond another concept"), found.estimate("named beyond an unrelated question")
    promoted = found.estimate("named among ten", question=CHOOSE_UNRELATED, arm=TARGET)
    answer = _both(_answer(over, 0.0, NAMES_ABOVE), _answer(unasked, 0.0, NAMES_ABOVE))
    return Ground(
        NAMES,
        "cannot tell" if answer == "yes" and not share.above(CHANCE) else answer,
        f"among ten it prefers the injected concept {share} of the time, {over} beyond another concept's injection; "
        f"the same answer begun after an unrelated question {promoted}, {unasked} less",
    )


def _explanations(found: Findings) -> tuple[Ground, ...]:
    """Each ruled out, found to explain it, or neither; where yes does not rise there is nothing to explain."""
    grounds = (_pushed_yes(found), _own_text(found), _unsure(found))
    if found.estimate("yes beyond random directions").above(0):
        return grounds
    return tuple(Ground(each.question, "cannot tell", f"{NOTHING}; {each.number}") for each in grounds)


def _pushed_yes(found: Findings) -> Ground:
    more = found.estimate(InjectedConcepts.primary)
    always = found.estimate("yes beyond random directions, always-no questions")
    left = found.estimate("yes without its yes part, beyond random")
    number = (
        f"on always-no questions concepts raise yes by {always} beyond random; without its yes part, {left} is left"
    )
    out = more.above(0) and left.above(0)
    return Ground(YES_PUSHED, "no" if out else "yes" if more.below(DETECTS_ABOVE) else "cannot tell", number)


def _own_text(found: Findings) -> Ground:
    gap, text = found.estimate("yes beyond the concept as text"), _yes(found, WRITTEN)
    number = f"read before it writes a word; where the word is only written it says yes {text.percent}, {gap} less"
    return Ground(OWN_TEXT, _explained_below(gap), number)


def _explained_below(gap: Estimate) -> Answer:
    """Whether another explanation holds, by what is left beyond it."""
    return "no" if gap.above(0) else "yes" if gap.below(DETECTS_ABOVE) else "cannot tell"


def _unsure(found: Findings) -> Ground:
    concept, slope = (
        found.estimate("yes beyond random directions at equal entropy"),
        found.estimate("yes per nat of entropy"),
    )
    number = f"at equal entropy concepts add {concept} to random directions (yes rises by {slope} per nat)"
    explains = slope.above(0) and concept.below(DETECTS_ABOVE)
    return Ground(UNSURE, "no" if concept.above(0) else "yes" if explains else "cannot tell", number)


def verdict(grounds: Sequence[Ground]) -> str:
    """In words."""
    said: dict[str, Answer] = {each.question: each.answer for each in grounds}
    if said[IN_KIND] != "yes":
        return "cannot tell (it does not answer yes or no)"
    names = {"yes": ", and names concepts", "no": ", and does not name concepts", "cannot tell": ""}[said[NAMES]]
    if said[ANY] == "yes":
        return f"says yes to any push{names}"
    explained = next((told for question, told in EXPLAINED.items() if said[question] == "yes"), None)
    if said[BEYOND] == "yes" and explained:
        return f"{explained}{names}"
    detects = _both(said[BEYOND], said[MORE])
    unknown = [name for name in (BEYOND, MORE, *EXPLAINED) if said[name] == "cannot tell"]
    known = VERDICTS.get((detects, said[NAMES]))
    if known is not None and (detects == "no" or not unknown):
        return known
    return f"cannot tell whether it detects injected concepts ({', '.join(unknown)}){names}"


def sentence(model: str, verdict: str, grounds: Sequence[Ground], found: Findings, tested: Sequence[Trial]) -> str:
    """The answer for one model: the verdict, with the minimum detectable effect, and what else could explain it."""
    more = found.estimate(InjectedConcepts.primary)
    if verdict.startswith("cannot tell (it does not"):
        usable = found.estimate("answers in kind", question=DETECT, arm=TARGET)
        return (
            f"{model}: cannot tell. {usable.percent} of its answers under injection had enough probability on yes or "
            f'no; without a push it goes on with "{_typical(tested)}". Change how it is asked (--questions, '
            f"--materials); beyond random and always-no questions: {beside(more)}."
        )
    text = f"{model} {verdict}{_where(tested)}"
    if not found.estimate("yes beyond random directions").above(0):
        return (
            f"{text}: concepts were not found to raise its yes beyond random directions and always-no questions "
            f"({beside(more)}), so there is nothing for other explanations to explain."
        )
    shown = "raise" if more.above(0) else "were not found to raise"
    return (
        f"{text}: concepts {shown} its yes beyond random directions and always-no questions ({beside(more)}). "
        f"{_others(grounds, found)}"
    )


def _others(grounds: Sequence[Ground], found: Findings) -> str:
    """The other explanations, each with the number that speaks to it."""
    ruled = {each.question: RULED[each.answer] for each in grounds if each.question in (YES_PUSHED, OWN_TEXT, UNSURE)}
    always = found.estimate("yes beyond random directions, always-no questions")
    equal = found.estimate("yes beyond random directions at equal entropy")
    return (
        f"Other explanations: a push on the word yes, {ruled[YES_PUSHED]} (rise on always-no questions {always}); its "
        f"own text, {ruled[OWN_TEXT]} (yes {_yes(found, WRITTEN).percent} where the concept is only written); "
        f"being less sure, {ruled[UNSURE]} (rise at equal entropy {equal})."
    )


def _where(tested: Sequence[Trial]) -> str:
    """Layer and strength of the injection."""
    for trial in tested:
        if (trial.outcomes["asked"], trial.outcomes["arm"]) == (DETECT, TARGET):
            return f" (injected after block {trial.readings['layer']}, at {trial.strength:g} of the residual norm)"
    return ""


def _typical(tested: Sequence[Trial]) -> str:
    texts = (t.text for t in tested if (t.outcomes["asked"], t.outcomes["arm"]) == (DETECT, BASELINE))
    return " ".join(next(texts, "").split())[:40]


def _yes(found: Findings, arm: str) -> Estimate:
    return found.estimate("says yes", question=DETECT, arm=arm)


def _scaled(estimate: Estimate, factor: float) -> Estimate:
    bounds = [None if bound is None else factor * bound for bound in (estimate.value, estimate.low, estimate.high)]
    return Estimate(bounds[0], bounds[1], bounds[2], estimate.n, estimate.clusters, estimate.method)


def _answer(estimate: Estimate, yes_above: float, no_below: float) -> Answer:
    return "yes" if estimate.above(yes_above) else "no" if estimate.below(no_below) else "cannot tell"


def _both(*answers: Answer) -> Answer:
    return "no" if "no" in answers else "cannot tell" if "cannot tell" in answers else "yes"

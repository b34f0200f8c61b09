"""Rows on what it names, and on what is asked beside: which sentence, which is stronger, whose words, on request."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

from experiments.injected_concepts.labels import (
    BASELINE,
    CHOOSE,
    CHOOSE_UNRELATED,
    COMPARE,
    FLIPPED,
    LOCALISE,
    MATCH,
    NAME,
    OTHER,
    OWN,
    RANDOM,
    REGULATE,
    TARGET,
)
from experiments.shared.detection_rates import CHANGE, beyond, by_unit, paired, rate, rises
from introlab.records.findings import Row
from introlab.records.trial import Trial
from introlab.stats.estimates import difference, mean, paired_difference, proportion
from introlab.stats.interval import Estimate
from introlab.stats.paired import paired_rates

FREELY = {
    "claims": "claims a thought",
    "names": "names it freely",
    "reports": "claims first, then names it",
    "incoherent": "reply is broken",
}


def naming_rows(model: str, tested: Sequence[Trial]) -> Iterator[Row]:
    """Among ten, after the question and after an unrelated one; and freely, with what comes first."""
    chosen = {
        (asked, arm): _right(tested, asked, arm)
        for asked, arm in (*((CHOOSE, arm) for arm in (BASELINE, OTHER, FLIPPED, TARGET)), (CHOOSE_UNRELATED, TARGET))
    }
    for (asked, arm), cell in chosen.items():
        where = {"model": model, "question": asked, "arm": arm}
        role = "secondary" if arm == TARGET and asked == CHOOSE else "control"
        yield Row("named among ten", where, proportion(list(cell.values()), list(cell)), role)
    target = chosen[CHOOSE, TARGET]
    yield Row("named beyond another concept", {"model": model}, _rates(target, chosen[CHOOSE, OTHER]))
    unasked = chosen[CHOOSE_UNRELATED, TARGET]
    yield Row("named beyond an unrelated question", {"model": model}, _rates(target, unasked), "control")
    for arm in (BASELINE, RANDOM, TARGET):
        cell = _cell(tested, NAME, arm)
        for outcome, measure in FREELY.items():
            known = [trial for trial in cell if trial.outcomes[outcome] is not None]
            if known:
                values = [bool(trial.outcomes[outcome]) for trial in known]
                found = proportion(values, [trial.cluster for trial in known])
                yield Row(measure, {"model": model, "arm": arm}, found, "secondary" if arm == TARGET else "control")
    ordered = [trial for trial in _cell(tested, NAME, TARGET) if trial.outcomes["claims_first"] is not None]
    if ordered:
        first = proportion([trial.outcomes["claims_first"] for trial in ordered], [trial.cluster for trial in ordered])
        yield Row("of those that name it, claims before or with it", {"model": model}, first)


def side_rows(model: str, tested: Sequence[Trial]) -> Iterator[Row]:
    """What is asked of models that may know what is meant; nothing of those that are not asked."""
    for asked, measure in ((LOCALISE, "finds the sentence"), (COMPARE, "finds the stronger one")):
        yield from _placed(model, tested, asked, measure)
    if _cell(tested, MATCH, TARGET):
        is_it, is_not = (by_unit(_cell(tested, MATCH, arm)) for arm in (TARGET, OTHER))
        yield Row("says it is about this word", {"model": model, "arm": TARGET}, rate(is_it))
        yield Row("says it is about this word", {"model": model, "arm": OTHER}, rate(is_not), "control")
        yield Row("about this word beyond another", {"model": model}, paired(is_it, is_not))
    if _cell(tested, OWN, TARGET):
        none, same, stray = (by_unit(_cell(tested, OWN, arm)) for arm in (BASELINE, TARGET, RANDOM))
        for arm, units in ((BASELINE, none), (TARGET, same), (RANDOM, stray)):
            role = "secondary" if arm == TARGET else "control"
            yield Row("says it meant a prefilled word", {"model": model, "arm": arm}, rate(units), role)
        yield Row("meant it, with the word injected before, beyond no push", {"model": model}, paired(same, none))
        yield Row("meant it, with the word injected before, beyond random", {"model": model}, beyond(same, stray))
    yield from _regulated(model, [trial for trial in tested if trial.outcomes["asked"] == REGULATE])


def _placed(model: str, tested: Sequence[Trial], asked: str, measure: str) -> Iterator[Row]:
    cells = {arm: _cell(tested, asked, arm) for arm in (BASELINE, TARGET, RANDOM)}
    if not cells[TARGET]:
        return
    for arm, cell in cells.items():
        where, clusters = {"model": model, "arm": arm}, [trial.cluster for trial in cell]
        usable = proportion([trial.outcomes["usable"] for trial in cell], clusters)
        yield Row("answers in kind", {**where, "question": asked}, usable, "detail")
        known = [trial for trial in cell if trial.outcomes["right"] is not None]
        found = proportion([trial.outcomes["right"] for trial in known], [trial.cluster for trial in known])
        yield Row(measure, where, found, "secondary" if arm == TARGET else "control")
    concept, stray = (_rise(cells[arm], cells[BASELINE]) for arm in (TARGET, RANDOM))
    yield Row(f"{measure}: rise of its share beyond random", {"model": model}, difference(concept, stray))


def _rise(cell: Sequence[Trial], unpushed: Sequence[Trial]) -> Estimate:
    """Of the right answer's share, above that of the same question without a push: seen where the likeliest answer is
    always the same."""
    each = zip(cell, rises(cell, unpushed, "right_share"), strict=True)
    known = [(trial, value) for trial, value in each if value is not None]
    return mean([value for _, value in known], [trial.cluster for trial, _ in known], within=CHANGE)


def _regulated(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """Towards the concept's direction beyond other concepts', asked to think of it less asked not to."""
    values: dict[str, dict[str, float]] = {}
    for trial in trials:
        gap = trial.readings["cosine"] - trial.readings["cosine_others"]
        values.setdefault(trial.outcomes["arm"], {})[trial.cluster] = gap
    for arm, each in values.items():
        where = {"model": model, "asked to": arm}
        yield Row("cosine with the concept beyond others", where, mean(list(each.values()), list(each)))
    if {"think", "think not"} <= set(values):
        pairs = [(values["think"][word], values["think not"][word]) for word in values["think"]]
        yield Row("thinks of it when asked to", {"model": model}, paired_difference(pairs, list(values["think"])))


def _cell(tested: Sequence[Trial], asked: str, arm: str) -> list[Trial]:
    return [trial for trial in tested if (trial.outcomes["asked"], trial.outcomes["arm"]) == (asked, arm)]


def _right(tested: Sequence[Trial], asked: str, arm: str) -> dict[str, bool]:
    return {str(trial.readings["concept"]): bool(trial.outcomes["right"]) for trial in _cell(tested, asked, arm)}


def _rates(one: dict[str, bool], other: dict[str, bool]) -> Estimate:
    """Of the concepts that both have."""
    words = [word for word in one if word in other]
    pairs = [(float(one[word]), float(other[word])) for word in words]
    return replace(paired_rates(pairs, words), kind="paired difference")

"""From answers and predictions to how far a model predicts itself, and whether that follows a change."""

from collections.abc import Iterator, Sequence

import numpy as np

from experiments.self_prediction.cells import (
    Cell,
    accuracy,
    ahead,
    cells_of,
    clusters,
    in_kind,
    least,
    right,
    usable,
)
from experiments.self_prediction.labels import (
    AS_OTHER,
    BASELINE,
    CROSS,
    CROSS_OWN,
    FEWEST,
    FINE_TUNING,
    IN_KIND,
    INPUT_ONLY,
    MODE,
    PROMPTING,
    PUSH,
    RANDOM,
    RIVALS,
    SELF,
    UNCHANGED,
)
from experiments.self_prediction.verdicts import (
    ADVANTAGE,
    COMMONEST,
    NEW_OVER_OLD,
    NEW_OVER_RIVAL,
    alternatives,
    grounds_of,
    sentence,
    verdict,
)
from introlab.records.findings import Check, Findings, Ground, Row
from introlab.records.trial import Trial
from introlab.stats.estimates import cluster_bootstrap, difference, paired_difference, proportion
from introlab.stats.interval import Estimate, missing

BINS = 5
"""Of equal count, for calibration."""
MUST_BEAT = (CROSS, CROSS_OWN, MODE, INPUT_ONLY)
OLD = {FINE_TUNING: "before behaviour", PUSH: "unchanged behaviour", PROMPTING: "unchanged behaviour"}
CHANGE_RIVALS = {
    FINE_TUNING: (CROSS, CROSS_OWN, MODE),
    PUSH: (AS_OTHER, UNCHANGED, MODE),
    PROMPTING: (AS_OTHER, UNCHANGED, MODE),
}


def findings(trials: Sequence[Trial]) -> Findings:
    """Per model: rows, the checks of the controls, verdict and its grounds."""
    rows, checks, sentences, remarks = list[Row](), list[Check](), list[str](), list[str]()
    verdicts, grounds = dict[str, str](), dict[str, tuple[Ground, ...]]()
    models = sorted({trial.model for trial in trials})
    for model in models:
        tested = [trial for trial in trials if trial.model == model and trial.split == "test"]
        found = Findings(tuple(_rows(model, tested)), (), "")
        unread = _unread(tested)
        grounds[model] = grounds_of(found, unread)
        verdicts[model] = verdict(grounds[model])
        sentences.append(sentence(model, verdicts[model], found, unread))
        if not unread:
            remarks.append(alternatives(model, found))
        rows += found.rows
        checks += _checks(found, tested, f" ({model})" if len(models) > 1 else "")
    return Findings(tuple(rows), tuple(checks), " ".join(sentences), verdicts, grounds, tuple(remarks))


def _of(tested: Sequence[Trial], condition: str) -> list[Trial]:
    return [trial for trial in tested if trial.condition == condition]


def judged(cells: Sequence[Cell]) -> list[Cell]:
    """Where another model was asked, the answers that it answers otherwise: on others nothing is told apart."""
    if not any(cell.has("other behaviour") for cell in cells):
        return list(cells)
    return [cell for cell in cells if cell.told("other behaviour") not in (None, cell.value)]


def _rows(model: str, tested: Sequence[Trial]) -> Iterator[Row]:
    plain = _of(tested, BASELINE)
    every = cells_of(plain)
    kept = cells_of(plain, usable(every))
    telling = judged(kept)
    where = {"model": model}
    answered = [trial.outcomes["answer"] is not None for trial in plain]
    yield Row("answered", where, proportion(answered, [trial.cluster for trial in plain]), "detail")
    yield Row("predictions in kind", where, in_kind(every))
    best = least([ahead(telling, rival) for rival in MUST_BEAT])
    yield Row("self-prediction beyond the best rival", where, best, "primary")
    yield Row("accuracy", {**where, "who": SELF}, accuracy(telling, SELF))
    for rival in RIVALS:
        role = "control" if rival in MUST_BEAT else "secondary"
        yield Row("accuracy", {**where, "who": rival}, accuracy(telling, rival), role)
        if rival in MUST_BEAT:
            yield Row(ADVANTAGE, {**where, "rival": rival}, ahead(telling, rival))
    for who in (SELF, *RIVALS):
        yield Row("accuracy, all answers", {**where, "who": who}, accuracy(kept, who), "detail")
    yield from _by_property(model, every, kept)
    yield Row("calibration (MAD)", where, calibration(kept))
    for change in OLD:
        yield from _change_rows(model, change, changed_cells(tested, change, usable(every)))


def _by_property(model: str, every: Sequence[Cell], kept: Sequence[Cell]) -> Iterator[Row]:
    for name in sorted({cell.name for cell in every}):
        where, mine = {"model": model, "property": name}, [cell for cell in every if cell.name == name]
        yield Row("in kind by property", where, in_kind(mine), "detail")
        for who in (SELF, *RIVALS) if any(cell.name == name for cell in kept) else ():
            yield Row("accuracy by property", {**where, "who": who}, accuracy(mine, who), "detail")


def calibration(cells: Sequence[Cell]) -> Estimate:
    """Mean absolute deviation: how far the probability it gives to its greedy answer is, on average over bins of equal
    count, from the share of its answers by chance that agree with that (arXiv 2410.13787, section 3.2)."""
    known = [cell for cell in cells if cell.has("sampled share") and cell.has(f"{SELF} share")]
    if len(known) < FEWEST:
        return missing("too few answers by chance")
    shares = np.array(
        [[cell.trial.readings[who][cell.name] for who in ("sampled share", "self share")] for cell in known]
    )

    def deviation(index: np.ndarray) -> float:
        some = shares[index][np.argsort(shares[index][:, 0], kind="stable")]
        return float(np.mean([abs(float(np.diff(part.mean(0))[0])) for part in np.array_split(some, BINS)]))

    value, bounds = deviation(np.arange(len(known))), cluster_bootstrap(deviation, clusters(known), draws=400)
    low, high = (min(bounds[0], value), max(bounds[1], value)) if bounds else (None, None)
    return Estimate(value, low, high, len(known), len(set(clusters(known))), "cluster bootstrap")


def changed_cells(tested: Sequence[Trial], change: str, properties: Sequence[str]) -> list[Cell]:
    """Properties of answers that the change made others."""
    some = cells_of(_of(tested, BASELINE if change == FINE_TUNING else change), properties)
    return [cell for cell in some if cell.told(OLD[change]) not in (None, cell.value)]


def _change_rows(model: str, change: str, cells: Sequence[Cell]) -> Iterator[Row]:
    where = {"model": model, "change": change}
    yield Row("predicts the new answer", where, accuracy(cells, SELF))
    yield Row(COMMONEST, where, proportion(right(cells, MODE), clusters(cells)), "detail")
    old = [cell.told(SELF) == cell.told(OLD[change]) for cell in cells]
    yield Row("predicts the old answer", where, proportion(old, clusters(cells)))
    pairs = list(zip(map(float, right(cells, SELF)), map(float, old), strict=True))
    yield Row(NEW_OVER_OLD, where, paired_difference(pairs, clusters(cells)))
    over = {rival: ahead(cells, rival) for rival in CHANGE_RIVALS[change]}
    yield Row(NEW_OVER_RIVAL, where, least(list(over.values())))
    for rival, estimate in over.items():
        yield Row(f"new answer, self over {rival}", where, estimate, "detail")


def _unread(tested: Sequence[Trial]) -> str | None:
    """Why nothing is concluded; None where enough was read."""
    plain = _of(tested, BASELINE)
    every = cells_of(plain)
    answered = len({cell.trial.item for cell in every})
    if answered < FEWEST:
        reply = next((" ".join(trial.text.split())[:80] for trial in plain if trial.text.strip()), "")
        return (
            f"{answered} of {len(plain)} replies had an answer that could be read; {FEWEST} are needed. A typical "
            f'reply: "{reply}". Ask other questions (--kind, --about, --materials), or more (--test).'
        )
    asked = [cell for cell in every if cell.has(SELF)]
    told = sum(cell.told(SELF) is not None for cell in asked)
    if not usable(every):
        return (
            f"Asked what it would answer, it put half of its probability on the values asked for in {told} of "
            f'{len(asked)} replies. Ask in other words ("self_prediction" in wording.json).'
        )
    telling = judged(cells_of(plain, usable(every)))
    if len(telling) < FEWEST:
        return f"Only {len(telling)} answers differ from the other model's; {FEWEST} are needed (--test, --other)."
    return None


def _checks(found: Findings, tested: Sequence[Trial], suffix: str) -> Iterator[Check]:
    over = {name: found.estimate(ADVANTAGE, rival=name) for name in MUST_BEAT}
    yield _check("cross", least([over[CROSS], over[CROSS_OWN]]), "ahead of the other model", suffix)
    yield _check("mode", over[MODE], "ahead of the most frequent answer", suffix)
    yield _check("input_only", over[INPUT_ONLY], "ahead of the words of the question", suffix)
    push = found.estimate("new answer, self over as_other", change=PUSH)
    yield _check("word_push", push, "new answers under the vector, of itself over of another model", suffix)
    yield _check(
        "random_direction", _moves(tested), "predictions that move where the answer does, over elsewhere", suffix
    )
    kind = found.estimate("predictions in kind")
    passed = None if kind.value is None else kind.value >= IN_KIND
    yield Check("in_kind", passed, f"{kind} of predictions in the form asked for{suffix}")


def _check(control: str, estimate: Estimate, what: str, suffix: str) -> Check:
    passed = None if estimate.low is None or estimate.n < FEWEST else estimate.above(0)
    return Check(control, passed, f"{what}: {estimate}{suffix}", estimate)


def _moves(tested: Sequence[Trial]) -> Estimate:
    """Under random vectors: how much more often the prediction is another where the answer is another than where it is
    the same. A reading that any push upsets moves alike in both."""
    cells = [cell for cell in cells_of(_of(tested, RANDOM)) if cell.told("unchanged behaviour") is not None]
    cells = [cell for cell in cells if None not in (cell.told(SELF), cell.told(UNCHANGED))]
    parts = [[c for c in cells if (c.told("unchanged behaviour") == c.value) is same] for same in (False, True)]
    if not all(parts):
        return missing("no changed or no unchanged answers", "difference")
    one, other = (
        proportion([cell.told(SELF) != cell.told(UNCHANGED) for cell in part], clusters(part)) for part in parts
    )
    return difference(one, other)

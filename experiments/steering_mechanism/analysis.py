"""From replays to estimates: readable downstream, ablated, faded with depth, and what leads to the announcement."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from experiments.steering_resistance.scopes import average_of, paired, rate, share_of, ways
from introlab.records.findings import Role, Row
from introlab.records.trial import Trial
from introlab.stats.crossed import crossed_jackknife
from introlab.stats.discrimination import auroc, auroc_of, stratified_auroc
from introlab.stats.estimates import difference, mean
from introlab.stats.interval import Estimate, missing
from introlab.stats.stratified_auroc import Separation

ARMS = {"push": "push", "random_direction": "random_direction", "baseline": "clean text"}
"""Conditions of the texts that are read again; the clean ones are read under the push."""
READINGS = ("push", "announcement")
"""What is ablated: the trace of the push, and what comes right before an announcement."""


def rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """Rows of one model from its test trials, of which those of condition `push` are used, too. None where it was not
    looked inside."""
    yield from _readable(model, trials)
    yield from _ablated(model, trials)
    yield from _restarting(model, trials)
    yield from _faded(model, trials)
    yield from _restart(model, trials)


def _of(trials: Sequence[Trial], condition: str) -> list[Trial]:
    return [trial for trial in trials if trial.condition == condition]


def _role(arm: str) -> Role:
    return "secondary" if arm == "push" else "control"


class _Scores:
    """What was read of some texts, at one block: a score for each token, pushed and not."""

    def __init__(self, trials: Sequence[Trial], block: int):
        self.offsets: list[int] = list(trials[0].readings["offsets"])
        self.rows = [
            (offset, score, bool(pushed), trial)
            for trial in trials
            for pushed, scores in enumerate(trial.readings["scores"][block])
            for offset, score in zip(trial.readings["offsets"], scores, strict=True)
            if score is not None
        ]

    def at(self, offset: int) -> Estimate:
        return _auroc([row for row in self.rows if row[0] == offset])

    def after(self) -> Estimate:
        """From the first word off topic on."""
        return _within([row for row in self.rows if row[0] > 0])

    def before(self) -> Estimate:
        """While all that has been read is on topic."""
        return _within([row for row in self.rows if row[0] <= 0])


Scored = Sequence[tuple[int, float, bool, Trial]]
"""Place in the text, score, pushed or not, and of which text."""


def _within(found: Scored) -> Estimate:
    """Over pairs of equally late tokens: that a reading rises along a text says nothing. The interval is the wider one
    of two: over texts, and over new directions and topics."""
    if not found:
        return missing("no such tokens")
    levels, scores, pushed, trials = zip(*found, strict=True)
    over_texts = stratified_auroc(scores, pushed, levels, [trial.cluster for trial in trials])
    if over_texts.value is None:
        return over_texts

    def left(clusters: np.ndarray) -> np.ndarray:
        return Separation.of(scores, pushed, clusters, levels).without

    both = [ways(trial) for trial in trials]
    crossed = crossed_jackknife(
        over_texts.value,
        left,
        [[direction for direction, _ in both], [topic for _, topic in both]],
        "AUROC within levels",
        kind="auroc",
    )
    widths = [(each.high or 0) - (each.low or 0) for each in (over_texts, crossed)]
    return crossed if crossed.known and widths[1] > widths[0] else over_texts


def _auroc(found: Scored) -> Estimate:
    if not found:
        return missing("no such tokens")
    _, scores, labels, trials = zip(*found, strict=True)
    return auroc(scores, labels, [trial.cluster for trial in trials])


def _readable(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    each = {arm: _of(trials, f"readable {condition}") for condition, arm in ARMS.items()}
    if not all(each.values()):
        return
    blocks, judged = each["push"][0].readings["blocks"], each["push"][0].readings["judged"]
    at = blocks.index(judged)
    after: dict[str, Estimate] = {}
    for arm, some in each.items():
        here, role = _Scores(some, at), _role(arm)
        after[arm] = here.after()
        yield Row("readable at the token before", {"model": model, "arm": arm}, here.at(0), role)
        yield Row("readable before it", {"model": model, "arm": arm}, here.before(), role)
        yield Row("readable after it", {"model": model, "arm": arm}, after[arm], role)
        for offset in here.offsets:
            yield Row("readable by token", {"model": model, "arm": arm, "token": float(offset)}, here.at(offset), role)
        for index, block in enumerate(blocks):
            where = {"model": model, "arm": arm, "layer": float(block)}
            yield Row("readable after it, by block", where, _Scores(some, index).after(), "detail")
    for arm in ("random_direction", "clean text"):
        gap = difference(after["push"], after[arm])
        yield Row("readable after it, beyond", {"model": model, "arm": arm}, gap)
    yield from _text_alone(model, each["push"], each["clean text"], at)
    yield Row("AUROC of shuffled labels", {"model": model}, _dealt(each["push"]), "control")
    yield Row("readable at the pushed block", {"model": model}, _Scores(each["push"], 0).after(), "control")


def _dealt(trials: Sequence[Trial]) -> Estimate:
    """The mean AUROC of probes of labels dealt anew, each deal a draw: the interval is of that mean, as a leak would
    move all of them."""
    dealt = np.array([scores for trial in trials for scores in trial.readings["dealt"]])
    labels = np.array([pushed for _ in trials for pushed in (False, True)])
    each = [auroc_of(column, labels) for column in dealt.T]
    return mean(each, range(len(each)))


def _text_alone(model: str, own: Sequence[Trial], clean: Sequence[Trial], block: int) -> Iterator[Row]:
    """Nothing is pushed: does the reading tell text that was written under a push from clean text?"""
    found = [
        (offset, score, written, trial)
        for written, some in ((True, own), (False, clean))
        for trial in some
        for offset, score in zip(trial.readings["offsets"], trial.readings["scores"][block][0], strict=True)
        if score is not None
    ]
    for offset in own[0].readings["offsets"]:
        where = {"model": model, "arm": "text alone", "token": float(offset)}
        yield Row("readable by token", where, _auroc([row for row in found if row[0] == offset]), "control")


def _ablated(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    pushed = {(trial.item, trial.replicate, trial.strength): trial for trial in _of(trials, "push")}
    for reading in READINGS:
        arms = {"reading": f"ablated {reading}", "random": f"ablated {reading}, random"}
        each = {
            arm: {(trial.item, trial.replicate, trial.strength): trial for trial in _of(trials, condition)}
            for arm, condition in arms.items()
        }
        if not each["reading"]:
            continue
        for arm, some in each.items():
            where = {"model": model, "reading": reading, "arm": arm}
            role: Role = "secondary" if arm == "reading" else "control"
            coherent = [trial for trial in some.values() if not trial.outcomes["incoherent"]]
            intruded = [trial for trial in coherent if trial.outcomes["intruded"]]
            yield Row("ablated: incoherent", where, rate(list(some.values()), "incoherent"), role)
            yield Row("ablated: announced", where, rate(coherent, "announced"), role)
            yield Row("ablated: off topic", where, rate(coherent, "intruded"), role)
            yield Row("ablated: returned of intruded", where, rate(intruded, "returned"), role)
            doses = [(trial.receipts[-1].share, trial) for trial in some.values() if trial.receipts]
            yield Row("ablated: dose", where, average_of(doses), "detail")
        for outcome in ("announced", "returned"):
            where = {"model": model, "reading": reading, "outcome": outcome}
            yield Row("fall by ablation", where, _fall(pushed, each["reading"], outcome))
            yield Row("fall by ablation beyond random", where, _fall(each["random"], each["reading"], outcome))


Named = Mapping[tuple[Any, ...], Trial]


def _fall(before: Named, after: Named, outcome: str) -> Estimate:
    """Of scenes that are coherent and have the outcome in both."""
    both = [
        (one, other)
        for key, other in after.items()
        for one in [before.get(key)]
        if one is not None
        and not (one.outcomes["incoherent"] or other.outcomes["incoherent"])
        and None not in (one.outcomes[outcome], other.outcomes[outcome])
    ]
    return paired([(one.outcomes[outcome], other.outcomes[outcome]) for one, other in both], [one for one, _ in both])


def _restarting(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """What makes the announcement likely: the text it has written, or what is done to it. All of the same tokens, but
    for those of the clean text, so that random ablations are as large token by token. (What is asked about is where a
    text announced under the push: that favours the push, if anything.)"""
    each = [(trial.readings["probability"], trial) for trial in _of(trials, "restarting")]
    if not each:
        return
    for arm in sorted({arm for found, _ in each for arm in found}):
        role: Role = "control" if "random" in arm else "secondary"
        known = [(found[arm], trial) for found, trial in each if arm in found]
        yield Row("P(announcement)", {"model": model, "arm": arm}, share_of(known), role)
    effects = {
        "the push, after its own text": ("own text, pushed", "own text"),
        "the push, after clean text": ("clean text, pushed", "clean text"),
        "its own text, without a push": ("own text", "clean text"),
    }
    for name, (one, other) in effects.items():
        known = [(found, trial) for found, trial in each if one in found and other in found]
        gap = paired([(found[one], found[other]) for found, _ in known], [trial for _, trial in known])
        yield Row("rise of P(announcement)", {"model": model, "by": name}, gap)
    for reading in READINGS:
        name = f"ablated {reading}"
        known = [(found, trial) for found, trial in each if name in found]
        if known:
            pairs = [(found[f"{name}, random"], found[name]) for found, _ in known]
            fall = paired(pairs, [trial for _, trial in known])
            yield Row("fall of P(announcement) beyond random", {"model": model, "reading": reading}, fall)


def _faded(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    for condition, arm in ARMS.items():
        some, role = _of(trials, f"source {condition}"), _role(arm)
        if not some:
            return
        for measure, name in (("projection left", "projection"), ("norm of the change", "norm")):
            for index, layer in enumerate(some[0].readings["layers"]):
                where = {"model": model, "arm": arm, "layer": float(layer)}
                yield Row(measure, where, average_of([(t.readings[name][index], t) for t in some]), role)
        ends = average_of([(trial.readings["projection"][-1], trial) for trial in some])
        yield Row("projection left at the end", {"model": model, "arm": arm}, ends, role)
        for part in some[0].readings["parts"]:
            where = {"model": model, "arm": arm, "part": part}
            yield Row("added along the push", where, average_of([(t.readings["parts"][part], t) for t in some]), role)
        left = [(abs(trial.readings["left_over"]), trial) for trial in some]
        yield Row("left over by the parts", {"model": model, "arm": arm}, average_of(left), "control")


def _restart(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """Of the texts that judge, not of those that chose components."""
    judging = [trial for trial in _of(trials, "restart") if not trial.readings["chooses"]]
    if not judging:
        return
    for name in ("clean", "other"):
        where = {"model": model, "prompt": name}
        yield Row("log-odds of the announcement", where, average_of([(t.readings[name], t) for t in judging]), "detail")
    for name in ("direct", "total", "paths", "random paths"):
        role: Role = "control" if name == "random paths" else "detail"
        for part in judging[0].readings[name]:
            fall = average_of([(trial.readings[name][part], trial) for trial in judging])
            yield Row(f"{name}: fall of log-odds", {"model": model, "part": part}, fall, role)
    both = [
        (_mean(trial.readings["paths"]) - _mean(trial.readings["random paths"]), trial)
        for trial in judging
        if trial.readings["paths"] and trial.readings["random paths"]
    ]
    yield Row("paths beyond random", {"model": model}, average_of(both))


def _mean(values: Mapping[str, float]) -> float:
    return sum(values.values()) / len(values)

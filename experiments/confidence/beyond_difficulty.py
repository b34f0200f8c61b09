"""What each confidence tells among equally difficult questions, and what it has there over the best baseline.

One rule for every signal. That a question is easy can be seen from the question, so that a signal is judged by pairs of
a correct and an incorrect answer to questions of the same kind and level (*within levels*). A fitted probe must beat
the best of its baselines there, too.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from experiments.confidence.answered_questions import columns, gain, over_deals
from experiments.confidence.labels import AUROC_OF, BASELINES, MAIN, PRIMARY, PROBED, SIGNALS
from introlab.records.findings import Answer, Check, Ground, Row
from introlab.records.trial import Trial
from introlab.stats.baseline_gain import smallest_gain
from introlab.stats.discrimination import stratified_auroc
from introlab.stats.interval import Estimate, missing

WITHIN, GAIN, BEST_GAIN = "within levels", "gain within levels", "gain within levels over the best baseline"
FEWEST_COMPARED = 20
"""Answers at levels that hold both correct and incorrect ones, below which nothing is concluded from them."""
PASSED: Mapping[Answer, bool | None] = {"yes": True, "no": False, "cannot tell": None}
PLAIN_AUROC, PLAIN_GAIN = 0.7, 0.15
"""What an interval must exclude before *no* is said: an effect that large cannot have been missed."""


@dataclass(frozen=True)
class JudgedSignal:
    """What one signal tells of being right."""

    name: str
    pooled: Estimate
    within: Estimate
    gain: Estimate
    """Within levels, over the best of the baselines, or over chance where that is more."""
    best: str
    """Label of the baseline that tells most within levels."""

    @property
    def discriminates(self) -> Answer:
        """Correct from incorrect answers of equal difficulty."""
        return shown_above(self.within, 0.5, PLAIN_AUROC)

    @property
    def more(self) -> Answer:
        """Than the best baseline, among equally difficult questions."""
        return shown_above(self.gain, 0.0, PLAIN_GAIN)

    @property
    def beyond(self) -> Answer:
        """Whether it discriminates beyond difficulty: a fitted probe, beyond its baselines, too."""
        answers = {self.discriminates, self.more} if self.name in PROBED else {self.discriminates}
        return "no" if "no" in answers else "cannot tell" if "cannot tell" in answers else "yes"


def shown_above(estimate: Estimate, null: float, plain: float) -> Answer:
    """*yes* above the null, *no* below a `plain` value; *cannot tell* where the interval holds both, or there is
    none."""
    if not estimate.known:
        return "cannot tell"
    return "yes" if estimate.above(null) else "no" if estimate.below(plain) else "cannot tell"


def within_levels_rows(model: str, answered: Sequence[Trial], signals: Sequence[str] = tuple(SIGNALS)) -> Iterator[Row]:
    """Of these signals and every baseline the AUROC within levels; of these signals the gain over each baseline there,
    and over the best of them."""
    inside: dict[str, Estimate] = {}
    for name in (*signals, *BASELINES):
        values, right, clusters, levels = columns(answered, name)
        found = stratified_auroc(values, right, levels, clusters)
        inside[name] = _if_enough(found, answered, name)
        yield Row(
            WITHIN, {"model": model, "signal": name}, inside[name], "control" if name in BASELINES else "secondary"
        )
    if MAIN in signals:
        yield Row(PRIMARY, {"model": model}, inside[MAIN], "primary")
    best = max(BASELINES, key=lambda name: inside[name].value or 0.0)
    for signal in signals:
        gains = {
            name: _if_enough(gain(answered, signal, name, within_levels=True), answered, signal) for name in BASELINES
        }
        for name, each in gains.items():
            where = {"model": model, "signal": signal, "over": name}
            yield Row(GAIN, where, each, "secondary" if signal == MAIN else "detail")
        yield Row(BEST_GAIN, {"model": model, "signal": signal, "best": best}, smallest_gain(*gains.values()))
    token = gain(answered, MAIN, "token_probability", within_levels=True, fitted=False)
    where = {"model": model, "signal": MAIN, "over": "token_probability"}
    yield Row(GAIN, where, _if_enough(token, answered, MAIN))


def judged(rows: Sequence[Row], signal: str) -> JudgedSignal:
    """From the rows of one model."""
    pooled = next((row.estimate for row in rows if row.measure == AUROC_OF(signal)), missing("not measured"))
    within, over = (
        next((row for row in rows if row.measure == measure and row.where["signal"] == signal), None)
        for measure in (WITHIN, BEST_GAIN)
    )
    return JudgedSignal(
        signal,
        pooled,
        within.estimate if within else missing("not measured"),
        over.estimate if over else missing("not measured"),
        BASELINES[str(over.where["best"])] if over else "",
    )


def grounds(rows: Sequence[Row], *, left_out: Sequence[str] = ()) -> tuple[Ground, ...]:
    """The same question to every signal that was read; none is concluded on what is `left_out`."""
    found = list[Ground]()
    for name, label in SIGNALS.items():
        each = judged(rows, name)
        if each.within.value is None and each.pooled.value is None:
            continue
        than = "difficulty and the baselines" if name in PROBED else "difficulty"
        number = f"difficulty-stratified AUROC {each.within}; over the best baseline, {each.best}: {each.gain}"
        answer: Answer = "cannot tell" if name in left_out else each.beyond
        found.append(Ground(f"{label}: discriminates beyond {than}?", answer, number))
    return tuple(found)


def checks(model: str, answered: Sequence[Trial], rows: Sequence[Row], *, several: bool) -> Iterator[Check]:
    """The probe must be at chance on shuffled labels, and beat every baseline on the same, equally difficult questions.
    From the rows of this model."""
    suffix = f" ({model})" if several else ""
    dealt = over_deals(answered)
    yield Check(
        "shuffled_labels",
        None if dealt.value is None else abs(dealt.value - 0.5) < 0.1,
        f"probes on shuffled labels average AUROC {dealt}; a mean more than 0.1 from 0.5 would be a leak{suffix}",
    )
    mine = {str(row.where["over"]): row.estimate for row in rows if row.measure == GAIN and row.where["signal"] == MAIN}
    for name, label in BASELINES.items():
        gap, detail = mine[name], f"at equal difficulty the probe beats the {label} by {mine[name]} AUROC{suffix}"
        yield Check(name, PASSED[shown_above(gap, 0.0, PLAIN_GAIN)], detail, gap)


def _if_enough(estimate: Estimate, answered: Sequence[Trial], signal: str) -> Estimate:
    """Without an interval where too few answers can be compared within their level."""
    _, right, _, levels = columns(answered, signal)
    classes: dict[str, set[bool]] = {}
    for level, each in zip(levels, right, strict=True):
        classes.setdefault(level, set()).add(each)
    compared = sum(len(classes[level]) == 2 for level in levels)
    if compared >= FEWEST_COMPARED:
        return estimate
    method = f"{compared} answers at levels with both correct and incorrect ones; {FEWEST_COMPARED} are needed"
    return replace(estimate, low=None, high=None, method=method)

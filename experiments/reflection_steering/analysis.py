"""From texts to what reconsidering is: readable ahead of time, movable, and worth something or not."""

from collections.abc import Iterator, Sequence

import numpy as np

from experiments.shared.condition_families import PERSONA
from experiments.shared.side_effect_rows import damage_rows
from introlab.records.findings import Check, Findings, Row
from introlab.records.trial import Trial
from introlab.stats.baseline_gain import gain_over
from introlab.stats.discrimination import auroc, permutation_mean_auroc, stratified_auroc
from introlab.stats.estimates import difference, mean, paired_difference, proportion, rank_among
from introlab.stats.interval import Estimate
from introlab.stats.power import beside
from introlab.stats.self_correction import kept_and_repaired, resampling_null_of
from probes.text.horizons import LEADS

MUST_BEAT = {"text_only": "words so far", "length": "length of the prompt", "position": "position in the text"}


def findings(trials: Sequence[Trial], at: float) -> Findings:
    """Estimates, checks and the answer; the push is judged at strengths `at` and minus `at`."""
    rows: list[Row] = []
    checks: list[Check] = []
    sentences = []
    models = sorted({trial.model for trial in trials})
    for model in models:
        here = [t for t in trials if t.model == model and t.split == "test"]
        written = [t for t in here if "reconsidered" in t.outcomes]
        decided = [t for t in written if t.outcomes["reconsidered"] is not None and not t.outcomes["incoherent"]]
        found = Findings(tuple(_rows(model, here, written, decided, at)), (), "")
        rows += found.rows
        checks += _checks(found, decided, at, f" ({model})" if len(models) > 1 else "")
        sentences.append(_sentence(model, found, at))
    return Findings(tuple(rows), tuple(checks), " ".join(sentences))


def _rows(
    model: str, here: Sequence[Trial], written: Sequence[Trial], decided: Sequence[Trial], at: float
) -> Iterator[Row]:
    yield from _lead_rows(model, decided)
    yield from _arm_rows(model, written)
    yield from _correction_rows(model, decided)
    push, stray = _swing(decided, "push", at), _swing(decided, "random_direction", at)
    where = {"model": model, "strength": at}
    yield Row("reconsidering pushed beyond random", where, difference(push, stray), "primary")
    yield Row("swing of p_reconsider by the direction", where, push)
    yield Row("swing of p_reconsider by random directions", where, stray, "control")
    yield Row("accuracy gained by the push", where, _gained(decided, at))
    yield from damage_rows(model, here)


def _lead_rows(model: str, tested: Sequence[Trial]) -> Iterator[Row]:
    baseline = _with(_of(tested, "baseline"), "probe_1")
    goes, clusters, levels = (
        _labels(baseline, "reconsidered"),
        _clusters(baseline),
        [t.outcomes["level"] for t in baseline],
    )
    wrong = [not t.outcomes["first_right"] for t in baseline]
    own = [t.readings["p_reconsider"] for t in baseline]
    for target, labels in (("reconsiders", goes), ("wrong", wrong)):
        where = {"model": model, "target": target}
        yield Row("auroc of p_reconsider", {**where, "lead": 1.0}, auroc(own, labels, clusters))
        yield Row(
            "auroc within levels of p_reconsider",
            {**where, "lead": 1.0},
            stratified_auroc(own, labels, levels, clusters),
        )
        for lead in LEADS:
            at = {**where, "lead": float(lead)}
            values = [t.readings[f"probe_{lead}"] for t in baseline]
            yield Row("auroc of probe", at, auroc(values, labels, clusters))
            yield Row("auroc within levels of probe", at, stratified_auroc(values, labels, levels, clusters))
    for lead in LEADS:
        at = {"model": model, "lead": float(lead)}
        deals = [t.readings[f"shuffled_labels_{lead}"] for t in baseline]
        yield Row("auroc of shuffled_labels", at, permutation_mean_auroc(deals, goes), "control")
        for name in MUST_BEAT:
            values = [t.readings[f"{name}_{lead}"] for t in baseline]
            yield Row(f"auroc of {name}", at, auroc(values, goes, clusters), "control")


def _arm_rows(model: str, written: Sequence[Trial]) -> Iterator[Row]:
    """Incoherent texts and those without an answer are counted, and then left out of everything else."""
    for condition, strength in sorted({(t.condition, t.strength) for t in written}):
        cell = [t for t in written if (t.condition, t.strength) == (condition, strength)]
        where = {"model": model, "arm": condition, "strength": strength}
        role = "control" if condition in ("baseline", "random_direction", "prompting") else "secondary"
        coherent = [t for t in cell if not t.outcomes["incoherent"]]
        decided = [t for t in coherent if t.outcomes["reconsidered"] is not None]
        yield Row("incoherent", where, proportion(_labels(cell, "incoherent"), _sources(cell)), role)
        answered = [t.outcomes["reconsidered"] is not None for t in coherent]
        yield Row("answered", where, proportion(answered, _sources(coherent)), role)
        p = [t.readings["p_reconsider"] for t in decided]
        yield Row("p_reconsider", where, mean(p, _sources(decided)), role)
        for measure in ("reconsidered", "first_right", "final_right"):
            yield Row(measure, where, proportion(_labels(decided, measure), _sources(decided)), role)


def _correction_rows(model: str, tested: Sequence[Trial]) -> Iterator[Row]:
    """Keeping right answers and repairing wrong ones, and what an answer drawn anew would do (the resampling null)."""
    for condition in sorted(
        {t.condition for t in tested if t.condition in PERSONA or t.condition in ("baseline", "prompting")}
    ):
        cell = _of(tested, condition)
        where = {"model": model, "arm": condition}
        first, final = _labels(cell, "first_right"), _labels(cell, "final_right")
        kept, repaired = kept_and_repaired(first, final, _clusters(cell))
        yield Row("keeps right answers", where, kept)
        yield Row("repairs wrong answers", where, repaired)
        read = _with(cell, "p_right")
        p = [t.readings["p_right"] for t in read]
        if p and 0 < sum(p) < len(p):
            null = resampling_null_of(p, _clusters(read))
            yield Row("keeps right answers, drawing anew", where, null.keep_rate, "control")
            yield Row("repairs wrong answers, drawing anew", where, null.repair_rate, "control")


def _swing(tested: Sequence[Trial], condition: str, at: float) -> Estimate:
    """P(reconsider) under a push of `at` towards it minus under one of `at` away from it, question by question."""
    cell = [t for t in _of(tested, condition) if t.readings["p_reconsider"] is not None]
    low, high = ({(t.item, t.draw): t for t in cell if t.strength == side} for side in (-at, at))
    keys = sorted(set(low) & set(high), key=str)
    pairs = [(high[key].readings["p_reconsider"], low[key].readings["p_reconsider"]) for key in keys]
    return paired_difference(pairs, [f"random {draw}" if draw is not None else item for item, draw in keys])


def _rank(tested: Sequence[Trial], at: float) -> tuple[float, int]:
    """One-sided rank of the direction's swing among the random directions', and how many there are."""
    stray = _of(tested, "random_direction")
    draws = sorted({t.draw for t in stray if t.draw is not None})
    swings = [_swing([t for t in stray if t.draw == draw], "random_direction", at).value for draw in draws]
    known = [value for value in swings if value is not None]
    target = _swing(tested, "push", at).value
    return (rank_among(target, known), len(known)) if target is not None else (1.0, len(known))


def _gained(tested: Sequence[Trial], at: float) -> Estimate:
    """Final accuracy under the push minus without it, question by question."""
    plain = {t.item: t for t in _of(tested, "baseline")}
    both = [(t, plain[t.item]) for t in _of(tested, "push") if t.strength == at and t.item in plain]
    pairs = [(float(t.outcomes["final_right"]), float(base.outcomes["final_right"])) for t, base in both]
    return paired_difference(pairs, [t.cluster for t, _ in both])


def _checks(found: Findings, tested: Sequence[Trial], at: float, suffix: str) -> Iterator[Check]:
    plain = found.estimate("reconsidered", arm="baseline")
    yield Check(
        "baseline",
        None if plain.value is None else 0.02 < plain.value < 0.98,
        f"without a push it reconsiders {plain.percent} of the time: there is room both ways{suffix}",
    )
    rank, draws = _rank(tested, at)
    beats = rank <= 1 / (draws + 1) + 1e-9
    yield Check(
        "random_direction",
        beats if draws else None,
        f"its direction swings reconsidering {'more than' if beats else 'no more than'} each of {draws} random ones "
        f"(p {rank:.3f}){suffix}",
    )
    asked = difference(found.estimate("reconsidered", arm="prompting"), plain)
    yield Check(
        "prompting",
        asked.above(0) if asked.known else None,
        f"asked in words to check, it reconsiders {asked} more often{suffix}",
        asked,
    )
    dealt = [row.estimate.value for row in found.select("auroc of shuffled_labels") if row.estimate.value is not None]
    centre = float(np.mean(dealt)) if dealt else float("nan")
    yield Check(
        "shuffled_labels",
        abs(centre - 0.5) < 0.1 if dealt else None,
        f"probes on shuffled labels average AUROC {centre:.2f}; more than 0.1 from 0.5 would be a leak{suffix}",
    )
    baseline = _with(_of(tested, "baseline"), "probe_1")
    for name, label in MUST_BEAT.items():
        gap = gain_over(
            [t.readings["probe_1"] for t in baseline],
            [t.readings[f"{name}_1"] for t in baseline],
            _labels(baseline, "reconsidered"),
            _clusters(baseline),
            levels=[t.outcomes["level"] for t in baseline],
        )
        yield Check(
            name,
            gap.above(0) if gap.known else None,
            f"one token ahead, at equal difficulty, the probe beats the {label} by {gap} AUROC{suffix}",
            gap,
        )


def _sentence(model: str, found: Findings, at: float) -> str:
    ahead = [found.estimate("auroc of probe", target="reconsiders", lead=float(lead)) for lead in (1, 4)]
    wrong = found.estimate("auroc of probe", target="wrong", lead=1.0)
    swing, gained = (
        found.estimate("reconsidering pushed beyond random"),
        found.estimate("accuracy gained by the push"),
    )
    text = f"{model}: {_told_ahead(ahead[0], ahead[1], wrong)}. {_pushed(swing)}"
    follows = "rises" if gained.above(0) else "falls" if gained.below(0) else "does not clearly change"
    text += f"; accuracy {follows} ({gained} at strength {at:g})."
    personas = sorted(
        {str(row.where["arm"]) for row in found.select("keeps right answers") if row.where["arm"] in PERSONA}
    )
    parts: list[str] = []
    for arm in ("baseline", *personas):
        kept, repaired = (found.estimate(f"{each} answers", arm=arm) for each in ("keeps right", "repairs wrong"))
        name = PERSONA.member(arm) or arm
        parts.append(f"{name}: keeps {kept.percent} of right answers, repairs {repaired.percent} of wrong ones")
    return f"{text} {'; '.join(parts)}."


def _told_ahead(one: Estimate, four: Estimate, wrong: Estimate) -> str:
    if one.above(0.5):
        return (
            f"a probe tells one token ahead that it will reconsider with AUROC {one}, four ahead with {four}, and that "
            f"its answer is wrong with {wrong}"
        )
    return (
        f"no probe was found to tell one token ahead that it will reconsider (AUROC {beside(one, 0.5)}); four ahead it "
        f"has {four}, and {wrong} for a wrong answer"
    )


def _pushed(swing: Estimate) -> str:
    moves = "Pushing along the direction {} the probability of reconsidering{} more than random directions do"
    if swing.above(0):
        return moves.format("moves", f" by {swing}")
    return f"{moves.format('was not found to move', '')} ({beside(swing)})"


def _of(trials: Sequence[Trial], condition: str) -> list[Trial]:
    return [trial for trial in trials if trial.condition == condition]


def _with(trials: Sequence[Trial], reading: str) -> list[Trial]:
    return [trial for trial in trials if trial.readings.get(reading) is not None]


def _labels(trials: Sequence[Trial], outcome: str) -> list[bool]:
    return [bool(trial.outcomes[outcome]) for trial in trials]


def _clusters(trials: Sequence[Trial]) -> list[str]:
    return [trial.cluster for trial in trials]


def _sources(trials: Sequence[Trial]) -> list[str]:
    """What would be drawn anew: the random direction where there is one, else the question's group."""
    return [trial.cluster if trial.draw is None else f"random {trial.draw}" for trial in trials]

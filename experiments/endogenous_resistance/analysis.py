"""From attempts with scores to the published rates, arm by arm, and what they say alone."""

from collections.abc import Iterator, Sequence

from experiments.endogenous_resistance.comparisons import alignment_rows, detector_rows, episode_rows, judge_rows
from experiments.endogenous_resistance.parts import ABLATION, FINETUNED, META_PROMPT, RANDOM_ABLATION, sweep_level
from experiments.shared.side_effect_rows import damage_rows
from introlab.records.findings import Check, Findings, Row
from introlab.records.trial import Trial
from introlab.stats.answer_transitions import attempts
from introlab.stats.contrasts import contrast
from introlab.stats.estimates import difference, mean, proportion
from introlab.stats.interval import Estimate, missing
from introlab.stats.paired import paired_rates
from introlab.stats.power import smallest_effect

PRIMARY = "ESR rate beyond no steering"
TOLERANCE = 0.15
"""How far the mean score of first attempts may be from its target."""
FAS_APART = 0.05
"""Arms whose first attempts differ by more are not to be compared (five points of a hundred)."""
ESR_FROM = 0.01
"""The largest rate at which the publication says that a model does not resist (its four smaller models)."""
ORDER = ("push", "baseline", "random_direction", "prompting")


def findings(trials: Sequence[Trial], target: float) -> Findings:
    """The published rates of every arm, the checks, and what the published metric says of each model."""
    rows: list[Row] = []
    checks: list[Check] = []
    verdicts: dict[str, str] = {}
    sentences: list[str] = []
    models = sorted({trial.model for trial in trials})
    for model in models:
        mine = [trial for trial in trials if trial.model == model and trial.split == "test"]
        own = list(_rows(model, mine, target))
        beyond = _beyond(mine, "baseline")
        own.append(Row(PRIMARY, {"model": model}, beyond, "primary"))
        own.append(Row("ESR rate beyond random directions", {"model": model}, _beyond(mine, "random_direction")))
        own += damage_rows(model, mine)
        for more in (detector_rows, judge_rows, episode_rows, alignment_rows):
            own += more(model, [trial for trial in trials if trial.model == model])
        verdicts[model] = "shows ESR" if at(own, "ESR rate", "push").above(ESR_FROM) else "shows no ESR"
        checks += _checks(
            own, target, beyond, _beyond(mine, "random_direction"), f" ({model})" if len(models) > 1 else ""
        )
        sentences.append(_sentence(model, verdicts[model], own))
        rows += own
    return Findings(tuple(rows), tuple(checks), " ".join(sentences), verdicts)


def _rows(model: str, trials: Sequence[Trial], target: float) -> Iterator[Row]:
    """The rates of every condition; then how far each pushed arm's first attempts are from those of the push."""
    written = [trial for trial in trials if "scores" in trial.readings]
    conditions = sorted({trial.condition for trial in written}, key=lambda name: (name not in ORDER, name))
    first: dict[str, Estimate] = {}
    for condition in conditions:
        cell = [trial for trial in written if trial.condition == condition]
        for row in _rates(model, condition, cell):
            if row.measure == "first-attempt score":
                first[condition] = row.estimate
            yield row
    for condition, estimate in first.items():
        if condition == RANDOM_ABLATION or any(condition in each for each in (ABLATION, META_PROMPT, FINETUNED)):
            gap = difference(estimate, first["push"])
            where = {"model": model, "arm": condition}
            yield Row("first-attempt score beyond that of the push", where, gap, "control")
            both = [t for t in written if t.condition in (condition, "push") and _scored(t)]
            for measure, outcome in (("multi-attempt rate", "several"), ("ESR rate", "improved")):
                more = contrast(
                    [float(t.outcomes[outcome]) for t in both],
                    [t.condition for t in both],
                    {condition: 1.0, "push": -1.0},
                    [t.cluster for t in both],
                )
                yield Row(f"{measure} beyond that of the push", where, more)
            silenced = [t for t in written if t.condition == condition and len(t.receipts) == 2]
            if silenced:
                taken = mean([t.receipts[0].share for t in silenced], [t.cluster for t in silenced])
                yield Row("silenced, as share of the residual norm", where, taken, "control")
    yield from _strengths(model, [trial for trial in written if trial.condition == "push"], target)


def _rates(model: str, condition: str, cell: Sequence[Trial]) -> Iterator[Row]:
    """Published rates leave nothing out, degraded texts included; only what has no score is, and counted."""
    where: dict[str, str | float | None] = {"model": model}
    level = sweep_level(condition)
    if level is not None:
        where["level"] = level
    else:
        where["arm"] = condition
    role = "secondary" if condition == "push" else "control" if condition in ORDER else "secondary"
    scored = [trial for trial in cell if _scored(trial)]
    whole = [trial for trial in scored if not trial.outcomes["degraded"]]
    for label, kept in (("", scored), (", degraded left out", whole)):
        clusters = [trial.cluster for trial in kept]
        found = attempts([trial.readings["scores"] for trial in kept], clusters) if kept else None
        named = {
            "first-attempt score": found and found.first_score,
            "multi-attempt rate": found and found.several,
            "improvement rate": found and found.improved_of_several,
            "ESR rate": found and found.improved,
            "mean score improvement": found and found.gain,
        }
        for measure, estimate in named.items():
            if not label or measure == "ESR rate":
                yield Row(f"{measure}{label}", where, estimate or missing("no scored text"), role)
    worse = [trial.readings["gain"] < 0 for trial in scored]
    yield Row("last attempt worse", where, _rate(scored, worse), role)
    for outcome in ("degraded", "incoherent"):
        yield Row(outcome, where, _rate(cell, [bool(trial.outcomes[outcome]) for trial in cell]), role)
    yield Row("without a score", where, _rate(cell, [not _scored(trial) for trial in cell]), "detail")


def _scored(trial: Trial) -> bool:
    """Whether its first and its last attempt have a score."""
    return trial.readings["first_score"] is not None and trial.readings["gain"] is not None


def _rate(trials: Sequence[Trial], values: Sequence[bool]) -> Estimate:
    return proportion(values, [trial.cluster for trial in trials])


def _strengths(model: str, pushed: Sequence[Trial], target: float) -> Iterator[Row]:
    """Of the latents: how hard they are pushed, and whether fresh prompts bore that out."""
    by_latent = {trial.cluster: trial for trial in pushed}
    names, one = list(by_latent), list(by_latent.values())
    achieved = [(name, each.readings["achieved"]) for name, each in by_latent.items()]
    known = [(name, value) for name, value in achieved if value is not None]
    values = [value for _, value in known]
    labels = [name for name, _ in known]
    where = {"model": model}
    yield Row("strength", where, mean([each.strength for each in one], names), "detail")
    yield Row("score on fresh prompts", where, mean(values, labels), "control")
    near = [abs(value - target) <= TOLERANCE for value in values]
    yield Row("latents near their target on fresh prompts", where, proportion(near, labels), "control")
    doses = [(receipt.share, each.cluster) for each in pushed for receipt in each.receipts]
    share = mean([dose for dose, _ in doses], [name for _, name in doses])
    yield Row("dose as share of the residual norm", where, share, "detail")


def at(rows: Sequence[Row], measure: str, arm: str) -> Estimate:
    """The estimate of an arm; one without a value where there is none."""
    found = (row.estimate for row in rows if row.measure == measure and row.where.get("arm") == arm)
    return next(found, missing("not measured"))


def _beyond(trials: Sequence[Trial], arm: str) -> Estimate:
    """How much higher the ESR rate is under the push than in another arm, scene by scene."""
    improved = {
        condition: {trial.item: trial for trial in trials if trial.condition == condition and _scored(trial)}
        for condition in ("push", arm)
    }
    both = [item for item in improved["push"] if item in improved[arm]]
    if not both:
        return missing("no scene scored in both")
    pairs = [
        (float(improved["push"][item].outcomes["improved"]), float(improved[arm][item].outcomes["improved"]))
        for item in both
    ]
    return paired_rates(pairs, [improved["push"][item].cluster for item in both])


def _checks(rows: Sequence[Row], target: float, beyond: Estimate, gap: Estimate, suffix: str) -> Iterator[Check]:
    score = {arm: at(rows, "first-attempt score", arm) for arm in ORDER}
    esr = {arm: at(rows, "ESR rate", arm) for arm in ORDER}
    free = score["baseline"]
    yield Check(
        "baseline",
        None if not (free.known and esr["baseline"].known) else free.above(0.8) and (esr["baseline"].value or 0) < 0.05,
        f"without a push first attempts score {free} and {esr['baseline'].percent} start again and do better{suffix}",
    )
    less = difference(score["random_direction"], score["push"])
    yield Check(
        "random_direction",
        None if not (gap.known and less.known) else less.above(0) and (gap.above(0) or not beyond.above(0)),
        f"random directions of equal norm leave first attempts {less} better, and ESR {gap} lower{suffix}",
    )
    asked = difference(free, score["prompting"])
    yield Check(
        "prompting",
        asked.above(0.1) if asked.known else None,
        f"asked in words for the latent's topic, first attempts score {asked} less: the score can see it{suffix}",
    )
    hit = score["push"]
    yield Check(
        "calibration",
        None if not hit.known else not (hit.above(target + TOLERANCE) or hit.below(target - TOLERANCE)),
        f"pushed first attempts score {hit}, the target is {target:g}{suffix}",
    )
    broken = at(rows, "incoherent", "push")
    yield Check(
        "coherence",
        None if not broken.known else not broken.above(0.5),
        f"{broken.percent} of pushed texts are incoherent{suffix}",
    )


def _sentence(model: str, verdict: str, rows: Sequence[Row]) -> str:
    found = {
        measure: at(rows, measure, "push")
        for measure in ("first-attempt score", "multi-attempt rate", "ESR rate", "last attempt worse")
    }
    stray = at(rows, "ESR rate", "random_direction")
    esr = found["ESR rate"]
    seen = smallest_effect(esr.n, esr.clusters, ESR_FROM)
    apart = [
        str(row.where["arm"])
        for row in rows
        if row.measure == "first-attempt score beyond that of the push" and abs(row.estimate.value or 0) > FAS_APART
    ]
    text = (
        f"{model} {verdict} by the published metric alone: first attempts score {found['first-attempt score']}, "
        f"{found['multi-attempt rate'].percent} of texts start again, and the ESR rate is {esr}"
    )
    text += f" (a rate of {100 * (ESR_FROM + seen):.0f} points would have been seen)" if seen else ""
    text += f"; {found['last attempt worse'].percent} do worse instead, and under random directions it is {stray}."
    return text + (f" Not pushed alike, and not to be compared: {', '.join(apart)}." if apart else "")

"""From attempts with scores to the rates of every arm, over all texts, and to a verdict per model."""

from collections.abc import Iterator, Sequence

from experiments.endogenous_resistance.comparisons import alignment_rows, detector_rows, episode_rows, judge_rows
from experiments.endogenous_resistance.controls import ORDER, TOLERANCE, checks, first_score
from experiments.endogenous_resistance.parts import ABLATION, FINETUNED, META_PROMPT, RANDOM_ABLATION, sweep_level
from experiments.endogenous_resistance.scene_pairs import (
    first_attempts_apart,
    improved,
    more_often,
    rate,
    scene_pairs,
    unscored_restart,
    worse,
)
from experiments.endogenous_resistance.sentences import sentence
from experiments.endogenous_resistance.verdicts import REQUIRED, evidence, grounds, verdict
from experiments.shared.side_effect_rows import damage_rows
from introlab.records.findings import Check, Findings, Ground, Row
from introlab.records.trial import Trial
from introlab.stats.estimates import mean, proportion

PRIMARY = "ESR rate beyond no steering"
AS_NOT_IMPROVED = ", incoherent as not improved"
BEYOND_PUSH = "first-attempt score beyond that of the push"
FAS_APART = 0.05
"""Arms whose first attempts differ by more are not to be compared (five points of a hundred)."""


def findings(trials: Sequence[Trial], target: float) -> Findings:
    """The published rates of every arm, the checks, and what is said of each model."""
    rows: list[Row] = []
    controls: list[Check] = []
    verdicts: dict[str, str] = {}
    asked: dict[str, tuple[Ground, ...]] = {}
    sentences: list[str] = []
    models = sorted({trial.model for trial in trials})
    for model in models:
        mine = [trial for trial in trials if trial.model == model]
        tests = [trial for trial in mine if trial.split == "test"]
        written = [trial for trial in tests if "scores" in trial.readings]
        own = [*_rows(model, written, target), *_evidence_rows(model, written), *damage_rows(model, tests)]
        for more in (detector_rows, judge_rows, episode_rows, alignment_rows):
            own += more(model, mine)
        found = list(checks(written, target, f" ({model})" if len(models) > 1 else ""))
        strict = evidence(written, incoherent=False)
        verdicts[model], asked[model] = verdict(strict, found), grounds(strict)
        # With incoherent texts kept, that they are many does not stop the word.
        kept = verdict(
            evidence(written, incoherent=True), found, required=[each for each in REQUIRED if each != "coherence"]
        )
        pushed = [trial for trial in written if trial.condition == "push"]
        sentences.append(sentence(model, verdicts[model], kept, strict, first_score(pushed), found, _not_alike(own)))
        rows += own
        controls += found
    return Findings(tuple(rows), tuple(controls), " ".join(sentences), verdicts, asked)


def _not_alike(rows: Sequence[Row]) -> list[str]:
    far = (row for row in rows if row.measure == BEYOND_PUSH and abs(row.estimate.value or 0) > FAS_APART)
    return [str(row.where["arm"]) for row in far]


def _evidence_rows(model: str, written: Sequence[Trial]) -> Iterator[Row]:
    """What the verdict rests on, with incoherent texts kept and counted as not improved."""
    where = {"model": model}
    for incoherent, label in ((True, ""), (False, AS_NOT_IMPROVED)):
        found = evidence(written, incoherent=incoherent)
        yield Row(f"{PRIMARY}{label}", where, found.beyond_none, "primary" if incoherent else "secondary")
        yield Row(f"ESR rate beyond random directions{label}", where, found.beyond_random)
        yield Row(f"better minus worse{label}", where, found.net)
        yield Row(f"better minus worse, less half of restarts{label}", where, found.beyond_half)
        if incoherent:
            yield Row("multi-attempt rate beyond no steering", where, found.restarts)


def _rows(model: str, written: Sequence[Trial], target: float) -> Iterator[Row]:
    """The rates of every condition; then how far each pushed arm's first attempts are from those of the push."""
    conditions = sorted({trial.condition for trial in written}, key=lambda name: (name not in ORDER, name))
    for condition in conditions:
        yield from _rates(model, condition, [trial for trial in written if trial.condition == condition])
    for condition in conditions:
        if condition == RANDOM_ABLATION or any(condition in each for each in (ABLATION, META_PROMPT, FINETUNED)):
            pairs, where = scene_pairs(written, condition, "push"), {"model": model, "arm": condition}
            yield Row(BEYOND_PUSH, where, first_attempts_apart(pairs), "control")
            several = more_often(pairs, lambda trial: bool(trial.outcomes["several"]))
            yield Row("multi-attempt rate beyond that of the push", where, several)
            yield Row("ESR rate beyond that of the push", where, more_often(pairs, improved))
            silenced = [t for t in written if t.condition == condition and len(t.receipts) == 2]
            if silenced:
                taken = mean([t.receipts[0].share for t in silenced], [t.cluster for t in silenced])
                yield Row("silenced, as share of the residual norm", where, taken, "control")
    yield from _strengths(model, [trial for trial in written if trial.condition == "push"], target)


def _rates(model: str, condition: str, cell: Sequence[Trial]) -> Iterator[Row]:
    """Rates leave nothing out: a restart without a score counts as one, and as not improved. Scores are of texts that
    have them, which are counted."""
    where: dict[str, str | float | None] = {"model": model}
    level = sweep_level(condition)
    if level is not None:
        where["level"] = level
    else:
        where["arm"] = condition
    role = "control" if condition in ORDER and condition != "push" else "secondary"
    again = [trial for trial in cell if trial.outcomes["several"]]
    whole = [trial for trial in cell if not trial.outcomes["degraded"]]
    known = [trial for trial in cell if _scored(trial)]
    gains = mean([t.readings["gain"] for t in known], [t.cluster for t in known], within=(-1.0, 1.0))
    yield Row("first-attempt score", where, first_score(cell), role)
    yield Row("multi-attempt rate", where, rate(cell, lambda trial: bool(trial.outcomes["several"])), role)
    yield Row("improvement rate", where, rate(again, improved), role)
    yield Row("ESR rate", where, rate(cell, improved), role)
    yield Row("mean score improvement", where, gains, role)
    yield Row("ESR rate, degraded left out", where, rate(whole, improved), role)
    yield Row(f"ESR rate{AS_NOT_IMPROVED}", where, rate(cell, lambda t: improved(t, incoherent=False)), role)
    yield Row("last attempt worse", where, rate(cell, worse), role)
    for outcome in ("degraded", "incoherent"):
        yield Row(outcome, where, rate(cell, lambda trial, name=outcome: bool(trial.outcomes[name])), role)
    yield Row("restarts without a score", where, rate(cell, unscored_restart), role)
    yield Row("without a score", where, rate(cell, lambda trial: not _scored(trial)), "detail")


def _scored(trial: Trial) -> bool:
    """Whether its first and its last attempt have a score."""
    return trial.readings["first_score"] is not None and trial.readings["gain"] is not None


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

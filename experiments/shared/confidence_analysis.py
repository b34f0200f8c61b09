"""From answers and readings to what each confidence is worth."""

from collections.abc import Iterator, Sequence

from experiments.shared.answered_questions import checks, columns, over_deals, reliability
from introlab.records.findings import Findings, Row
from introlab.records.trial import Trial
from introlab.stats.discrimination import (
    auroc,
    calibration_error,
    rank_correlation,
    within_levels_auroc,
)
from introlab.stats.estimates import mean, proportion
from introlab.stats.power import would_have_been_seen

SIGNALS = {
    "stated_after": "says, after answering",
    "stated_before": "says, before answering",
    "token_confidence": "probability of its answer",
    "probed_confidence": "probe on the residual stream",
}
BASELINES = {
    "text_only": "words of the question",
    "length": "length of the question",
    "position": "position of the answer",
    "embedding": "embeddings of the question",
}


def findings(trials: Sequence[Trial]) -> Findings:
    """Per model: what each signal separates, how calibrated it is, what the probe has over its baselines."""
    models = sorted({trial.model for trial in trials})
    rows, checked, sentences = [], [], []
    for model in models:
        tested = [trial for trial in trials if trial.model == model and trial.split == "test"]
        answered = [trial for trial in tested if trial.outcomes["right"] is not None]
        mine = [*_accuracy_rows(model, tested), *_signal_rows(model, answered), *_baseline_rows(model, answered)]
        rows += mine
        checked += checks(model, answered, "probed_confidence", BASELINES, several=len(models) > 1)
        sentences.append(_sentence(model, mine))
    return Findings(tuple(rows), tuple(checked), " ".join(sentences))


def _accuracy_rows(model: str, tested: Sequence[Trial]) -> Iterator[Row]:
    yield Row(
        "answered in kind",
        {"model": model},
        proportion([trial.outcomes["right"] is not None for trial in tested], [trial.cluster for trial in tested]),
        "detail",
    )
    cells = sorted(
        {(str(t.outcomes["kind"]), str(t.outcomes["level"])) for t in tested},
        key=lambda cell: (cell[0], len(cell[1]), cell[1]),
    )
    for kind, level in cells:
        cell = [
            t
            for t in tested
            if (t.outcomes["kind"], t.outcomes["level"]) == (kind, level) and t.outcomes["right"] is not None
        ]
        where = {"model": model, "kind": kind, "level": level}
        yield Row(
            "accuracy",
            where,
            proportion([bool(t.outcomes["right"]) for t in cell], [t.cluster for t in cell]),
            "detail",
        )
        for name in SIGNALS:
            values, _, clusters, _ = columns(cell, name)
            yield Row(f"mean {name}", where, mean(values, clusters), "detail")


def _signal_rows(model: str, answered: Sequence[Trial]) -> Iterator[Row]:
    for name in SIGNALS:
        values, right, clusters, levels = columns(answered, name)
        role = "primary" if name == "stated_after" else "secondary"
        yield Row(f"auroc of {name}", {"model": model}, auroc(values, right, clusters), role)
        yield Row(
            f"auroc within levels of {name}", {"model": model}, within_levels_auroc(values, right, levels, clusters)
        )
        yield Row(f"calibration error of {name}", {"model": model}, calibration_error(values, right, clusters))
        yield from reliability(model, name, values, right, clusters)
        if name != "stated_after":
            both = [
                t for t in answered if t.readings.get(name) is not None and t.readings.get("stated_after") is not None
            ]
            yield Row(
                f"agreement of stated_after with {name}",
                {"model": model},
                rank_correlation(
                    [t.readings["stated_after"] for t in both],
                    [t.readings[name] for t in both],
                    [t.cluster for t in both],
                ),
            )


def _baseline_rows(model: str, answered: Sequence[Trial]) -> Iterator[Row]:
    for name in BASELINES:
        values, right, clusters, _ = columns(answered, name)
        yield Row(f"auroc of {name}", {"model": model}, auroc(values, right, clusters), "control")
    yield Row("auroc of shuffled_labels", {"model": model}, over_deals(answered), "control")


def _sentence(model: str, rows: Sequence[Row]) -> str:
    found = {row.measure: row.estimate for row in rows if "level" not in row.where}
    stated, probe, token = (
        found[f"auroc of {name}"] for name in ("stated_after", "probed_confidence", "token_confidence")
    )
    within = found["auroc within levels of stated_after"]
    verdict = (
        "knows more often than not when it is right, and says so"
        if stated.above(0.5)
        else "says nothing about being right that this run could tell from chance"
    )
    worth = f"{stated}" if stated.above(0.5) else f"{stated} ({would_have_been_seen(stated, 0.5)})"
    return (
        f"{model} {verdict}: what it says separates right from wrong answers with AUROC {worth}, the probability of "
        f"its answer with {token}, a probe with {probe}; among equally difficult questions its word is worth {within}."
    )

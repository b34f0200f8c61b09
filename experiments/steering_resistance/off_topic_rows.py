"""How well the off-topic probe does on texts it was not fitted on."""

from collections.abc import Iterator, Sequence

from experiments.steering_resistance.labels import DETECTOR
from introlab.records.findings import Row
from introlab.records.trial import Trial
from introlab.stats.discrimination import auroc


def detector_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """How well the detector tells words off topic from words on it: under pushes of all strengths, and where both
    topics were asked for, so that no word is off topic."""
    for arm in ("prompting", "push"):
        found = [
            (score, owned < 0, trial.cluster)
            for trial in trials
            if trial.condition == arm and DETECTOR in trial.readings
            for owned, score in zip(trial.readings["on_topic"], trial.readings[DETECTOR], strict=True)
            if score is not None
        ]
        if found:
            yield Row(
                "detector: AUROC of words off topic", {"model": model, "arm": arm}, auroc(*zip(*found, strict=True))
            )

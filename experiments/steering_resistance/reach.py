"""Which strengths of equal effect were found, and the texts that may be compared at them."""

from collections.abc import Iterator, Sequence

from experiments.shared.condition_families import KindTopic, TopicPair
from experiments.steering_resistance.labels import DIFFERENCE, EQUAL_EFFECT, PROBE
from introlab.records.findings import Row
from introlab.records.trial import Trial
from introlab.stats.estimates import proportion


def reach_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """For how many directions there is a strength at which first attempts score the target, before texts break."""
    found = [trial for trial in trials if trial.condition == "calibration"]
    kinds: dict[str, tuple[str, ...]] = {
        kind: (kind,) for kind in sorted({str(trial.readings["kind"]) for trial in found})
    }
    if kinds:
        kinds["towards the topic"] = (DIFFERENCE, PROBE)
    for name, members in kinds.items():
        some = [trial for trial in found if trial.readings["kind"] in members]
        share = proportion([reaches(trial) for trial in some], [trial.cluster for trial in some])
        yield Row("directions that reach the wanted score", {"model": model, "kind": name}, share)


def reaches(trial: Trial) -> bool:
    return trial.outcomes["reached"] != "no" and not trial.outcomes["why"]


def comparable(trials: Sequence[Trial]) -> list[Trial]:
    """Test texts, but for those at a strength that was sought for equal effect and does not have it."""
    found = [trial for trial in trials if trial.condition == "calibration"]
    out = {KindTopic.parse(trial.item) for trial in found if not reaches(trial)}
    return [
        trial
        for trial in trials
        if trial.split == "test"
        and not ((kind := EQUAL_EFFECT.member(trial.condition)) and KindTopic(kind, _towards(trial)) in out)
    ]


def _towards(trial: Trial) -> str:
    return TopicPair.parse(trial.cluster).towards

"""The course of texts, arm by arm: whether they left, said so, came back, and how."""

from collections.abc import Iterator, Sequence

from experiments.steering_resistance.labels import EQUAL_DOSE, EQUAL_EFFECT
from experiments.steering_resistance.scopes import average, average_of, rate, share_of
from introlab.records.findings import Coordinate, Findings, Role, Row
from introlab.records.trial import Trial
from introlab.stats.interval import Estimate
from probes.text.recovery import recovery

ARMS = {
    "baseline": "no push",
    "prompting": "asked in words",
    "push": "topic direction",
    "random_direction": "random direction",
}
COURSES = (
    "stays on topic",
    "announces and returns",
    "returns silently",
    "announces, does not return",
    "off topic",
    "announces without cause",
    "incoherent",
)
"""What can become of a text; each is exactly one of these."""


def cells(trials: Sequence[Trial]) -> dict[tuple[str, float | None], list[Trial]]:
    """Texts written from the start, by arm and strength. Of arms whose strength differs from direction to direction it
    is None."""
    found: dict[tuple[str, float | None], list[Trial]] = {}
    for trial in trials:
        if trial.condition in ARMS:
            found.setdefault((trial.condition, trial.strength), []).append(trial)
        elif trial.condition in EQUAL_DOSE or trial.condition in EQUAL_EFFECT:
            found.setdefault((trial.condition, None), []).append(trial)
    return dict(sorted(found.items(), key=lambda cell: (cell[0][0], cell[0][1] or 0.0)))


def text_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """Incoherent texts are counted, and then left out of everything else."""
    for (arm, strength), cell in cells(trials).items():
        where: dict[str, Coordinate] = {"model": model, "arm": arm, "strength": strength}
        role: Role = "secondary" if arm == "push" else "control"
        coherent = [trial for trial in cell if not trial.outcomes["incoherent"]]
        intruded = [trial for trial in coherent if trial.outcomes["intruded"]]
        yield Row("incoherent", where, rate(cell, "incoherent"), role)
        yield Row("intruded", where, rate(coherent, "intruded"), role)
        yield Row("announced", where, rate(coherent, "announced"), role)
        yield Row("announced of intruded", where, rate(intruded, "announced"), role)
        yield Row("returned of intruded", where, rate(intruded, "returned"), role)
        yield Row("off_share", where, average(coherent, "off_share"), role)
        yield Row("first-attempt score", where, average(coherent, "first_attempt"), role)
        yield from _published(where, cell)
        yield from _silent(where, intruded)
        if strength != 0:
            doses = [(receipt.share, trial) for trial in cell for receipt in trial.receipts]
            yield Row("dose as share of the residual norm", where, average_of(doses), "detail")


def course_rows(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """Shares that sum to 1, of every arm with a strength of its own."""
    for (arm, strength), cell in cells(trials).items():
        if strength is None:
            continue
        courses = [course(trial) for trial in cell]
        for name in COURSES:
            where = {"model": model, "arm": arm, "strength": strength, "course": name}
            share = share_of([(each == name, trial) for each, trial in zip(courses, cell, strict=True)])
            yield Row("share of texts", where, share, "detail")


def course(trial: Trial) -> str:
    """Which of COURSES a text took. One whose return cannot be told is held not to have returned."""
    told = trial.outcomes
    if told["incoherent"]:
        return "incoherent"
    if not told["intruded"]:
        return "announces without cause" if told["announced"] else "stays on topic"
    if told["returned"]:
        return "announces and returns" if told["announced"] else "returns silently"
    return "announces, does not return" if told["announced"] else "off topic"


def _published(where: dict[str, Coordinate], cell: Sequence[Trial]) -> Iterator[Row]:
    """What the study of endogenous steering resistance (arXiv 2602.06941) counts, from the same texts: attempts, cut
    where the text says that it starts again. Texts with an attempt that cannot be scored are left out."""
    scored = [trial for trial in cell if trial.readings["attempts"] and None not in trial.readings["attempts"]]
    if scored:
        several = [(len(trial.readings["attempts"]) > 1, trial) for trial in scored]
        better = [(trial.readings["attempts"][-1] > trial.readings["attempts"][0], trial) for trial in scored]
        yield Row("published: more than one attempt", where, share_of(several), "detail")
        yield Row("published: ESR rate", where, share_of(better), "detail")


def _silent(where: dict[str, Coordinate], intruded: Sequence[Trial]) -> Iterator[Row]:
    """Coming back without a word: only texts that left and did not announce it, sentence by sentence."""
    silent = [trial for trial in intruded if not trial.outcomes["announced"]]
    found = [(recovery(trial.readings["sentences_on_topic"]), trial) for trial in silent]
    slopes = [(one.slope, trial) for one, trial in found if one is not None and one.slope is not None]
    yield Row("gain on topic per sentence, silent", where, average_of(slopes), "detail")
    steps = [
        (float(index == one.at_risk - 1 and one.latency is not None), trial)
        for one, trial in found
        if one is not None
        for index in range(one.at_risk)
    ]
    yield Row("returns per sentence off topic, silent", where, share_of(steps), "detail")
    latencies = [(float(one.latency), trial) for one, trial in found if one is not None and one.latency is not None]
    yield Row("sentences until it is back, of those that are, silent", where, average_of(latencies), "detail")


def told_at(found: Findings, measure: str, arm: str, strength: float) -> Estimate:
    """A row of one model."""
    return found.estimate(measure, arm=arm, strength=strength)

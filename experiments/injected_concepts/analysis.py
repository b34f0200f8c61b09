"""From answers under injection to a verdict per model."""

from collections.abc import Iterator, Sequence

from experiments.injected_concepts.controls import checks
from experiments.injected_concepts.experiment import InjectedConcepts
from experiments.injected_concepts.labels import (
    ANSWER,
    BASELINE,
    BOTH,
    CACHE,
    DETECT,
    FLIPPED,
    PLACES,
    PROMPT,
    RANDOM,
    TARGET,
    UNRELATED,
    WITHOUT_YES,
    WRITTEN,
    YES_PUSH,
    in_order,
)
from experiments.injected_concepts.naming_rows import naming_rows, side_rows
from experiments.injected_concepts.remarks import remarks
from experiments.injected_concepts.verdicts import grounds_of, sentence, verdict
from experiments.shared.detection_rates import (
    beyond,
    beyond_entropy,
    by_unit,
    difference_in_differences,
    discrimination,
    paired,
    rate,
)
from introlab.records.findings import Check, Findings, Ground, Row
from introlab.records.trial import Trial
from introlab.stats.estimates import mean, proportion


def findings(trials: Sequence[Trial]) -> Findings:
    """Rates, differences of differences, the checks, and a verdict per model with what else could explain it."""
    rows: list[Row] = []
    controls: list[Check] = []
    verdicts: dict[str, str] = {}
    grounds: dict[str, tuple[Ground, ...]] = {}
    sentences: list[str] = []
    told: list[str] = []
    models = in_order((trial.model for trial in trials), InjectedConcepts.models)
    for model in models:
        mine = [trial for trial in trials if trial.model == model]
        tested = [trial for trial in mine if trial.split == "test"]
        found = Findings(tuple(_rows(model, mine, tested)), (), "")
        rows += found.rows
        grounds[model] = grounds_of(found)
        verdicts[model] = verdict(grounds[model])
        controls += checks(found, f" ({model})" if len(models) > 1 else "")
        told += remarks(model, found)
        sentences.append(sentence(model, verdicts[model], grounds[model], found, tested))
    return Findings(tuple(rows), tuple(controls), " ".join(sentences), verdicts, grounds, tuple(told))


def arm_of(
    trials: Sequence[Trial], asked: str, arm: str, place: str = PROMPT, *, informed: bool = False
) -> list[Trial]:
    """The trials of one arm."""
    wanted = (asked, arm, place)
    return [
        trial
        for trial in trials
        if (trial.outcomes["asked"], trial.outcomes["arm"], trial.outcomes.get("place")) == wanted
        and (", informed" in trial.readings.get("question", "")) is informed
    ]


def _rows(model: str, mine: Sequence[Trial], tested: Sequence[Trial]) -> Iterator[Row]:
    yield from _said(model, tested)
    yield from _beyond(model, tested)
    yield from _discriminated(model, tested)
    yield from _places(model, tested)
    yield from _map(model, [trial for trial in mine if trial.split == "calibrate"])
    yield from naming_rows(model, tested)
    yield from side_rows(model, tested)


def _said(model: str, tested: Sequence[Trial]) -> Iterator[Row]:
    """How often it says yes, and how often it answers at all, in every arm."""
    for asked in (DETECT, UNRELATED):
        for arm in (BASELINE, RANDOM, TARGET, FLIPPED, WITHOUT_YES, YES_PUSH, WRITTEN):
            if not (cell := arm_of(tested, asked, arm)):
                continue
            where = {"model": model, "question": asked, "arm": arm}
            role = "control" if arm != TARGET else "secondary"
            yield Row("says yes", where, rate(by_unit(cell)), role)
            usable = proportion([trial.outcomes["usable"] for trial in cell], [trial.cluster for trial in cell])
            yield Row("answers in kind", where, usable, "detail")
            entropy = mean([trial.readings["entropy"] for trial in cell], [trial.cluster for trial in cell])
            yield Row("entropy (nats)", where, entropy, "detail")


def _beyond(model: str, tested: Sequence[Trial]) -> Iterator[Row]:
    """What concepts do beyond random directions, beyond always-no questions, beyond text and beyond entropy."""
    where = {"model": model}
    units = {
        (asked, arm): by_unit(arm_of(tested, asked, arm))
        for asked in (DETECT, UNRELATED)
        for arm in (BASELINE, TARGET, RANDOM, FLIPPED, WITHOUT_YES, WRITTEN)
    }
    target, stray, none = (units[DETECT, arm] for arm in (TARGET, RANDOM, BASELINE))
    target_no, stray_no = (units[UNRELATED, arm] for arm in (TARGET, RANDOM))
    yield Row(InjectedConcepts.primary, where, difference_in_differences(target, target_no, stray, stray_no), "primary")
    yield Row("yes beyond random directions", where, beyond(target, stray))
    yield Row("yes beyond random directions, always-no questions", where, beyond(target_no, stray_no))
    yield Row("yes beyond no push", where, beyond(target, none))
    yield Row("yes of random directions beyond no push", where, beyond(stray, none), "control")
    yield Row("yes beyond the sign flipped", where, paired(target, units[DETECT, FLIPPED]))
    yield Row("yes without its yes part, beyond random", where, beyond(units[DETECT, WITHOUT_YES], stray), "control")
    yield Row("yes beyond the concept as text", where, paired(target, units[DETECT, WRITTEN]), "control")
    arms = [arm_of(tested, DETECT, arm) for arm in (TARGET, RANDOM, BASELINE)]
    concept, entropy = beyond_entropy(*arms)
    yield Row("yes beyond random directions at equal entropy", where, concept, "control")
    yield Row("yes per nat of entropy", where, entropy, "control")


def _discriminated(model: str, tested: Sequence[Trial]) -> Iterator[Row]:
    """d' and criterion against no push, and against random directions of equal norm."""
    signal = arm_of(tested, DETECT, TARGET)
    for arm in (BASELINE, RANDOM):
        where = {"model": model, "against": arm}
        for name, estimate in zip(
            ("d'", "criterion"), discrimination(signal, arm_of(tested, DETECT, arm)), strict=True
        ):
            yield Row(name, where, estimate)


def _places(model: str, tested: Sequence[Trial]) -> Iterator[Row]:
    """The same where it is injected elsewhere, and where the prompt explains what is done."""
    cases = [(PLACES[place], place, False) for place in (ANSWER, BOTH, CACHE)] + [
        ("the question, informed", PROMPT, True)
    ]
    for label, place, informed in cases:
        cells = [
            by_unit(arm_of(tested, asked, arm, place, informed=informed))
            for asked, arm in ((DETECT, TARGET), (UNRELATED, TARGET), (DETECT, RANDOM), (UNRELATED, RANDOM))
        ]
        if not cells[0]:
            continue
        where = {"model": model, "injected into": label}
        yield Row("detected, by place", where, difference_in_differences(*cells))
        yield Row("says yes, by place", {**where, "arm": TARGET}, rate(cells[0]))
        yield Row("says yes, by place", {**where, "arm": RANDOM}, rate(cells[2]), "control")


def _map(model: str, searched: Sequence[Trial]) -> Iterator[Row]:
    """Layers and strengths, on the concepts and wordings by which they were chosen."""
    for layer, strength in sorted({(t.readings["layer"], t.strength) for t in searched if t.strength}):
        here = [t for t in searched if (t.readings["layer"], t.strength) == (layer, strength)]
        cells = [
            by_unit(arm_of(here, asked, arm))
            for asked, arm in ((DETECT, TARGET), (UNRELATED, TARGET), (DETECT, RANDOM), (UNRELATED, RANDOM))
        ]
        where = {"model": model, "layer": float(layer), "strength": strength}
        yield Row("detected, by layer and strength", where, difference_in_differences(*cells), "detail")
        yield Row("yes beyond random, by layer and strength", where, beyond(cells[0], cells[2]), "detail")

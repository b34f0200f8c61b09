"""From readings to where reflection can be read, how early, what that adds, whether it carries over and is used."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Self

import numpy as np

from experiments.reflection_localization.verdicts import MUST_BEAT, OF_THE_TEXT, PRIMARY, checks, sentence
from experiments.shared.condition_families import PERSONA
from experiments.shared.side_effect_rows import damage_rows
from introlab.records.findings import Check, Findings, Row
from introlab.records.trial import Trial
from introlab.stats.baseline_gain import gain_over
from introlab.stats.discrimination import auroc, permutation_mean_auroc, stratified_auroc
from introlab.stats.estimates import paired_difference, proportion
from introlab.stats.interval import Estimate, missing
from probes.text.horizons import EVERY_LEAD, LEADS, TARGETS
from probes.text.reflection_labels import KINDS, agreement
from steering.effect_estimates import Outcomes, effects

WHOSE = ("own", "another's")


def findings(trials: Sequence[Trial]) -> Findings:
    """Estimates, checks and the answer, model by model."""
    rows: list[Row] = []
    checked: list[Check] = []
    sentences: list[str] = []
    models = sorted({trial.model for trial in trials})
    for model in models:
        tested = [trial for trial in trials if trial.model == model and trial.split == "test"]
        found = Findings(tuple(_rows(model, tested)), (), "")
        rows += found.rows
        checked += checks(found, f" ({model})" if len(models) > 1 else "")
        sentences.append(sentence(model, found))
    return Findings(tuple(rows), tuple(checked), " ".join(sentences))


@dataclass(frozen=True)
class _Column:
    """One reading of the trials that have it and whose label is known."""

    values: list[float]
    labels: list[bool]
    levels: list[str]
    clusters: list[str]

    @classmethod
    def of(cls, trials: Sequence[Trial], reading: str, target: str = "reconsiders") -> Self:
        kept = [t for t in trials if t.readings.get(reading) is not None and t.outcomes.get(target) is not None]
        return cls.made(kept, [float(trial.readings[reading]) for trial in kept], target)

    @classmethod
    def made(cls, trials: Sequence[Trial], values: Sequence[float], target: str) -> Self:
        labels, levels = [bool(t.outcomes[target]) for t in trials], [str(t.outcomes["level"]) for t in trials]
        return cls(list(values), labels, levels, [trial.cluster for trial in trials])

    @property
    def auroc(self) -> Estimate:
        return auroc(self.values, self.labels, self.clusters) if self.values else missing("not read")

    @property
    def within(self) -> Estimate:
        return (
            stratified_auroc(self.values, self.labels, self.levels, self.clusters)
            if self.values
            else missing("not read")
        )


def _rows(model: str, tested: Sequence[Trial]) -> Iterator[Row]:
    written = [trial for trial in tested if trial.condition == "baseline"]
    known = [trial for trial in written if trial.outcomes["reconsiders"] is not None]
    read = [trial for trial in known if trial.readings]
    yield from _shares(model, written, known)
    yield from _main(model, read)
    yield from _by_lead(model, read)
    yield from _targets(model, read)
    yield from _transfer(model, read, [t for t in tested if t.condition in PERSONA])
    yield from _causes(model, [trial for trial in tested if trial.condition == "causality"])
    yield from _errors(model, [trial for trial in tested if trial.outcomes.get("whose")])
    yield from _labels(model, [trial for trial in written if trial.outcomes["planted"] is not None])
    yield from _map(model, read)
    yield from damage_rows(model, tested)


def _shares(model: str, written: Sequence[Trial], known: Sequence[Trial]) -> Iterator[Row]:
    where = {"model": model}
    decided = [trial.outcomes["reconsiders"] is not None for trial in written]
    yield Row("comes to a decision", where, proportion(decided, [trial.cluster for trial in written]))
    for target, name in zip(TARGETS, ("reconsiders", "first answer wrong", "revises", "next right"), strict=True):
        some = [trial for trial in known if trial.outcomes[target] is not None]
        share = proportion([bool(t.outcomes[target]) for t in some], [t.cluster for t in some])
        yield Row(name, where, share, "control" if target == "reconsiders" else "secondary")


def _main(model: str, read: Sequence[Trial]) -> Iterator[Row]:
    """At the place that was chosen on the tuning questions."""
    lead, layer = (int(read[0].readings[name]) if read else 0 for name in ("lead", "layer"))
    where, here = {"model": model, "layer": float(layer), "lead": float(lead)}, _Column.of(read, "main")
    yield Row(PRIMARY, where, here.within, "primary")
    yield Row("about to reconsider", where, here.auroc)
    deals = [trial.readings["shuffled_labels"] for trial in read]
    yield Row("probes of shuffled labels", where, permutation_mean_auroc(deals, here.labels), "control")
    for other in MUST_BEAT:
        yield Row("gain within levels", {"model": model, "over": other}, _gain(read, f"{other}_{lead}", "main"))


def _gain(read: Sequence[Trial], over: str, of: str) -> Estimate:
    """How much better one reading tells than another, on the same texts, among those of a level."""
    here, there = _Column.of(read, of), _Column.of(read, over)
    if not here.values or not there.values:
        return missing("not read")
    fitted = not over.startswith("p_reconsider")
    return gain_over(here.values, there.values, here.labels, here.clusters, levels=here.levels, fitted=fitted)


def _by_lead(model: str, read: Sequence[Trial]) -> Iterator[Row]:
    """The best layer of every lead, chosen on the tuning questions, and what it must beat at the same token."""
    for lead in EVERY_LEAD if read else ():
        for name in ("probe", *MUST_BEAT):
            if lead == 0 and name == "p_reconsider":
                continue  # there the word is not ahead: what comes next is something else
            role = "secondary" if name == "probe" else "control"
            here = _Column.of(read, f"{'reconsiders' if name == 'probe' else name}_{lead}")
            yield Row(name, {"model": model, "AUROC at lead": float(lead)}, here.auroc, role)
            yield Row(name, {"model": model, "AUROC within levels at lead": float(lead)}, here.within, role)
        for name in OF_THE_TEXT if lead else ():
            where = {"model": model, "gain within levels over": name, "lead": float(lead)}
            yield Row("gain ahead", where, _gain(read, f"{name}_{lead}", f"reconsiders_{lead}"), "detail")


def _targets(model: str, read: Sequence[Trial]) -> Iterator[Row]:
    """What else a text will turn out to be, read at every lead."""
    for target in TARGETS[1:]:
        known = any(f"{target}_{lead}" in trial.readings for trial in read for lead in LEADS)
        for lead in LEADS if known else LEADS[:1]:
            here, where = _Column.of(read, f"{target}_{lead}", target), {"model": model, "target": target}
            yield Row("AUROC", {**where, "lead": float(lead)}, here.auroc)
            yield Row("within levels", {**where, "lead": float(lead)}, here.within)


def _transfer(model: str, read: Sequence[Trial], personas: Sequence[Trial]) -> Iterator[Row]:
    """Probes of some questions at the place chosen on all of them, asked about others."""
    tested: dict[str, list[Trial]] = {}
    several = len({trial.outcomes["kind"] for trial in read}) > 1
    for trial in read:
        for name in ("all", trial.outcomes["half"], *([trial.outcomes["kind"]] if several else [])):
            tested.setdefault(name, []).append(trial)
    for trial in personas:
        if "fitted_on" in trial.readings:
            tested.setdefault(trial.condition, []).append(trial)
    for fitted in sorted({name for trial in read for name in trial.readings["fitted_on"]} & set(tested)):
        for name, some in sorted(tested.items()):
            values = [float(trial.readings["fitted_on"][fitted]) for trial in some]
            here, where = _Column.made(some, values, "reconsiders"), {"model": model, "fitted on": fitted}
            yield Row("AUROC", {**where, "tested on": name}, here.auroc)
            yield Row("within levels", {**where, "tested on": name}, here.within)


def _causes(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """Adding where it would rather let its answer stand, removing where it would rather reconsider."""
    stays = [trial for trial in trials if trial.readings["baseline"] < 0.5]
    goes = [trial for trial in trials if trial.readings["baseline"] >= 0.5]
    for some, wanted in ((stays, "sufficiency"), (goes, "necessity")):
        if not some:
            yield Row("beyond random", {"model": model, "effect": wanted}, missing("no such texts"))
            continue
        for name, effect in effects(_outcomes(some), [trial.cluster for trial in some]).items():
            if effect.kind == wanted:
                where, draws = {"model": model, "effect": name}, len(effect.random)
                yield Row("change", where, effect.change)
                yield Row("random directions", where, _spread(effect.random), "control")
                yield Row("beyond random", where, effect.beyond)
                share = Estimate(effect.rank / draws, None, None, draws, draws, "share of random directions")
                yield Row("share of random that do as much", where, share, "control")
    pairs = [(trial.readings["asked"], trial.readings["baseline"]) for trial in trials]
    asked = paired_difference(pairs, [trial.cluster for trial in trials], within=(0.0, 1.0))
    yield Row("asked in words to check", {"model": model}, asked, "control")


def _outcomes(trials: Sequence[Trial]) -> Outcomes:
    found: dict[tuple[str, int | None], list[float]] = {}
    for name, value in trials[0].readings.items():
        if name.endswith(" random"):
            for draw in range(len(value)):
                found[name.removesuffix(" random"), draw] = [trial.readings[name][draw] for trial in trials]
        else:
            found[name, None] = [trial.readings[name] for trial in trials]
    return found


def _spread(each: Sequence[float]) -> Estimate:
    low, high = np.quantile(each, [0.025, 0.975])
    return Estimate(float(np.mean(each)), float(low), float(high), len(each), len(each), "mean and range over draws")


def _errors(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """Right and wrong answers after the same questions: a pair is right where the wrong one scores higher."""
    for whose in WHOSE:
        some, where = [t for t in trials if t.outcomes["whose"] == whose], {"model": model, "whose": whose}
        pairs: dict[str, dict[bool, float]] = {}
        for trial in some:
            pairs.setdefault(trial.item, {})[trial.outcomes["wrong"]] = trial.readings["p_reconsider"]
        moved = paired_difference([(each[True], each[False]) for each in pairs.values()], list(pairs))
        yield Row("error read", where, _paired(some, "error", 1))
        yield Row("error by P(reconsider)", where, _paired(some, "p_reconsider", 1), "control")
        yield Row("error by the answer's improbability", where, _paired(some, "answer_probability", -1), "control")
        yield Row("P(reconsider), wrong less right", where, moved)
    wrong = [trial for trial in trials if trial.outcomes["wrong"]]
    mine, clusters = [trial.outcomes["whose"] == "own" for trial in wrong], [trial.cluster for trial in wrong]
    owner = auroc([t.readings["owner"] for t in wrong], mine, clusters) if wrong else missing("no planted answers")
    yield Row("own error told from another's", {"model": model}, owner)


def _paired(trials: Sequence[Trial], reading: str, sign: int) -> Estimate:
    kept = [trial for trial in trials if trial.readings[reading] is not None]
    if not kept:
        return missing("not read")
    values, wrong = [sign * trial.readings[reading] for trial in kept], [bool(t.outcomes["wrong"]) for t in kept]
    return stratified_auroc(values, wrong, [trial.item for trial in kept], [trial.cluster for trial in kept])


def _labels(model: str, trials: Sequence[Trial]) -> Iterator[Row]:
    """Keywords against what was planted, text by text."""
    clusters = [trial.cluster for trial in trials]
    for kind in KINDS if trials else ():
        said, true = ([kind in trial.outcomes[name] for trial in trials] for name in ("keywords", "planted"))
        where, found = {"model": model, "kind of reflection": kind}, agreement(said, true, clusters)
        yield Row("in texts", where, proportion(true, clusters))
        yield Row("in texts, by keywords", where, proportion(said, clusters))
        yield Row("precision of keywords", where, found.precision)
        yield Row("recall of keywords", where, found.recall)
        yield Row("kappa of keywords", where, found.kappa)


def _map(model: str, read: Sequence[Trial]) -> Iterator[Row]:
    """Every block at every lead, none of them chosen."""
    for target in TARGETS:
        some = [t for t in read if target in t.readings["map"] and t.outcomes[target] is not None]
        if not some:
            continue
        each = np.array([trial.readings["map"][target] for trial in some])
        for lead, layer in product(*map(range, each.shape[1:])):
            here = _Column.made(some, each[:, lead, layer].tolist(), target)
            where = {"model": model, "target": target, "layer": float(layer), "lead": float(lead)}
            yield Row("held-out AUROC", where, here.auroc, "detail")
            yield Row("held-out AUROC within levels", where, here.within, "detail")

"""Probes of reflection after every block and at every lead, all they must beat, and probes of some of the questions."""

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.shared.lookahead import Read, baselines_to_beat, residuals_ahead
from experiments.shared.reflection_cases import ReflectionCase, goes_on, reconsider_tokens
from introlab.activations.extract import Activations, mean_over
from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.network.model import Model
from introlab.network.random_init import untrained
from introlab.network.sites import Site
from introlab.stats.discrimination import auroc_of
from probes.linear.bank import Place, fit_each
from probes.linear.fit import fit_best, fit_probe, shuffled_scores
from probes.linear.probe import Probe
from probes.logit_lens import lens
from probes.text.horizons import EVERY_LEAD, LEADS
from probes.text.reflection import states

AHEAD = LEADS[1:]
"""Leads of which one is chosen: at lead 1 the model's own prediction of the word is read. After the last block nothing
is chosen either: at these tokens no later one can see it, so what is read there cannot be used."""
PENALTY = 10.0
"""Of the probes of the map, of which none is chosen."""
FEWEST = 3
"""Texts of either class, below which nothing is fitted."""

Key = tuple[Place, str, float]
"""Place, target and penalty of a probe."""
Labels = dict[str, list[bool | None]]


def labels_of(cases: Sequence[ReflectionCase]) -> Labels:
    """Every target's labels."""
    found: Labels = {}
    for case in cases:
        assert case.reflection is not None
        for target, label in states(case.reflection, case.question.answer).items():
            found.setdefault(target, []).append(label)
    return found


def level_of(case: ReflectionCase) -> str:
    return f"{case.question.kind} {case.question.level}"


@dataclass(frozen=True)
class ReflectionMap:
    """Fitted on some questions, places and penalties chosen on others; reads any third set."""

    bench: RunContext
    train: Sequence[ReflectionCase]
    trained: Read
    every: Mapping[Key, Probe]
    chosen: Mapping[tuple[str, int], Key]
    """By target and lead: the layer and penalty that tell most on the tuning questions."""
    main: Key
    """The same over the leads AHEAD and all blocks but the last, for reconsidering: what everything else rests on."""
    partial: Mapping[str, Probe]
    """At the main place: probes of the easy questions alone, of the hard ones, of every kind."""
    easy: frozenset[str]
    blank: Model
    baselines: Mapping[tuple[str, int], Probe]
    """Embeddings and an untrained network, by name and lead."""

    def half(self, case: ReflectionCase) -> str:
        """Easy, where fewer first answers of its level than of all were wrong among the questions fitted on."""
        return "easy" if level_of(case) in self.easy else "hard"

    def __call__(self, cases: Sequence[ReflectionCase], *, shuffles: int) -> list[dict[str, object]]:
        """Readings of each case. Raises SplitOverlap for one that was fitted on."""
        self.every[self.main].check_held_out([case.item for case in cases])
        here = residuals_ahead(self.bench, self.bench.model, cases, EVERY_LEAD)
        place, _, _ = self.main
        groups = [case.question.group for case in self.train]
        columns: dict[str, Sequence[object]] = {
            "lead": [place[1]] * len(cases),
            "layer": [place[0].layer] * len(cases),
            "main": self.every[self.main].log_odds(here[place]).tolist(),
            "map": self._map(here, len(cases)),
            "shuffled_labels": shuffled_scores(
                self.trained[place], goes_on(self.train), groups, here[place], model=self.bench.model, count=shuffles
            ),
            "fitted_on": self.transferred(here[place]),
        }
        for (target, lead), key in self.chosen.items():
            columns[f"{target}_{lead}"] = self.every[key].log_odds(here[key[0]]).tolist()
            columns[f"{target}_layer_{lead}"] = [key[0][0].layer] * len(cases)
        nothing = residuals_ahead(self.bench, self.blank, cases, EVERY_LEAD)
        for lead in EVERY_LEAD:
            beside = self._to_beat(cases, here, nothing, lead)
            columns |= {f"{name}_{lead}": scores for name, scores in beside.items()}
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def transferred(self, here: Activations) -> list[dict[str, float]]:
        """What the probes of some of the questions say at the main place."""
        scores = {name: probe.log_odds(here).tolist() for name, probe in self.partial.items()}
        return [dict(zip(scores, values, strict=True)) for values in zip(*scores.values(), strict=True)]

    def at_main(self, cases: Sequence[ReflectionCase]) -> list[dict[str, object]]:
        """`fitted_on` alone, for texts of other personas."""
        site, lead = self.main[0]
        here = residuals_ahead(self.bench, self.bench.model, cases, (lead,))[site, 0]
        return [{"fitted_on": each} for each in self.transferred(here)]

    def _map(self, here: Read, count: int) -> list[dict[str, list[list[float]]]]:
        """For each case, by target, log-odds [lead][layer], all of one penalty: nothing here is chosen."""
        targets = sorted({target for _, target, _ in self.every})
        sites = _sites(self.bench.model)
        scores = {
            target: np.array(
                [
                    [self.every[(site, lead), target, PENALTY].log_odds(here[site, lead]).numpy() for site in sites]
                    for lead in EVERY_LEAD
                ]
            ).transpose(2, 0, 1)
            for target in targets
        }
        return [{target: scores[target][index].astype(float).tolist() for target in targets} for index in range(count)]

    def _to_beat(
        self, cases: Sequence[ReflectionCase], here: Read, nothing: Read, lead: int
    ) -> dict[str, Sequence[float]]:
        model, last = self.bench.model, _sites(self.bench.model)[-1]
        ids = list(reconsider_tokens(model, self.bench.materials.wording))
        blank, embedding = (self.baselines[name, lead] for name in ("untrained_network", "embedding"))
        return {
            "p_reconsider": lens(model, here[last, lead].values)[:, ids].logsumexp(-1).tolist(),
            **dict(baselines_to_beat(model, self.train, cases, lead)),
            "embedding": embedding.log_odds(_embedded(self.bench, cases, lead)).tolist(),
            "untrained_network": blank.log_odds(nothing[blank.direction.site, lead]).tolist(),
        }


def fit_map(bench: RunContext, train: Sequence[ReflectionCase], tune: Sequence[ReflectionCase]) -> ReflectionMap:
    """Raises InputError where too few texts reconsider, or too few do not. Other targets are left out where that is so
    of them."""
    labels, tuning = labels_of(train), labels_of(tune)
    for name, values in (("fitted", labels.get("reconsiders", [])), ("chosen", tuning.get("reconsiders", []))):
        if not _enough(values):
            raise InputError(
                f"cannot tell: {bench.model.name} almost always or almost never reconsiders; nothing is left to read",
                given=f"of {len(values)} decisions a probe would be {name} on, {sum(map(bool, values))} reconsider",
                allowed=f"{FEWEST} or more of either kind",
                do="use questions after which it sometimes goes on with one of the reconsider_words of wording.json",
            )
    model, blank = bench.model, untrained(bench.model)
    trained, tuned = (residuals_ahead(bench, model, cases, EVERY_LEAD) for cases in (train, tune))
    targets = [name for name in labels if _enough(labels[name]) and _enough(tuning[name])]
    every = fitted(trained, {name: labels[name] for name in targets}, model=model)
    sites = _sites(model)
    chosen = {
        (name, lead): best(every, name, tuned, tuning[name], {(site, lead) for site in sites})
        for name in targets
        for lead in EVERY_LEAD
    }
    used = {(site, lead) for site in sites[:-1] or sites for lead in AHEAD}
    main = best(every, "reconsiders", tuned, tuning["reconsiders"], used)
    easy, sets = _easy(train), dict[str, list[bool]]()
    sets["easy"] = [level_of(case) in easy for case in train]
    sets["hard"] = [not each for each in sets["easy"]]
    sets |= {kind: [case.question.kind == kind for case in train] for kind in {case.question.kind for case in train}}
    partial = {"all": every[main]}
    for name, inside in sets.items():
        some = [goes for goes, kept in zip(goes_on(train), inside, strict=True) if kept]
        if _enough(some):
            partial[name] = fit_probe(trained[main[0]].where(inside), some, model=model, penalty=main[2])
    baselines = _baselines(bench, blank, train, tune)
    return ReflectionMap(bench, train, trained, every, chosen, main, partial, easy, blank, baselines)


def best(
    every: Mapping[Key, Probe], target: str, tuned: Read, labels: Sequence[bool | None], places: Container[Place]
) -> Key:
    """Of a target's probes at these places, the one that separates the tuning texts best; ties go to the earlier layer,
    the shorter lead and the larger penalty."""
    known = [label is not None for label in labels]
    truth = np.array([label for label in labels if label is not None], dtype=bool)

    def separates(key: Key) -> float:
        return round(auroc_of(every[key].log_odds(tuned[key[0]].where(known)).numpy(), truth), 6)

    return max((key for key in every if key[1] == target and key[0] in places), key=separates)


def fitted(trained: Read, labels: Labels, *, model: Model) -> dict[Key, Probe]:
    """Targets that are known of the same texts are fitted together."""
    alike: dict[tuple[bool, ...], dict[str, list[bool]]] = {}
    for target, values in labels.items():
        known = tuple(value is not None for value in values)
        alike.setdefault(known, {})[target] = [value for value in values if value is not None]
    found: dict[Key, Probe] = {}
    for known, some in alike.items():
        found |= fit_each({place: here.where(known) for place, here in trained.items()}, some, model=model)
    return found


def _enough(labels: Sequence[bool | None]) -> bool:
    return min(sum(label is side for label in labels) for side in (True, False)) >= FEWEST


def _easy(train: Sequence[ReflectionCase]) -> frozenset[str]:
    wrong: dict[str, list[bool]] = {}
    for case, label in zip(train, labels_of(train)["wrong"], strict=True):
        wrong.setdefault(level_of(case), []).append(bool(label))
    overall = np.mean([each for level in wrong.values() for each in level])
    return frozenset(level for level, each in wrong.items() if np.mean(each) < overall)


def _baselines(
    bench: RunContext, blank: Model, train: Sequence[ReflectionCase], tune: Sequence[ReflectionCase]
) -> dict[tuple[str, int], Probe]:
    """Fitted and chosen as the probe is."""
    found: dict[tuple[str, int], Probe] = {}
    goes, kept = goes_on(train), goes_on(tune)
    nothing, tuned = (residuals_ahead(bench, blank, cases, EVERY_LEAD) for cases in (train, tune))
    for lead in EVERY_LEAD:
        fitted, chosen = ([each[site, lead] for site in _sites(blank)] for each in (nothing, tuned))
        found["untrained_network", lead] = fit_best(fitted, goes, chosen, kept, model=blank)
        words, others = (_embedded(bench, cases, lead) for cases in (train, tune))
        found["embedding", lead] = fit_best([words], goes, [others], kept, model=bench.model)
    return found


def _sites(model: Model) -> list[Site]:
    return [Site(layer) for layer in range(model.n_layers)]


def _embedded(bench: RunContext, cases: Sequence[ReflectionCase], lead: int) -> Activations:
    """What enters the first block, averaged over the text up to this lead."""
    spans = [(0, max(0, case.decision - lead) + 1) for case in cases]
    return mean_over(
        bench.model, [case.text() for case in cases], Site(0, "resid_pre"), spans, batch_size=bench.batch_size
    )

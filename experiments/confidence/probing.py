"""Probes of being right at every layer and place, P(IK), and all they must beat."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.confidence.cases import AnsweredQuestion
from experiments.confidence.elicitation import embeddings
from experiments.confidence.labels import FRESH, PLACES
from experiments.confidence.passes import Looked, Read, look_at, sites_of
from experiments.confidence.transfer import fit_without_each_kind, on_fresh_kinds
from introlab.activations.extract import read
from introlab.errors import InputError
from introlab.experiment.context import RunContext
from introlab.network.model import Model
from introlab.network.random_init import untrained
from introlab.network.sites import Site
from probes.linear.bank import fit_bank
from probes.linear.baselines import numbers_only, text_only
from probes.linear.fit import fit_best, scores_of, shuffled_probes
from probes.linear.probe import Probe

PENALTY = 10.0
"""Of the probes of the map, of which none is chosen."""
MAIN = PLACES.index("before_answer")
"""Where the model's own probability of the answer is read, too."""


@dataclass(frozen=True)
class Probes:
    """Fitted on some questions, layer and penalty chosen on others; reads any third set."""

    bench: RunContext
    train: Sequence[AnsweredQuestion]
    chosen: Mapping[str, Probe]
    """By place; `p_ik` at the end of the prompt where there are samples to fit it on; `embedding` and
    `untrained_network`, chosen as the others are."""
    every: Mapping[tuple[tuple[Site, int], str], Probe]
    blank: Model
    deals: Sequence[Probe]
    """Fitted on shuffled labels."""
    without: Mapping[str, Probe]
    """By kind of question, fitted on all others."""

    def __call__(self, cases: Sequence[AnsweredQuestion], looked: Looked | None = None) -> list[dict[str, object]]:
        """Readings of each case, from what was `looked` at where it was. Raises SplitOverlap for one that was fitted
        on."""
        if not cases:
            return []
        self.chosen["before_answer"].check_held_out([case.question.id for case in cases])
        here = (looked or look_at(self.bench, cases)).residuals
        columns: dict[str, Sequence[object]] = {
            f"probed_{place}": self.chosen[place](here[self._site(place), index]).tolist()
            for index, place in enumerate(PLACES)
        }
        if "p_ik" in self.chosen:
            columns["p_ik"] = self.chosen["p_ik"](here[self._site("p_ik"), 0]).tolist()
        columns["probed_layer"] = [self._site("before_answer").layer] * len(cases)
        columns["map"] = self._map(here)
        columns[FRESH] = list(on_fresh_kinds(self.without, cases, here, MAIN))
        columns |= self._to_beat(cases, here)
        return [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]

    def _site(self, name: str) -> Site:
        return self.chosen[name].direction.site

    def _map(self, here: Read) -> list[list[list[float]]]:
        """Scores [case][place][layer], all of one penalty: nothing here is chosen."""
        scores = [
            [self.every[(site, index), "right"](here[site, index]).numpy() for site in sites_of(self.bench.model)]
            for index in range(len(PLACES))
        ]
        return np.array(scores).transpose(2, 0, 1).astype(float).tolist()

    def _to_beat(self, cases: Sequence[AnsweredQuestion], here: Read) -> dict[str, Sequence[object]]:
        train, right, site = self.train, _right(self.train), self._site("before_answer")
        blank = self._site("untrained_network")
        there = _residuals(self.bench, self.blank, cases, [blank])

        def numbers(value: Callable[[AnsweredQuestion], float]) -> list[float]:
            return numbers_only([value(one) for one in train], right, [value(one) for one in cases])

        return {
            "shuffled_labels": scores_of(self.deals, here[site, MAIN]),
            "text_only": text_only([one.question.text for one in train], right, [one.question.text for one in cases]),
            "length": numbers(lambda one: len(one.prompt)),
            "position": numbers(lambda one: one.positions[MAIN]),
            "embedding": self.chosen["embedding"](embeddings(self.bench, [one.text for one in cases])).tolist(),
            "untrained_network": self.chosen["untrained_network"](there[blank, MAIN]).tolist(),
        }


def fit_probes(
    bench: RunContext,
    train: Sequence[AnsweredQuestion],
    tune: Sequence[AnsweredQuestion],
    *,
    shuffles: int,
    looked: tuple[Looked, Looked] | None = None,
) -> Probes:
    """From what was `looked` at of both, where it was. Raises InputError where a class is missing: a probe needs right
    and wrong answers."""
    for name, cases in (("fitted", train), ("chosen", tune)):
        if len(set(_right(cases))) < 2:
            raise InputError(
                f"{bench.model.name} never answers, or is always right or always wrong: a probe needs both classes",
                given=f"of {len(cases)} answers it would be {name} on, {sum(_right(cases))} are right",
                do="use questions it can sometimes answer, in a wording it follows: see docs/materials.md",
            )
    model, blank, right = bench.model, untrained(bench.model), _right(train)
    sites = sites_of(model)
    trained, tuned = (each.residuals for each in looked or (look_at(bench, train), look_at(bench, tune)))

    def at(index: int, labels: Sequence[float], both: tuple[Read, Read], of: Model) -> Probe:
        fitted, kept = ([each[site, index] for site in sites] for each in both)
        return fit_best(fitted, labels, kept, _right(tune), model=of)

    own = trained, tuned
    chosen = {place: at(index, right, own, model) for index, place in enumerate(PLACES)}
    shares = [case.share_right for case in train]
    if 0 < sum(shares) < len(shares):
        chosen["p_ik"] = at(0, shares, own, model)
    asked, kept = (embeddings(bench, [case.text for case in cases]) for cases in (train, tune))
    chosen["embedding"] = fit_best([asked], right, [kept], _right(tune), model=model)
    nothing = _residuals(bench, blank, train, sites), _residuals(bench, blank, tune, sites)
    chosen["untrained_network"] = at(MAIN, right, nothing, blank)
    every = fit_bank(trained, {"right": right}, model=model, penalty=PENALTY)
    main, groups = (chosen["before_answer"].direction.site, MAIN), [case.question.group for case in train]
    deals = shuffled_probes(trained[main], right, groups, model=model, count=shuffles)
    without = fit_without_each_kind(model, train, trained, tune, tuned, MAIN)
    return Probes(bench, train, chosen, every, blank, deals, without)


def _right(cases: Sequence[AnsweredQuestion]) -> list[bool]:
    return [bool(case.right) for case in cases]


def _residuals(bench: RunContext, model: Model, cases: Sequence[AnsweredQuestion], sites: Sequence[Site]) -> Read:
    texts, places = [case.text for case in cases], [case.positions for case in cases]
    return read(model, texts, sites, places, batch_size=bench.batch_size)

"""Whether a probe of being right carries over to questions of a kind and in a wording it was not fitted on."""

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from experiments.confidence.cases import AnsweredQuestion
from experiments.confidence.passes import Read
from introlab.activations.extract import Activations
from introlab.network.model import Model
from introlab.network.sites import Site
from introlab.stats.discrimination import auroc_of
from probes.linear.bank import fit_each
from probes.linear.probe import Probe

PENALTY = 10.0
"""The one of the map: only the layer is chosen."""


def fit_without_each_kind(
    model: Model,
    train: Sequence[AnsweredQuestion],
    trained: Read,
    tune: Sequence[AnsweredQuestion],
    tuned: Read,
    place: int,
) -> dict[str, Probe]:
    """For each kind of question a probe fitted, and its layer chosen, on the other kinds alone; none where these have
    no right or no wrong answers. Wordings are not shared between splits, so those of the test are fresh, too."""
    found: dict[str, Probe] = {}
    for kind in sorted({case.question.kind for case in train}):
        fit, choose = ([case.question.kind != kind for case in cases] for cases in (train, tune))
        labels, truth = _kept(train, fit), _kept(tune, choose)
        if len(set(labels)) == 2 and len(set(truth)) == 2:
            sites = [site for site, at in trained if at == place]
            each = fit_each(
                {(site, place): trained[site, place].where(fit) for site in sites},
                {"": [float(one) for one in labels]},
                model=model,
                penalties=(PENALTY,),
            )
            kept = {site: tuned[site, place].where(choose) for site in sites}
            found[kind] = max(each.values(), key=lambda probe: _separates(probe, kept, truth))
    return found


def on_fresh_kinds(
    probes: Mapping[str, Probe],
    cases: Sequence[AnsweredQuestion],
    here: Mapping[tuple[Site, int], Activations],
    place: int,
) -> Iterator[float | None]:
    """Of each case the score of the probe that was fitted without its kind; None where there is none."""
    for row, case in enumerate(cases):
        probe = probes.get(case.question.kind)
        if probe is None:
            yield None
        else:
            only = [index == row for index in range(len(cases))]
            yield float(probe(here[probe.direction.site, place].where(only))[0])


def _kept(cases: Sequence[AnsweredQuestion], keep: Sequence[bool]) -> list[bool]:
    return [bool(case.right) for case, wanted in zip(cases, keep, strict=True) if wanted]


def _separates(probe: Probe, kept: Mapping[Site, Activations], truth: Sequence[bool]) -> float:
    scores = probe.log_odds(kept[probe.direction.site]).numpy()
    return round(auroc_of(scores, np.asarray(truth, dtype=bool)), 6)

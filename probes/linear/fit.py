"""One probe at one site, and the best of several: a bank of one, and a choice on examples kept for it."""

from collections.abc import Sequence

import numpy as np

from introlab.activations.extract import Activations
from introlab.network.model import Model
from introlab.stats.discrimination import auroc_of
from probes.linear.bank import Method, fit_bank, fit_each
from probes.linear.baselines import shuffles
from probes.linear.probe import Probe


def fit_probe(
    activations: Activations,
    labels: Sequence[float],
    *,
    model: Model,
    method: Method = "logistic",
    penalty: float | None = None,
) -> Probe:
    """A probe of one state at one site. Raises InputError and ModelMismatch as `fit_bank` does."""
    place = (activations.site, 0)
    return fit_bank({place: activations}, {"": labels}, model=model, method=method, penalty=penalty)[place, ""]


def shuffled_scores(
    train: Activations,
    labels: Sequence[bool],
    groups: Sequence[str],
    test: Activations,
    *,
    model: Model,
    count: int,
) -> list[list[float]]:
    """Scores [example][deal] of probes that were fitted on labels dealt anew, group by group."""
    return scores_of(shuffled_probes(train, labels, groups, model=model, count=count), test)


def shuffled_probes(
    train: Activations, labels: Sequence[bool], groups: Sequence[str], *, model: Model, count: int
) -> list[Probe]:
    """`count` probes, each fitted on labels that were dealt anew, group by group."""
    return list(fit_bank({(train.site, 0): train}, shuffles(labels, groups, count), model=model).values())


def scores_of(probes: Sequence[Probe], test: Activations) -> list[list[float]]:
    """Scores [example][probe]."""
    return np.stack([probe(test).numpy() for probe in probes], axis=1).astype(float).tolist()


def fit_best(
    train: Sequence[Activations],
    labels: Sequence[float],
    tune: Sequence[Activations],
    tuned: Sequence[bool],
    *,
    model: Model,
    method: Method = "logistic",
) -> Probe:
    """The probe, over these sites and the method's PENALTIES, that separates the tuning examples best.

    `train` and `tune` hold one Activations per site; ties go to the earlier site and the larger penalty. Labels may be
    shares. Neither set may be tested on.
    """
    each = fit_each({(here.site, 0): here for here in train}, {"": labels}, model=model, method=method)
    kept, truth = {there.site: there for there in tune}, np.asarray(tuned, dtype=bool)
    return max(
        each.values(), key=lambda probe: round(auroc_of(probe.log_odds(kept[probe.direction.site]).numpy(), truth), 6)
    )

"""One probe at one site, and the best of several: a bank of one, and a choice on examples kept for it."""

from collections.abc import Sequence

import numpy as np

from introlab.activations import Activations
from introlab.models import Model
from introlab.scores import auroc_of
from probes.bank import PENALTIES, Method, fit_bank
from probes.probe import Probe


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


def fit_best(
    train: Sequence[Activations],
    labels: Sequence[bool],
    tune: Sequence[Activations],
    tuned: Sequence[bool],
    *,
    model: Model,
    method: Method = "logistic",
) -> Probe:
    """The probe, over these sites and the method's PENALTIES, that separates the tuning examples best.

    `train` and `tune` hold one Activations per site, in the same order; ties go to the earlier site and the larger
    penalty. Neither set may be tested on.
    """
    candidates = [(here, there, one) for here, there in zip(train, tune, strict=True) for one in PENALTIES[method]]
    probes = [fit_probe(here, labels, model=model, method=method, penalty=one) for here, _, one in candidates]
    truth = np.asarray(tuned, dtype=bool)
    scores = [
        round(auroc_of(probe.log_odds(there).numpy(), truth), 6)
        for probe, (_, there, _) in zip(probes, candidates, strict=True)
    ]
    return probes[int(np.argmax(scores))]

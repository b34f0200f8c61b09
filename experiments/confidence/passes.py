"""One pass over answered questions, and what signals and probes take from it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from experiments.confidence.cases import AnsweredQuestion
from experiments.confidence.labels import PLACES
from introlab.activations.extract import Activations, read_with_logprobs
from introlab.activations.forward import Text
from introlab.experiment.context import RunContext
from introlab.network.model import Model
from introlab.network.sites import Site

Read = Mapping[tuple[Site, int], Activations]


@dataclass(frozen=True)
class Looked:
    """What one pass leaves of some answered questions."""

    residuals: Read
    """After every block, at each of PLACES, by site and index of the place: of those that have an answer, in order."""
    familiarity: Sequence[float]
    """How expected the question's tokens are, on average: of a person it has not met, less. Of every question."""


def look_at(bench: RunContext, cases: Sequence[AnsweredQuestion]) -> Looked:
    """Read every question with its answer once. Without cases there is nothing to look at."""
    if not cases:
        return Looked({}, ())
    texts = [Text(case.text.ids, 1, case.question.id) for case in cases]
    places = [case.positions if case.found is not None else [0] * len(PLACES) for case in cases]
    residuals, logprobs = read_with_logprobs(
        bench.model, texts, sites_of(bench.model), places, batch_size=bench.batch_size
    )
    kept = [case.found is not None for case in cases]
    known = residuals if all(kept) else {place: here.where(kept) for place, here in residuals.items()}
    asked = zip(logprobs, cases, strict=True)
    return Looked(known, [float(np.mean(each[: len(case.prompt) - 1])) for each, case in asked])


def joined(parts: Sequence[Looked]) -> Looked:
    """All cases of the parts, one after the other."""
    known = [part for part in parts if part.residuals]
    places = known[0].residuals if known else {}
    residuals = {place: Activations.concatenated([part.residuals[place] for part in known]) for place in places}
    return Looked(residuals, [each for part in parts for each in part.familiarity])


def sites_of(model: Model) -> list[Site]:
    """The output of every block."""
    return [Site(layer) for layer in range(model.n_layers)]

"""What can be read one to eight tokens ahead of the decision, and the readings it must beat."""

from collections.abc import Iterator, Sequence
from typing import Any

from experiments.shared.reflection_cases import ReflectionCase, decided, goes_on
from introlab.activations.extract import Activations, read
from introlab.experiment.context import RunContext
from introlab.network.model import Model
from introlab.network.sites import Site
from probes.linear.baselines import numbers_only, text_only
from probes.linear.fit import fit_best, shuffled_scores
from probes.text.horizons import LEADS

Read = dict[tuple[Site, int], Activations]


def readings_ahead(
    bench: RunContext,
    train: Sequence[ReflectionCase],
    tune: Sequence[ReflectionCase],
    test: Sequence[ReflectionCase],
    *,
    shuffles: int,
) -> dict[str, dict[str, Any]]:
    """For each test text, by its item, the scores of every lead's probe and of what it must beat.

    Fitted on `train`; layer and penalty chosen on `tune`; nothing of `test` is used before it is scored.
    """
    train, tune, test = decided(train), decided(tune), decided(test)
    trained, tuned, tested = (residuals_ahead(bench, bench.model, cases) for cases in (train, tune, test))
    sites, groups = [Site(layer) for layer in range(bench.model.n_layers)], [case.question.group for case in train]
    found: dict[str, dict[str, Any]] = {case.item: {} for case in test}
    for index, lead in enumerate(LEADS):
        probe = fit_best(
            [trained[site, index] for site in sites],
            goes_on(train),
            [tuned[site, index] for site in sites],
            goes_on(tune),
            model=bench.model,
        )
        at = probe.direction.site, index
        probe.direction.check_held_out([case.item for case in test])
        columns = {
            "probe": probe(tested[at]).tolist(),
            "layer": [probe.direction.site.layer] * len(test),
            "shuffled_labels": shuffled_scores(
                trained[at], goes_on(train), groups, tested[at], model=bench.model, count=shuffles
            ),
            **dict(baselines_to_beat(bench.model, train, test, lead)),
        }
        for name, values in columns.items():
            for case, value in zip(test, values, strict=True):
                found[case.item][f"{name}_{lead}"] = value
    return found


def residuals_ahead(
    bench: RunContext, model: Model, cases: Sequence[ReflectionCase], leads: Sequence[int] = LEADS
) -> Read:
    """The residual after every block, by site and index into the leads; a lead that would fall before the text is read
    at its first token."""
    sites = [Site(layer) for layer in range(model.n_layers)]
    positions = [[max(0, case.decision - lead) for lead in leads] for case in cases]
    return read(model, [case.text() for case in cases], sites, positions, batch_size=bench.batch_size)


def baselines_to_beat(
    model: Model, train: Sequence[ReflectionCase], test: Sequence[ReflectionCase], lead: int
) -> Iterator[tuple[str, Sequence[float]]]:
    """Scores of the test texts from the words up to this lead, the length of the prompt and the position."""

    def so_far(cases: Sequence[ReflectionCase]) -> list[str]:
        return [model.text(case.text().ids[: max(1, case.decision - lead + 1)]) for case in cases]

    def lengths(cases: Sequence[ReflectionCase]) -> list[float]:
        return [len(case.request.prompt) for case in cases]

    def positions(cases: Sequence[ReflectionCase]) -> list[float]:
        return [case.decision - lead for case in cases]

    labels = goes_on(train)
    yield "text_only", text_only(so_far(train), labels, so_far(test))
    yield "length", numbers_only(lengths(train), labels, lengths(test))
    yield "position", numbers_only(positions(train), labels, positions(test))

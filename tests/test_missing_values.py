"""Every public function of the statistics refuses the same inputs in the same way: missing values (None, NaN) in any
column, columns of different lengths, columns that are none, and values out of range. None of them fails raw."""

import inspect
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from introlab.errors import InputError
from introlab.stats import (
    answer_transitions,
    bootstrap,
    calibration_error,
    contrasts,
    discrimination,
    dose_response,
    effect_sizes,
    equivalence,
    estimates,
    multiple_testing,
    paired,
    power,
    rater_agreement,
    regression,
    selective_prediction,
    self_correction,
)
from introlab.stats.interval import Estimate
from introlab.stats.stratified_auroc import Separation

N = 40
RNG = np.random.default_rng(0)
CLUSTERS = [f"item {index // 2}" for index in range(N)]
APART = [f"item {index}" for index in range(N)]
VALUES = RNG.normal(size=N).tolist()
OTHERS = (np.array(VALUES) + RNG.normal(size=N)).tolist()
SHARES = RNG.random(N).tolist()
BITS = [index % 3 == 0 for index in range(N)]
FLAGS = [index % 2 == 0 for index in range(N)]
BACK = (FLAGS[1:] + FLAGS[:1])[::-1]
LABELS = ["a" if bit else "b" for bit in BITS]
AGAIN = ["a" if bit else "b" for bit in [*BITS[:30], *FLAGS[30:]]]
LEVELS = ["easy" if index < 20 else "hard" for index in range(N)]
DOSES = [float(index % 4) for index in range(N)]
PAIRS = [(float(one), float(other)) for one, other in zip(BITS, FLAGS, strict=True)]
WIDE = list(zip(VALUES, OTHERS, strict=True))
COUNTS = [index % 5 for index in range(N)]
TRIES = [10] * N
BOTH = {True: 1.0, False: -1.0}
STATES = list(answer_transitions.get_args(answer_transitions.State))
TRANSITIONS = list(answer_transitions.get_args(answer_transitions.Transition))


def of_two(first, second, clusters):
    return answer_transitions.prefix_dominance(first, second, clusters, clusters)


CALLS: dict[Callable[..., Any], tuple[Callable[..., Any], tuple[list[Any], ...]]] = {}
"""Of each public function: how it is called with columns, and columns it takes."""


def takes(function: Callable[..., Any], *columns: list[Any], call: Callable[..., Any] | None = None) -> None:
    CALLS[function] = (call or function, columns)


takes(estimates.proportion, BITS, CLUSTERS)
takes(estimates.mean, VALUES, CLUSTERS)
takes(estimates.bounded_mean, SHARES, CLUSTERS, call=lambda v, c: estimates.bounded_mean(v, c, (0.0, 1.0)))
takes(estimates.skewed_mean, SHARES, CLUSTERS)
takes(estimates.paired_difference, WIDE, CLUSTERS)
takes(estimates.rank_among, VALUES, call=lambda v: estimates.rank_among(0.5, v))
takes(
    estimates.cluster_bootstrap,
    CLUSTERS,
    call=lambda c: estimates.cluster_bootstrap(lambda i: float(len(i)), c, draws=5),
)
takes(discrimination.auroc, VALUES, BITS, CLUSTERS)
takes(discrimination.stratified_auroc, VALUES, BITS, LEVELS, CLUSTERS)
takes(discrimination.permutation_mean_auroc, WIDE, BITS)
takes(discrimination.auroc_difference, VALUES, OTHERS, BITS, CLUSTERS)
takes(
    discrimination.average_precision,
    VALUES,
    BITS,
    CLUSTERS,
    call=lambda v, b, c: discrimination.average_precision(v, b, c, draws=5),
)
takes(
    discrimination.rank_correlation,
    VALUES,
    OTHERS,
    CLUSTERS,
    call=lambda a, b, c: discrimination.rank_correlation(a, b, c, draws=5),
)
takes(calibration_error.expected_calibration_error, SHARES, BITS)
takes(calibration_error.calibration_error, SHARES, BITS, CLUSTERS)
takes(calibration_error.debiased_calibration_error, SHARES, BITS, CLUSTERS)
takes(rater_agreement.cohens_kappa, LABELS, AGAIN, CLUSTERS)
takes(
    rater_agreement.fleiss_kappa,
    LABELS,
    AGAIN,
    CLUSTERS,
    call=lambda a, b, c: rater_agreement.fleiss_kappa([a, b, a], c),
)
takes(rater_agreement.gwet_ac1, LABELS, AGAIN, CLUSTERS, call=lambda a, b, c: rater_agreement.gwet_ac1([a, b], c))
takes(equivalence.equivalent_mean, VALUES, CLUSTERS, call=lambda v, c: equivalence.equivalent_mean(v, c, (-1, 1)))
takes(
    equivalence.equivalent_arms, VALUES, FLAGS, CLUSTERS,
    call=lambda v, a, c: equivalence.equivalent_arms(v, a, c, (-1, 1)),
)  # fmt: skip
takes(selective_prediction.estimated, SHARES, BITS, CLUSTERS,
      call=lambda p, b, c: [selective_prediction.estimated(score, p, b, c, draws=5) for score in
                            (selective_prediction.brier, selective_prediction.area_under_risk,
                             selective_prediction.rejection_ratio, selective_prediction.accuracy_at(0.5))])  # fmt: skip
takes(selective_prediction.risk_by_coverage, SHARES, BITS)
takes(regression.linear, VALUES, OTHERS, CLUSTERS, call=lambda y, x, c: regression.linear(y, {"x": x}, c))
takes(regression.logistic, BITS, OTHERS, CLUSTERS, call=lambda y, x, c: regression.logistic(y, {"x": x}, c))
takes(regression.logistic_fit, BITS, OTHERS, CLUSTERS, call=lambda y, x, c: regression.logistic_fit(y, {"x": x}, c))
takes(regression.mixed, (np.array(VALUES) + np.repeat(RNG.normal(size=20), 2)).tolist(), DOSES, CLUSTERS,
      call=lambda y, x, c: regression.mixed(y, {"x": x}, c))  # fmt: skip
takes(paired.mcnemar, PAIRS, APART)
takes(paired.sign_flip, VALUES, CLUSTERS, call=lambda v, c: paired.sign_flip(v, c, draws=5))
takes(paired.paired_bootstrap, WIDE, CLUSTERS, call=lambda v, c: paired.paired_bootstrap(v, c, draws=5))
takes(paired.paired_rates, PAIRS, CLUSTERS)
takes(effect_sizes.hedges_g, VALUES, FLAGS, CLUSTERS)
takes(effect_sizes.sensitivity, BITS, FLAGS, CLUSTERS)
takes(effect_sizes.criterion, BITS, FLAGS, CLUSTERS)
takes(effect_sizes.correlation, VALUES, OTHERS, CLUSTERS)
takes(effect_sizes.within_conditions, VALUES, OTHERS, LEVELS, CLUSTERS)
takes(effect_sizes.between_conditions, VALUES, OTHERS, [f"condition {index % 8}" for index in range(N)])
takes(power.design_effect, VALUES, CLUSTERS)
takes(dose_response.logistic_curve, DOSES, BITS, CLUSTERS)
takes(dose_response.trend, DOSES, BITS, CLUSTERS, call=lambda d, b, c: dose_response.trend(d, b, c, draws=5))
takes(contrasts.contrast, VALUES, FLAGS, CLUSTERS, call=lambda v, f, c: contrasts.contrast(v, f, BOTH, c))
takes(contrasts.factorial, VALUES, FLAGS, BITS, CLUSTERS)
takes(contrasts.difference_in_differences, VALUES, FLAGS, BITS, CLUSTERS)
takes(bootstrap.cluster_totals, VALUES, CLUSTERS, call=lambda v, c: bootstrap.cluster_totals([v], c))
takes(bootstrap.bootstrap, VALUES, CLUSTERS,
      call=lambda v, c: bootstrap.bootstrap(lambda t: t[..., 0], [v], c, "sum", draws=5))  # fmt: skip
takes(bootstrap.jackknife, VALUES, CLUSTERS,
      call=lambda v, c: bootstrap.jackknife(lambda t: t[..., 0], [v], c, "sum"))  # fmt: skip
takes(self_correction.self_correction, BITS, FLAGS, CLUSTERS)
takes(self_correction.kept_and_repaired, BITS, FLAGS, CLUSTERS)
takes(self_correction.relative_score, BITS, FLAGS, CLUSTERS,
      call=lambda a, b, c: self_correction.relative_score(a, b, c, draws=5))  # fmt: skip
takes(self_correction.resampling_null, COUNTS, TRIES, CLUSTERS)
takes(self_correction.resampling_null_of, SHARES, CLUSTERS)
takes(answer_transitions.parrot_states, (STATES * 5)[:N], CLUSTERS)
takes(answer_transitions.follow_rate, LABELS, AGAIN, CLUSTERS)
takes(answer_transitions.transitions, LABELS, call=lambda c: answer_transitions.transitions(c, "a"))
takes(answer_transitions.transition_shares, [[TRANSITIONS[0], TRANSITIONS[2]]] * N, CLUSTERS)
takes(answer_transitions.attempts, WIDE, CLUSTERS)
takes(answer_transitions.prefix_dominance, BITS, FLAGS, CLUSTERS, call=of_two)
takes(multiple_testing.holm, SHARES)
takes(multiple_testing.benjamini_hochberg, SHARES)
takes(Separation.of, VALUES, BITS, CLUSTERS)

WITHOUT_COLUMNS = {
    "estimates": {"clopper_pearson", "difference", "percentiles", "root", "cluster_variance", "effective_trials",
              "most_trials", "alike", "cluster_draws"},
    "discrimination": {"auroc_of", "resampled", "reweighted"},
    "equivalence": {"equivalence"},
    "selective_prediction": {"accuracy_at"},
    "power": {"smallest_effect", "visible", "beside", "minimum_detectable", "trials_for_rates", "smallest_rise",
              "pairs_for_rates", "trials_for_d", "smallest_d", "design_effect_of", "rare_event_bound",
              "power_of_rates", "trials_to_show", "smallest_rate"},
    "contrasts": {"combined", "correlation_of_parts", "ratio"},
    "bootstrap": {"widened_percentiles", "resampled_totals", "around", "cluster_sizes"},
    "answer_transitions": {"parrot_state", "overthinking"},
}  # fmt: skip
"""Functions of numbers, of estimates, or of arrays that others have looked at."""


def name_of(function):
    return function.__qualname__


def test_every_public_function_is_called():
    known = {function for function in CALLS if inspect.isfunction(function)}
    for module in (answer_transitions, bootstrap, calibration_error, contrasts, discrimination, dose_response,
                   effect_sizes, equivalence, estimates, multiple_testing, paired, power, rater_agreement, regression,
                   selective_prediction, self_correction):  # fmt: skip
        short = module.__name__.rsplit(".", 1)[-1]
        for name, function in vars(module).items():
            own = inspect.isfunction(function) and function.__module__ == module.__name__ and name[0] != "_"
            assert not own or function in known or name in WITHOUT_COLUMNS.get(short, set()), f"{short}.{name}"


def values_in(found):
    """The numbers a result claims: of an estimate its value, of what holds others theirs; a test that ends in p = 1
    claims nothing."""
    if isinstance(found, Estimate):
        return [found.value]
    if hasattr(found, "p"):
        return [found.p] if found.p < 1 else []
    if isinstance(found, dict):
        return [value for each in found.values() for value in values_in(each)]
    if isinstance(found, list | tuple | np.ndarray):
        return [value for each in found for value in values_in(each)]
    if is_dataclass(found):
        return [value for each in fields(found) for value in values_in(getattr(found, each.name))]
    return [found] if isinstance(found, int | float) else []


@pytest.mark.parametrize("function", CALLS, ids=name_of)
def test_whole_columns_are_taken(function):
    """The positive control: nothing below is refused for another reason."""
    call, columns = CALLS[function]
    assert call(*columns) is not None


@settings(max_examples=400, deadline=None)
@given(st.sampled_from(list(CALLS)), st.data())
def test_missing_values_are_refused(function, data):
    """One value of one column is lost: of an outcome, a label, an answer, an arm, a level, or a cluster."""
    call, columns = CALLS[function]
    which, place = data.draw(st.integers(0, len(columns) - 1)), data.draw(st.integers(0, N - 1))
    lost = data.draw(st.sampled_from([None, float("nan"), np.float64("nan")]))
    column = list(columns[which])
    whole = column[place]
    column[place] = (lost, *whole[1:]) if isinstance(whole, tuple) else lost
    with pytest.raises(InputError):
        call(*columns[:which], column, *columns[which + 1 :])


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([each for each in CALLS if len(CALLS[each][1]) > 1]), st.data())
def test_columns_of_other_lengths_are_refused(function, data):
    call, columns = CALLS[function]
    which = data.draw(st.integers(0, len(columns) - 1))
    column = data.draw(st.sampled_from([columns[which][:-1], [*columns[which], columns[which][0]], [], None, 3]))
    with pytest.raises(InputError):
        call(*columns[:which], column, *columns[which + 1 :])


@pytest.mark.parametrize("function", CALLS, ids=name_of)
def test_no_trials_are_refused_or_have_no_value(function):
    call, columns = CALLS[function]
    try:
        found = call(*[[] for _ in columns])
    except InputError:
        return
    if function.__name__ == "rank_among":  # itself a p-value
        assert found == 1
    else:
        assert not [each for each in values_in(found) if each is not None and np.isfinite(each)], found


@pytest.mark.parametrize(
    "call",
    [
        lambda: estimates.proportion([5, -2, 0, 1], list("abcd")),
        lambda: estimates.mean([1.0, 3.0], list("ab"), within=(0.0, 2.0)),
        lambda: calibration_error.calibration_error([80.0, 70.0] * 10, [True, False] * 10, range(20)),
        lambda: calibration_error.expected_calibration_error([80.0, 70.0], [True, False]),
        lambda: selective_prediction.brier([1.4, 0.2], [True, False]),
        lambda: selective_prediction.estimated(selective_prediction.brier, [1.4, 0.2], [True, False], "ab"),
        lambda: discrimination.auroc([0.1, 0.2], [2, 0], list("ab")),
        lambda: effect_sizes.hedges_g([0.1, 0.2, 0.3, 0.4], [2, 0, 1, 0], list("abcd")),
        lambda: self_correction.resampling_null_of([1.2, 0.3], list("ab")),
        lambda: self_correction.Revisions.expected([1.2], [0.5], [0.5]),
        lambda: paired.mcnemar([(2, 1)], ["a"]),
        lambda: estimates.rank_among(float("nan"), [0.1] * 20),
        lambda: power.power_of_rates(20, 1.2, 0.4),
        lambda: power.pairs_for_rates(0.7, 0.6),
        lambda: answer_transitions.parrot_states(["no such state"], ["a"]),
        lambda: answer_transitions.follow_rate([float("nan"), "a"], ["a", "a"], list("ab")),
        lambda: rater_agreement.cohens_kappa([float("nan")] * 10, ["a"] * 10, range(10)),
    ],
)
def test_values_out_of_range_are_refused(call):
    with pytest.raises(InputError):
        call()

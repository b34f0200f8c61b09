"""Every public function of the statistics refuses the same inputs in the same way: missing values (None, NaN) in any
column, columns of different lengths, columns that are none, and values out of range. None of them fails raw."""

import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from introlab.errors import InputError
from introlab.stats import answer_transitions as answer_changes
from introlab.stats import bootstrap as resampling
from introlab.stats import (
    calibration_error,
    contrasts,
    dose_response,
    equivalence,
    paired,
    power,
    regression,
    self_correction,
)
from introlab.stats import discrimination as scores
from introlab.stats import effect_sizes as effects
from introlab.stats import estimates as stats
from introlab.stats import multiple_testing as multiplicity
from introlab.stats import rater_agreement as agreement
from introlab.stats import selective_prediction as selective
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
STATES = list(answer_changes.get_args(answer_changes.State))
TRANSITIONS = list(answer_changes.get_args(answer_changes.Transition))


def of_two(first, second, clusters):
    return answer_changes.prefix_dominance(first, second, clusters, clusters)


CALLS: dict[Callable[..., Any], tuple[Callable[..., Any], tuple[list[Any], ...]]] = {}
"""Of each public function: how it is called with columns, and columns it takes."""


def takes(function: Callable[..., Any], *columns: list[Any], call: Callable[..., Any] | None = None) -> None:
    CALLS[function] = (call or function, columns)


takes(stats.proportion, BITS, CLUSTERS)
takes(stats.mean, VALUES, CLUSTERS)
takes(stats.bounded_mean, SHARES, CLUSTERS, call=lambda v, c: stats.bounded_mean(v, c, (0.0, 1.0)))
takes(stats.skewed_mean, SHARES, CLUSTERS)
takes(stats.paired_difference, WIDE, CLUSTERS)
takes(stats.rank_among, VALUES, call=lambda v: stats.rank_among(0.5, v))
takes(stats.cluster_bootstrap, CLUSTERS, call=lambda c: stats.cluster_bootstrap(lambda i: float(len(i)), c, draws=5))
takes(scores.auroc, VALUES, BITS, CLUSTERS)
takes(scores.within_levels_auroc, VALUES, BITS, LEVELS, CLUSTERS)
takes(scores.auroc_over_deals, WIDE, BITS)
takes(scores.auroc_difference, VALUES, OTHERS, BITS, CLUSTERS)
takes(scores.average_precision, VALUES, BITS, CLUSTERS, call=lambda v, b, c: scores.average_precision(v, b, c, draws=5))
takes(scores.rank_correlation, VALUES, OTHERS, CLUSTERS, call=lambda a, b, c: scores.rank_correlation(a, b, c, draws=5))
takes(calibration_error.expected_calibration_error, SHARES, BITS)
takes(calibration_error.calibration_error, SHARES, BITS, CLUSTERS)
takes(calibration_error.debiased_calibration_error, SHARES, BITS, CLUSTERS)
takes(agreement.cohens_kappa, LABELS, AGAIN, CLUSTERS)
takes(agreement.fleiss_kappa, LABELS, AGAIN, CLUSTERS, call=lambda a, b, c: agreement.fleiss_kappa([a, b, a], c))
takes(agreement.gwet_ac1, LABELS, AGAIN, CLUSTERS, call=lambda a, b, c: agreement.gwet_ac1([a, b], c))
takes(equivalence.equivalent_mean, VALUES, CLUSTERS, call=lambda v, c: equivalence.equivalent_mean(v, c, (-1, 1)))
takes(
    equivalence.equivalent_arms, VALUES, FLAGS, CLUSTERS,
    call=lambda v, a, c: equivalence.equivalent_arms(v, a, c, (-1, 1)),
)  # fmt: skip
takes(selective.estimated, SHARES, BITS, CLUSTERS,
      call=lambda p, b, c: [selective.estimated(score, p, b, c, draws=5) for score in
                            (selective.brier, selective.area_under_risk, selective.rejection_ratio,
                             selective.accuracy_at(0.5))])  # fmt: skip
takes(selective.risk_by_coverage, SHARES, BITS)
takes(regression.linear, VALUES, OTHERS, CLUSTERS, call=lambda y, x, c: regression.linear(y, {"x": x}, c))
takes(regression.logistic, BITS, OTHERS, CLUSTERS, call=lambda y, x, c: regression.logistic(y, {"x": x}, c))
takes(regression.logistic_fit, BITS, OTHERS, CLUSTERS, call=lambda y, x, c: regression.logistic_fit(y, {"x": x}, c))
takes(regression.mixed, (np.array(VALUES) + np.repeat(RNG.normal(size=20), 2)).tolist(), DOSES, CLUSTERS,
      call=lambda y, x, c: regression.mixed(y, {"x": x}, c))  # fmt: skip
takes(paired.mcnemar, PAIRS, APART)
takes(paired.sign_flip, VALUES, CLUSTERS, call=lambda v, c: paired.sign_flip(v, c, draws=5))
takes(paired.paired_bootstrap, WIDE, CLUSTERS, call=lambda v, c: paired.paired_bootstrap(v, c, draws=5))
takes(paired.paired_rates, PAIRS, CLUSTERS)
takes(effects.hedges_g, VALUES, FLAGS, CLUSTERS)
takes(effects.sensitivity, BITS, FLAGS, CLUSTERS)
takes(effects.criterion, BITS, FLAGS, CLUSTERS)
takes(effects.correlation, VALUES, OTHERS, CLUSTERS)
takes(effects.within_conditions, VALUES, OTHERS, LEVELS, CLUSTERS)
takes(effects.between_conditions, VALUES, OTHERS, [f"condition {index % 8}" for index in range(N)])
takes(power.design_effect, VALUES, CLUSTERS)
takes(dose_response.logistic_curve, DOSES, BITS, CLUSTERS)
takes(dose_response.trend, DOSES, BITS, CLUSTERS, call=lambda d, b, c: dose_response.trend(d, b, c, draws=5))
takes(contrasts.contrast, VALUES, FLAGS, CLUSTERS, call=lambda v, f, c: contrasts.contrast(v, f, BOTH, c))
takes(contrasts.factorial, VALUES, FLAGS, BITS, CLUSTERS)
takes(contrasts.difference_in_differences, VALUES, FLAGS, BITS, CLUSTERS)
takes(resampling.cluster_totals, VALUES, CLUSTERS, call=lambda v, c: resampling.cluster_totals([v], c))
takes(resampling.bootstrap, VALUES, CLUSTERS,
      call=lambda v, c: resampling.bootstrap(lambda t: t[..., 0], [v], c, "sum", draws=5))  # fmt: skip
takes(resampling.jackknife, VALUES, CLUSTERS,
      call=lambda v, c: resampling.jackknife(lambda t: t[..., 0], [v], c, "sum"))  # fmt: skip
takes(self_correction.self_correction, BITS, FLAGS, CLUSTERS)
takes(self_correction.kept_and_repaired, BITS, FLAGS, CLUSTERS)
takes(self_correction.relative_score, BITS, FLAGS, CLUSTERS,
      call=lambda a, b, c: self_correction.relative_score(a, b, c, draws=5))  # fmt: skip
takes(self_correction.resampling_null, COUNTS, TRIES, CLUSTERS)
takes(self_correction.resampling_null_of, SHARES, CLUSTERS)
takes(answer_changes.parrot_states, (STATES * 5)[:N], CLUSTERS)
takes(answer_changes.follow_rate, LABELS, AGAIN, CLUSTERS)
takes(answer_changes.transitions, LABELS, call=lambda c: answer_changes.transitions(c, "a"))
takes(answer_changes.transition_shares, [[TRANSITIONS[0], TRANSITIONS[2]]] * N, CLUSTERS)
takes(answer_changes.attempts, WIDE, CLUSTERS)
takes(answer_changes.prefix_dominance, BITS, FLAGS, CLUSTERS, call=of_two)
takes(multiplicity.holm, SHARES)
takes(multiplicity.benjamini_hochberg, SHARES)
takes(Separation.of, VALUES, BITS, CLUSTERS)

WITHOUT_COLUMNS = {
    "stats": {"clopper_pearson", "missing", "difference", "percentiles", "root", "cluster_variance", "effective_trials",
              "alike", "cluster_draws"},
    "scores": {"auroc_of", "resampled", "reweighted"},
    "equivalence": {"equivalence"},
    "selective": {"accuracy_at"},
    "power": {"smallest_effect", "visible", "beside", "would_have_been_seen", "trials_for_rates", "smallest_rise",
              "pairs_for_rates", "trials_for_d", "smallest_d", "design_effect_of", "rare_event_bound",
              "trials_to_see_one", "power_of_rates", "trials_to_show"},
    "contrasts": {"combined", "correlation_of_parts", "ratio"},
    "resampling": {"widened_percentiles", "resampled_totals", "around", "cluster_sizes"},
    "answer_changes": {"parrot_state", "overthinking"},
}  # fmt: skip
"""Functions of numbers, of estimates, or of arrays that others have looked at."""


def name_of(function):
    return function.__qualname__


def test_every_public_function_is_called():
    known = {function for function in CALLS if inspect.isfunction(function)}
    for module in (agreement, answer_changes, calibration_error, contrasts, dose_response, effects, equivalence,
                   multiplicity, paired, power, regression, resampling, scores, selective, self_correction,
                   stats):  # fmt: skip
        short = module.__name__.rsplit(".", 1)[-1]
        for name, function in vars(module).items():
            own = inspect.isfunction(function) and function.__module__ == module.__name__ and name[0] != "_"
            assert not own or function in known or name in WITHOUT_COLUMNS.get(short, set()), f"{short}.{name}"


@pytest.mark.parametrize("function", CALLS, ids=name_of)
def test_whole_columns_are_taken(function):
    """The positive control: nothing below is refused for another reason."""
    call, columns = CALLS[function]
    call(*columns)


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
        call(*[[] for _ in columns])
    except InputError:
        return


@pytest.mark.parametrize(
    "call",
    [
        lambda: stats.proportion([5, -2, 0, 1], list("abcd")),
        lambda: stats.mean([1.0, 3.0], list("ab"), within=(0.0, 2.0)),
        lambda: calibration_error.calibration_error([80.0, 70.0] * 10, [True, False] * 10, range(20)),
        lambda: calibration_error.expected_calibration_error([80.0, 70.0], [True, False]),
        lambda: selective.brier([1.4, 0.2], [True, False]),
        lambda: selective.estimated(selective.brier, [1.4, 0.2], [True, False], "ab"),
        lambda: scores.auroc([0.1, 0.2], [2, 0], list("ab")),
        lambda: effects.hedges_g([0.1, 0.2, 0.3, 0.4], [2, 0, 1, 0], list("abcd")),
        lambda: self_correction.resampling_null_of([1.2, 0.3], list("ab")),
        lambda: self_correction.Revisions.expected([1.2], [0.5], [0.5]),
        lambda: paired.mcnemar([(2, 1)], ["a"]),
        lambda: stats.rank_among(float("nan"), [0.1] * 20),
        lambda: power.power_of_rates(20, 1.2, 0.4),
        lambda: power.pairs_for_rates(0.7, 0.6),
        lambda: answer_changes.parrot_states(["no such state"], ["a"]),
        lambda: answer_changes.follow_rate([float("nan"), "a"], ["a", "a"], list("ab")),
        lambda: agreement.cohens_kappa([float("nan")] * 10, ["a"] * 10, range(10)),
    ],
)
def test_values_out_of_range_are_refused(call):
    with pytest.raises(InputError):
        call()

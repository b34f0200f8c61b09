"""Contrasts, paired tests, effect sizes, agreement, power, equivalence: parity with other implementations and with
published examples, and what must not matter (order, names of clusters, which arm comes first)."""

import math

import numpy as np
import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.contingency_tables import mcnemar as peer_mcnemar
from statsmodels.stats.inter_rater import fleiss_kappa as peer_fleiss
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import NormalIndPower
from statsmodels.stats.proportion import confint_proportions_2indep
from statsmodels.stats.weightstats import DescrStatsW

from introlab.errors import InputError
from introlab.stats.contrasts import contrast, difference_in_differences, factorial, ratio
from introlab.stats.discrimination import auroc
from introlab.stats.effect_sizes import (
    between_conditions,
    correlation,
    criterion,
    hedges_g,
    sensitivity,
    within_conditions,
)
from introlab.stats.equivalence import equivalent_arms, equivalent_mean
from introlab.stats.estimates import clopper_pearson, difference, mean, proportion
from introlab.stats.interval import Estimate
from introlab.stats.multiple_testing import benjamini_hochberg, holm
from introlab.stats.paired import mcnemar, paired_bootstrap, paired_rates, sign_flip
from introlab.stats.power import (
    beside,
    design_effect,
    design_effect_of,
    minimum_detectable,
    pairs_for_rates,
    power_of_rates,
    rare_event_bound,
    smallest_d,
    smallest_effect,
    smallest_rate,
    smallest_rise,
    trials_for_d,
    trials_for_rates,
    trials_to_show,
    visible,
)
from introlab.stats.rater_agreement import cohens_kappa, fleiss_kappa

ALONE = [str(index) for index in range(1000)]
bits = st.lists(st.tuples(st.booleans(), st.booleans()), min_size=2, max_size=60)


@given(bits)
def test_mcnemar_is_statsmodels(pairs):
    table = np.zeros((2, 2))
    for one, other in pairs:
        table[int(one), int(other)] += 1
    assert mcnemar(pairs, ALONE[: len(pairs)]).p == pytest.approx(peer_mcnemar(table, exact=True).pvalue)


def test_mcnemar_refuses_pairs_that_are_not_independent():
    with pytest.raises(InputError, match="sign_flip"):
        mcnemar([(True, False)] * 4, list("aabb"))


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=12))
def test_sign_flips_are_scipys_permutations(values):
    """Every pattern of signs, as in scipy's exact paired permutation test."""
    exact = stats.permutation_test(
        (values,), lambda x, axis: np.abs(np.sum(x, axis=axis)), permutation_type="samples", alternative="greater"
    )
    assert sign_flip(values, ALONE[: len(values)]).p == pytest.approx(exact.pvalue)


def test_sign_flips_by_chance_agree_with_all_of_them():
    """The same sums in 14 clusters (all patterns) and, with one that adds nothing, in 15 (random ones): the p of 20,000
    draws has a standard error of .003."""
    values = np.random.default_rng(0).normal(0.4, 1, 14)
    exact = sign_flip(values, ALONE[:14]).p
    assert sign_flip([*values, 0.0], ALONE[:15], draws=20_000).p == pytest.approx(exact, abs=0.013)


def test_signs_are_flipped_by_cluster():
    """Ten trials of one cluster count as one: three clusters cannot be significant."""
    assert sign_flip([1.0] * 30, [str(index // 10) for index in range(30)]).p == pytest.approx(0.25)


@given(*[st.integers(0, 20)] * 4)
@example(2, 0, 0, 0)
def test_paired_rates_are_newcombes_method_ten(a, b, c, d):
    """Written out from Newcombe (1998), with Clopper-Pearson's bounds of both rates instead of Wilson's."""
    n = a + b + c + d
    assume(n >= 2)
    found = paired_rates([(1, 1)] * a + [(1, 0)] * b + [(0, 1)] * c + [(0, 0)] * d, ALONE[:n])
    one, other = (stats.binomtest(hits, n).proportion_ci(0.95, method="exact") for hits in (a + b, a + c))
    p, q = (a + b) / n, (a + c) / n
    table = a * d - b * c
    spread = math.sqrt((a + b) * (c + d) * (a + c) * (b + d))
    phi = (max(table - n / 2, 0) if table > 0 else table) / spread if spread else 0.0
    (l1, u1), (l2, u2) = (one.low, one.high), (other.low, other.high)
    below = math.sqrt(max(0, (p - l1) ** 2 - 2 * phi * (p - l1) * (u2 - q) + (u2 - q) ** 2))
    above = math.sqrt(max(0, (q - l2) ** 2 - 2 * phi * (q - l2) * (u1 - p) + (u1 - p) ** 2))
    assert (found.value, found.low, found.high) == pytest.approx((p - q, p - q - below, p - q + above), abs=1e-9)


def test_paired_rates_keep_a_width_where_nothing_differs():
    found = paired_rates([(False, False)] * 30, ALONE[:30])
    assert found.value == 0 and found.low < -0.05 and found.high > 0.05


def test_paired_conditions_are_surer_than_separate_ones():
    rng = np.random.default_rng(1)
    first = rng.random(200) < 0.5
    second = np.where(rng.random(200) < 0.9, first, ~first)
    paired = paired_rates(np.stack([first, second], 1), ALONE[:200])
    apart = difference(proportion(first, ALONE[:200]), proportion(second, ALONE[:200]))
    assert paired.value == pytest.approx(apart.value)
    assert paired.high - paired.low < 0.7 * (apart.high - apart.low)


@settings(max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.booleans(), st.integers(0, 5)), min_size=4, max_size=40), st.randoms())
def test_order_and_names_do_not_matter_and_arms_swap_signs(rows, random):
    pairs, clusters = [row[:2] for row in rows], [str(row[2]) for row in rows]
    found = paired_rates(pairs, clusters)
    mixed = random.sample(rows, len(rows))
    again = paired_rates([row[:2] for row in mixed], [f"renamed {9 - row[2]}" for row in mixed])
    swapped = paired_rates([row[1::-1] for row in rows], clusters)
    assert again.value == pytest.approx(found.value) and swapped.value == pytest.approx(-found.value)
    if found.known:
        assert (again.low, again.high) == pytest.approx((found.low, found.high))
        assert (-swapped.high, -swapped.low) == pytest.approx((found.low, found.high))


def test_a_contrast_of_separate_means_is_the_known_difference():
    rng = np.random.default_rng(2)
    values, sides = rng.normal(size=80), [index % 2 == 0 for index in range(80)]
    found = contrast(values, sides, {True: 1.0, False: -1.0}, ALONE[:80])
    apart = difference(mean(values[::2], ALONE[:40]), mean(values[1::2], ALONE[:40]))
    assert (found.low, found.high) == pytest.approx((apart.low, apart.high))


def test_a_contrast_of_paired_means_is_the_paired_t():
    """Where every cluster is in both cells, square-and-add with the measured correlation is Student's paired test."""
    one, other = np.random.default_rng(3).normal(size=(2, 30))
    sides = [True] * 30 + [False] * 30
    found = contrast(np.r_[one, other + 0.3 * one], sides, {True: 1.0, False: -1.0}, ALONE[:30] * 2)
    low, high = DescrStatsW(one - other - 0.3 * one).tconfint_mean()
    assert (found.low, found.high) == pytest.approx((low, high))


def test_interactions_and_main_effects_are_those_of_the_cells():
    rng = np.random.default_rng(4)
    one, other = (rng.random(400) < 0.5 for _ in range(2))
    values = rng.normal(size=400) + 1.0 * one + 0.5 * other + 2.0 * one * other
    found = factorial(values, one, other, ALONE[:400])
    cell = {(a, b): values[(one == a) & (other == b)].mean() for a in (0, 1) for b in (0, 1)}
    assert found.interaction.value == pytest.approx(cell[1, 1] - cell[1, 0] - cell[0, 1] + cell[0, 0])
    assert found.one.value == pytest.approx((cell[1, 1] + cell[1, 0] - cell[0, 1] - cell[0, 0]) / 2)
    assert found.interaction.above(1) and found.one.above(1.5) and found.other.above(1)
    again = difference_in_differences(values, other, one, ALONE[:400])
    assert (again.value, again.low, again.high) == pytest.approx(
        (found.interaction.value, found.interaction.low, found.interaction.high)
    )


def test_an_empty_cell_has_no_interaction():
    found = factorial([1.0, 2.0, 3.0], [True, True, False], [True, False, True], list("abc"))
    assert found.interaction.value is None


@pytest.mark.parametrize(("hits", "n", "others", "m"), [(30, 100, 15, 100), (300, 1000, 250, 900), (5, 400, 20, 400)])
def test_ratios_are_near_the_score_interval(hits, n, others, m):
    """Against statsmodels' score interval; Clopper-Pearson parts make ours wider, by less than a third at five hits."""
    rates = [
        proportion([index < a for index in range(b)], [str(i) for i in range(b)]) for a, b in ((hits, n), (others, m))
    ]
    found = ratio(*rates)
    low, high = confint_proportions_2indep(hits, n, others, m, compare="ratio", method="score")
    assert math.log(low) - 0.3 < math.log(found.low) < math.log(low)
    assert math.log(high) < math.log(found.high) < math.log(high) + 0.1


def test_a_ratio_to_what_may_be_nothing_has_no_upper_bound():
    none, some = (proportion([index < hits for index in range(50)], ALONE[:50]) for hits in (0, 10))
    assert ratio(some, none).value is None
    assert ratio(none, some).low == 0 and ratio(none, some).high is not None
    rare = Estimate(0.01, 0.0, 0.05, 50, 50, "x")
    assert ratio(some, rare).high is None and ratio(some, rare).low > 1


def test_the_paired_bootstrap_is_the_paired_t_for_many_clusters():
    gaps = np.random.default_rng(5).normal(0.2, 1, 400)
    found = paired_bootstrap(np.stack([gaps, np.zeros(400)], 1), ALONE[:400])
    low, high = DescrStatsW(gaps).tconfint_mean()
    assert found.low == pytest.approx(low, abs=0.012) and found.high == pytest.approx(high, abs=0.012)


def test_the_paired_bootstrap_refuses_few_clusters_and_says_what_to_use():
    with pytest.raises(InputError, match=r"use proportion.*introlab\.stats\.estimates"):
        paired_bootstrap([(1.0, 0.0)] * 90, [str(index % 9) for index in range(90)])
    assert not paired_bootstrap([(1.0, 1.0)] * 50 + [(1.0, 0.0)] * 9, ALONE[:59]).known, "nine clusters differ"


def test_hedges_g_is_the_noncentral_t():
    """Hedges' g of two columns with known d, and bounds at which the noncentral t has the tails it must."""
    one, other = np.array([4.0, 5, 6, 7, 8, 9]), np.array([2.0, 3, 4, 5, 6, 7, 5])
    pooled = math.sqrt((5 * one.var(ddof=1) + 6 * other.var(ddof=1)) / 11)
    d = (one.mean() - other.mean()) / pooled
    exact = math.gamma(5.5) / (math.sqrt(5.5) * math.gamma(5))
    found = hedges_g(np.r_[one, other], [True] * 6 + [False] * 7, ALONE[:13])
    assert found.value == pytest.approx(d * exact)
    t, root = d * math.sqrt(42 / 13), math.sqrt(42 / 13)
    assert stats.nct.cdf(t, 11, found.low / exact * root) == pytest.approx(0.975, abs=1e-6)
    assert stats.nct.cdf(t, 11, found.high / exact * root) == pytest.approx(0.025, abs=1e-6)


@settings(max_examples=25)
@given(st.floats(-1e4, 1e4), st.floats(0.01, 100), st.integers(0, 5))
def test_an_effect_size_has_no_unit(shift, scale, seed):
    values, clusters = np.random.default_rng(seed).normal(size=40), [str(index // 2) for index in range(40)]
    sides = [index % 4 < 2 for index in range(40)]
    found, moved = hedges_g(values, sides, clusters), hedges_g(values * scale + shift, sides, clusters)
    swapped = hedges_g(values, [not side for side in sides], clusters)
    assert (moved.value, moved.low, moved.high) == pytest.approx((found.value, found.low, found.high), rel=1e-6)
    assert (-swapped.value, -swapped.high, -swapped.low) == pytest.approx((found.value, found.low, found.high))


def test_values_that_do_not_vary_have_no_effect_size():
    assert hedges_g([1.0] * 20, [index < 10 for index in range(20)], ALONE[:20]).value is None


def test_sensitivity_and_criterion_are_the_log_linear_ones():
    """Hautus (1995): (hits + .5) / (signals + 1). 8 of 10 hits, 1 of 10 false alarms."""
    said, signal = [True] * 8 + [False] * 2 + [True] + [False] * 9, [True] * 10 + [False] * 10
    hits, alarms = stats.norm.ppf(8.5 / 11), stats.norm.ppf(1.5 / 11)
    assert sensitivity(said, signal, ALONE[:20]).value == pytest.approx(hits - alarms)
    assert criterion(said, signal, ALONE[:20]).value == pytest.approx(-(hits + alarms) / 2)


def test_no_false_alarm_bounds_sensitivity_from_below_only():
    said = [True] * 30 + [False] * 20 + [False] * 50
    found = sensitivity(said, [True] * 50 + [False] * 50, ALONE[:100])
    assert found.low > 1.5 and found.high is None
    assert sensitivity([True, False], [True, True], ALONE[:2]).value is None


def test_correlations_within_and_between_conditions_come_apart():
    """Between conditions r is 1 by construction, within them nothing, so the pooled one misleads."""
    rng = np.random.default_rng(6)
    conditions = [str(index % 8) for index in range(400)]
    level = np.array([float(each) for each in conditions])
    one, other = level + rng.normal(size=400), level + rng.normal(size=400)
    assert correlation(one, other, ALONE[:400]).above(0.7)
    inside = within_conditions(one, other, conditions, ALONE[:400])
    assert abs(inside.value) < 0.2 and inside.low < 0 < inside.high
    assert between_conditions(one, other, conditions).above(0.9)


def test_a_correlation_of_independent_trials_is_near_fishers():
    rng = np.random.default_rng(7)
    one = rng.normal(size=600)
    other = 0.6 * one + 0.8 * rng.normal(size=600)
    found, exact = correlation(one, other, ALONE[:600]), stats.pearsonr(one, other)
    assert found.value == pytest.approx(exact.statistic)
    bounds = exact.confidence_interval()
    assert found.low == pytest.approx(bounds.low, abs=0.01) and found.high == pytest.approx(bounds.high, abs=0.01)


@settings(max_examples=50)
@given(st.lists(st.tuples(*[st.sampled_from("xyz")] * 2), min_size=10, max_size=60))
def test_kappa_is_scikit_learns(pairs):
    one, other = zip(*pairs, strict=True)
    found = cohens_kappa(one, other, ALONE[: len(pairs)])
    defined = len({*one, *other}) > 1
    assert found.value == (pytest.approx(cohen_kappa_score(one, other), abs=1e-9) if defined else None)
    turned = cohens_kappa(other, one, ALONE[: len(pairs)])
    assert turned.value == (pytest.approx(found.value) if defined else None)


def test_fleiss_kappa_is_the_published_example():
    """The table of ten items, fourteen raters and five categories that statsmodels and Fleiss give: .210."""
    table = [
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ]  # fmt: skip
    items = [[str(category) for category, count in enumerate(row) for _ in range(count)] for row in table]
    found = fleiss_kappa(list(zip(*items, strict=True)), ALONE[:10])
    assert found.value == pytest.approx(peer_fleiss(np.array(table))) and found.value == pytest.approx(0.210, abs=5e-4)


def test_perfect_agreement_is_not_a_certainty():
    labels = [index % 3 == 0 for index in range(30)]
    found = cohens_kappa(labels, labels, ALONE[:30])
    assert found.value == pytest.approx(1) and 0.5 < found.low < 0.9
    with pytest.raises(InputError, match="missing"):
        cohens_kappa([None, *labels], [True, *labels], ALONE[:31])


@settings(max_examples=5)
@given(st.lists(st.floats(0.0001, 1), min_size=1, max_size=12))
def test_adjusted_p_values_are_statsmodels(p_values):
    assert holm(p_values) == pytest.approx(multipletests(p_values, method="holm")[1].tolist())
    assert benjamini_hochberg(p_values) == pytest.approx(multipletests(p_values, method="fdr_bh")[1].tolist())


def test_what_is_no_probability_is_refused():
    assert holm([]) == benjamini_hochberg([]) == []
    for adjust in (holm, benjamini_hochberg):
        with pytest.raises(InputError):
            adjust([0.1, None])
        with pytest.raises(InputError):
            adjust([0.1, 1.2])


def test_equivalence_of_a_mean_is_two_t_tests():
    values = np.random.default_rng(8).normal(0.05, 1, 60)
    found, peer = equivalent_mean(values, ALONE[:60], (-0.4, 0.4)), DescrStatsW(values)
    larger = max(peer.ttest_mean(-0.4, alternative="larger")[1], peer.ttest_mean(0.4, alternative="smaller")[1])
    assert found.p == pytest.approx(larger, abs=1e-6)


def test_a_wide_null_is_not_equivalence_and_a_sure_one_is():
    few, many = (equivalent_arms([i % 2 for i in range(n)], [i % 4 < 2 for i in range(n)], ALONE[:n], (-0.1, 0.1))
                 for n in (40, 1000))  # fmt: skip
    assert few.estimate.value == many.estimate.value == 0
    assert not few.shown and many.shown
    outside = equivalent_mean([1.0, 1.1, 0.9] * 10, ALONE[:30], (-0.5, 0.5))
    assert outside.p == 1 and not outside.shown
    with pytest.raises(InputError):
        equivalent_mean([0.0, 1.0], ALONE[:2], (0.1, 0.5))


@pytest.mark.parametrize(("n", "base"), [(40, 0.05), (200, 0.3)])
def test_the_smallest_effect_is_seen_four_times_in_five(n, base):
    """By simulation with the interval of the difference; 400 runs have a standard error of 0.02."""
    rise = smallest_effect(n, n, base)
    draw = np.random.default_rng(0)

    def rate(p):
        return proportion(np.arange(n) < draw.binomial(n, p), np.arange(n))

    shown = [difference(rate(base + rise), rate(base)).above(0) for _ in range(400)]
    assert abs(np.mean(shown) - 0.8) < 0.07
    assert power_of_rates(n, base + rise, base) == pytest.approx(0.8, abs=1e-6)
    assert power_of_rates(n, base, base + rise) == power_of_rates(n, base + rise, base)


def test_what_an_interval_could_have_shown_is_seen_four_times_in_five():
    """Of a mean of 40 pairs, from the interval of a null run; 600 runs have a standard error of 0.016, and the width of
    an interval of 40 itself varies by 11 %, which moves the power by up to 0.1 either way."""
    rng = np.random.default_rng(0)
    clusters = [str(index) for index in range(40)]
    effect = np.mean([visible(mean(rng.normal(size=40), clusters)) for _ in range(50)])
    runs = [mean(rng.normal(effect, size=40), clusters).above(0) for _ in range(600)]
    assert abs(np.mean(runs) - 0.8) < 0.05
    weaker = [mean(rng.normal(effect / 2, size=40), clusters).above(0) for _ in range(600)]
    assert np.mean(weaker) < 0.45, "half of it is not seen as often"


@pytest.mark.parametrize("separation", [0.0, 2.0])
def test_what_an_auroc_could_have_shown_does_not_depend_on_what_it_found(separation):
    """120 trials: 80 % power lies at AUROC .5 + 2.8 sqrt(121 / (12 * 60 * 60)) = .648 by the normal approximation, also
    from a run that found .92. 100 runs there have a standard error of 0.04."""
    rng = np.random.default_rng(1)
    labels, clusters = [index % 2 == 0 for index in range(120)], [str(index) for index in range(120)]

    def found(shift):
        return auroc((rng.normal(size=120) + shift * np.array(labels)).tolist(), labels, clusters)

    effect = np.mean([visible(found(separation), 0.5) for _ in range(20)])
    assert abs(effect - 0.148) < 0.03
    shift = float(np.sqrt(2) * stats.norm.ppf(0.5 + effect))
    assert abs(np.mean([found(shift).above(0.5) for _ in range(100)]) - 0.8) < 0.13


def test_what_could_have_been_seen_is_not_told_where_it_cannot_be():
    known = {"n": 40, "clusters": 40}
    assert visible(Estimate(0.1, None, None, 40, 1, "one cluster: no interval")) is None
    assert visible(Estimate(0.0, 0.0, 0.0, method="cluster-robust t", **known)) is None, "values that do not vary"
    assert visible(Estimate(0.5, 0.1, 0.9, method="Clopper-Pearson", kind="auroc", **known), 0.5) is None, "above 1"
    none_of_40 = proportion([False] * 40, clusters=range(40))
    assert visible(none_of_40) == smallest_effect(40, 40, 2 / 44), "a rate of 0 of 40 is not known to be 0"
    assert minimum_detectable(Estimate(0.1, -0.1, 0.3, method="square-and-add", **known)) == ("minimum detectable 0.29")
    assert minimum_detectable(Estimate(None, None, None, 0, 0, "x")) == "minimum detectable effect unknown"
    sure = Estimate(0.8, 0.7, 0.9, method="Clopper-Pearson", kind="auroc", **known)
    assert beside(sure, 0.5) == str(sure) and beside(sure, 0.75).startswith(f"{sure}; ")


@pytest.mark.parametrize(("n", "base", "least"), [(72, 0.01, 0.075), (24, 0.01, 0.120), (40, 0.3, 0.529)])
def test_the_smallest_rate_of_one_arm_is_shown_four_times_in_five(n, base, least):
    """By the sum over all counts whose Clopper-Pearson bound is above the base."""
    found = smallest_rate(n, base)
    assert found == pytest.approx(least, abs=0.001)
    shown = [count for count in range(n + 1) if clopper_pearson(count / n, n, 0.95)[0] > base]
    assert sum(stats.binom.pmf(count, n, found) for count in shown) == pytest.approx(0.8, abs=1e-6)
    assert found < base + smallest_effect(n, n, base), "two arms take more than one arm and a fixed value"


def test_a_rate_that_cannot_be_shown_or_asked_for():
    assert smallest_rate(1, 0.1) is None
    with pytest.raises(InputError, match="smallest rate"):
        smallest_rate(0, 0.1)
    with pytest.raises(InputError, match="smallest rate"):
        smallest_rate(10, 1.0)


def test_too_few_trials_could_have_shown_nothing():
    assert smallest_effect(1, 1, 0.1) is None
    assert smallest_effect(3, 3, 0.5) is None


@settings(max_examples=15, deadline=None)
@given(st.floats(0.05, 0.6), st.floats(0.1, 0.35))
def test_trials_and_the_smallest_rise_are_inverse(base, rise):
    n = trials_to_show(base, base + rise)
    assert smallest_rise(n, base) <= rise + 1e-9
    assert smallest_rise(n - 1, base) >= rise - 1e-9
    assert smallest_rise(2.5 * n, base, design=2.5) == smallest_rise(n, base)
    assert trials_to_show(base, base + rise, design=2.0) == 2 * n > 2 * trials_for_rates(base, base + rise)


@given(st.floats(0.05, 0.6), st.floats(0.05, 0.3))
def test_the_published_number_of_trials_is_that_of_the_z_test(base, rise):
    """Power of statsmodels' z test at so many trials and one fewer, on the pooled scale; it is what papers state."""
    n, top = trials_for_rates(base, base + rise), base + rise
    centre = (base + top) / 2

    def power(trials):
        sure = 1.959964 * math.sqrt(2 * centre * (1 - centre))
        z = (rise * math.sqrt(trials) - sure) / math.sqrt(base * (1 - base) + top * (1 - top))
        return stats.norm.cdf(z)

    assert power(n - 1) < 0.8 <= power(n) + 1e-6


def test_power_of_means_is_statsmodels_and_of_pairs_is_found():
    assert trials_for_d(0.5) == 64 and smallest_d(64) == pytest.approx(0.4990, abs=1e-3)
    assert trials_for_d(0.02) == pytest.approx(NormalIndPower().solve_power(0.02, alpha=0.05, power=0.8), rel=1e-3)
    assert trials_for_d(0.5, design=2.0) == 128
    n, rng = pairs_for_rates(0.25, 0.1), np.random.default_rng(1)
    assert n == 129, "120 by the z test, of which the exact test finds .76"
    first = rng.multinomial(n, [0.25, 0.1, 0.65], 2000)
    p = np.array([stats.binomtest(int(one), int(one + other)).pvalue for one, other in first[:, :2]])
    assert abs((p < 0.05).mean() - 0.8) < 0.04, "2,000 runs: a standard error of .009"
    with pytest.raises(InputError):
        pairs_for_rates(0.2, 0.2)


def test_design_effects_are_what_clusters_cost():
    rng = np.random.default_rng(2)
    values = (rng.normal(size=(2000, 1)) + rng.normal(size=(2000, 5))).ravel()
    clusters = np.repeat(np.arange(2000), 5)
    assert design_effect(values, clusters) == pytest.approx(design_effect_of(5, 0.5), rel=0.1)
    assert design_effect(values, np.arange(10_000)) == pytest.approx(1)


def test_rare_events():
    """The rule of three."""
    assert rare_event_bound(100) == pytest.approx(3 / 100, rel=0.02)
    assert (1 - rare_event_bound(216)) ** 216 == pytest.approx(0.05)


def test_labels_of_trials_may_not_be_missing_either():
    """None is not False: a trial whose arm is unknown is refused."""
    sides = [None, True, False, True] * 5
    for method in (hedges_g, sensitivity):
        with pytest.raises(InputError, match="missing"):
            method([1, 0, 1, 0] * 5, sides, ALONE[:20])
    with pytest.raises(InputError, match="missing"):
        difference_in_differences([1, 0, 1, 0] * 5, sides, [True, False] * 10, ALONE[:20])
    with pytest.raises(InputError, match="missing"):
        equivalent_arms([1, 0, 1, 0] * 5, sides, ALONE[:20], (-0.1, 0.1))


def test_a_reading_that_the_condition_fixes_has_no_correlation_within_it():
    conditions = [index % 3 for index in range(60)]
    noise = np.random.default_rng(9).normal(size=60)
    assert within_conditions([0.1 * each for each in conditions], noise, conditions, ALONE[:60]).value is None
    small = correlation(1e-9 * noise, 1e-9 * (noise + 1), ALONE[:60])
    assert small.value == pytest.approx(1), "no unit is too small"

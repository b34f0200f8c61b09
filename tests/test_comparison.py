"""Runs side by side: right differences, honest intervals, no more false claims than stated."""

import json
import re
import shutil

import numpy as np
import pytest
from made_runs import KIND, begun, finished, simulated
from scipy import stats
from statsmodels.stats.multitest import multipletests

from experiments.__main__ import WRONG_INPUT, run_command
from introlab.errors import InputError
from introlab.records.findings import Findings, Row
from introlab.records.run import Run
from introlab.records.trial import Trial
from introlab.reporting.comparison import compare, compare_findings, compare_trials, p_value, shared_items
from introlab.stats.estimates import difference, mean, proportion
from introlab.stats.interval import Estimate


def findings(*rows):
    return Findings(rows, (), "an answer")


def row(measure, value, role="secondary", **where):
    return Row(measure, where, Estimate(value, value - 0.1, value + 0.1, 100, 50, "made"), role)


def trial(item, model="m", outcomes=None, readings=None, **changes):
    entries = {"experiment": "e", "item": item, "cluster": item, "split": "test", "condition": "push", **changes}
    return Trial(model=model, outcomes=outcomes or {}, readings=readings or {}, **entries)


def test_estimates_are_held_against_those_of_the_same_place():
    one = findings(row("a", 0.5, model="m", arm="x"), row("a", 0.6, model="m", arm="y"), row("b", 0.1, model="m"))
    other = findings(row("a", 0.8, model="m", arm="y"), row("a", 0.4, model="m", arm="x"), row("c", 0.1, model="m"))
    compared, alone = compare_findings([one, other])
    assert [(each.measure, each.where["arm"], each.differences[0].estimate.value) for each in compared] == [
        ("a", "x", pytest.approx(-0.1)),
        ("a", "y", pytest.approx(0.2)),
    ]
    assert alone == 2
    assert compared[1].differences[0].estimate == difference(
        *(each.rows[k].estimate for each, k in ((other, 0), (one, 1)))
    )


def test_one_model_may_be_held_against_another_but_not_two_against_two():
    one, other = findings(row("a", 0.5, model="m")), findings(row("a", 0.7, model="n"))
    compared, alone = compare_findings([one, other])
    assert alone == 0 and compared[0].where == {} and compared[0].differences[0].estimate.value == pytest.approx(0.2)
    both = findings(row("a", 0.5, model="m"), row("a", 0.5, model="n"))
    compared, alone = compare_findings([both, other])
    assert [each.where for each in compared] == [{"model": "n"}] and alone == 1


def test_primary_outcomes_come_first_and_details_not_at_all():
    rows = [row("c", 0.5, "control"), row("d", 0.5, "detail"), row("p", 0.5, "primary"), row("s", 0.5)]
    compared, _ = compare_findings([findings(*rows), findings(*rows)])
    assert [each.measure for each in compared] == ["p", "s", "c"]


def test_every_later_run_is_held_against_the_first_and_all_tests_are_corrected_together():
    runs = [
        findings(*(row(name, value + shift) for name, value in (("a", 0.1), ("b", 0.5)))) for shift in (0, 0.2, 0.3)
    ]
    compared, _ = compare_findings(runs)
    differences = [each for one in compared for each in one.differences]
    assert [each.estimate.value for each in differences] == pytest.approx([0.2, 0.3, 0.2, 0.3])
    expected = multipletests([each.p for each in differences], method="holm")[1]
    assert [each.adjusted for each in differences] == pytest.approx(expected.tolist())


def test_p_agrees_with_the_interval_and_with_the_t_test():
    rng = np.random.default_rng(0)
    for shift in (0.0, 0.2, 0.4, 1.0):
        values = rng.normal(shift, 1, 40)
        estimate = mean(values.tolist(), list(map(str, range(40))))
        assert p_value(estimate) == pytest.approx(stats.ttest_1samp(values, 0).pvalue, rel=1e-6)
        assert (p_value(estimate) < 0.05) == (estimate.low > 0 or estimate.high < 0)


@pytest.mark.parametrize(
    "estimate",
    [
        Estimate(None, None, None, 0, 0, "x"),
        Estimate(0.5, None, None, 9, 9, "x"),
        Estimate(0.0, 0.0, 0.0, 9, 9, "x"),
        Estimate(1.0, 1.0, 1.0, 9, 9, "x"),
    ],
)
def test_without_a_width_there_is_no_test(estimate):
    assert p_value(estimate) is None


def test_trials_of_one_identity_are_pairs():
    ones = [trial(f"q{i}", outcomes={"right": i % 2 == 0, "kind": "sum"}, readings={"p": i / 40}) for i in range(40)]
    others = [trial(f"q{i}", outcomes={"right": True, "kind": "sum"}, readings={"p": 0.5}) for i in range(5, 50)]
    compared, words = compare_trials([*ones, trial("q6", split="extract")], reversed(others))
    assert words == "35 of 40 and 45 test trials were asked in both"
    assert {each.measure for each in compared} == {"right", "p"}
    right = next(each for each in compared if each.measure == "right")
    assert right.where == {"model": "m", "arm": "push", "strength": 0.0}
    assert right.differences[0].estimate.value == pytest.approx(18 / 35)  # of 5 ... 39, the odd ones are 18
    assert right.differences[0].estimate.kind == "paired difference"
    p = next(each for each in compared if each.measure == "p").differences[0]
    expected = stats.ttest_1samp([0.5 - i / 40 for i in range(5, 40)], 0)
    assert p.p == pytest.approx(expected.pvalue) and p.estimate.low == pytest.approx(expected.confidence_interval().low)


def test_what_is_missing_in_either_run_is_no_pair():
    ones = [trial(f"q{i}", outcomes={"right": None if i < 10 else True}) for i in range(30)]
    others = [trial(f"q{i}", outcomes={"right": None if i > 20 else False}) for i in range(30)]
    compared, _ = compare_trials(ones, others)
    assert compared[0].differences[0].estimate.value == -1.0
    assert [each.n for each in compared[0].estimates] == [11, 11]


def test_two_models_are_paired_by_item_and_other_words_are_told():
    ones, others = [trial("q", "m", {"x": True}, prompt="a")], [trial("q", "n", {"x": False}, prompt="b")]
    compared, words = compare_trials(ones, others)
    assert compared[0].where == {"arm": "push", "strength": 0.0} and "1 of them in other words" in words
    assert compare_trials([*ones, trial("q", "n")], [*others, trial("r", "m")])[0] == ()


def test_few_differing_pairs_get_the_cautious_interval():
    """Two of 60 pairs differ: a spread of two values says little."""
    ones = [trial(f"q{i}", outcomes={"right": True}) for i in range(60)]
    others = [trial(f"q{i}", outcomes={"right": i > 1}) for i in range(60)]
    only = compare_trials(ones, others)[0][0]
    clusters = [f"q{i}" for i in range(60)]
    expected = difference(proportion([i > 1 for i in range(60)], clusters), proportion([True] * 60, clusters))
    assert only.differences[0].estimate == expected
    same = compare_trials(ones, ones)[0][0].differences[0].estimate
    assert same.value == 0 and same.low < -0.03 and same.high > 0.03


@pytest.mark.parametrize("rate, flips", [(0.5, 0.3), (0.9, 0.1), (0.5, 0.02)])
def test_paired_intervals_hold_the_truth_and_equal_runs_seldom_differ(rate, flips):
    """300 comparisons of runs of 80 shared items whose rates are equal; `flips` of the items are answered anew. At a
    true coverage of .95 fewer than 274 hits come by luck once in 1,000 (binomial)."""
    rng = np.random.default_rng(1)
    hits = false = 0
    for _ in range(300):
        first = rng.random(80) < rate
        second = np.where(rng.random(80) < flips, rng.random(80) < rate, first)
        runs = [[trial(f"q{i}", outcomes={"x": bool(x)}) for i, x in enumerate(each)] for each in (first, second)]
        found = compare_trials(*runs)[0][0].differences[0]
        hits += found.estimate.low <= 0 <= found.estimate.high
        false += (found.p or 1) < 0.05
    assert hits >= 274 and false == 300 - hits


@pytest.fixture(scope="module")
def three(tmp_path_factory):
    root = tmp_path_factory.mktemp("runs")
    for name, seed, effect in (("plain", 0, 1.0), ("again", 1, 1.0), ("null", 2, 0.0)):
        finished(root / name, seed, effect, parameters={**KIND().parameters(), "seed": seed})
    return root


def test_a_run_without_the_effect_differs_and_a_repetition_does_not(three):
    """The positive and the negative control, on the experiment's own simulation."""
    runs = {name: Run.open(three / name) for name in ("plain", "again", "null")}
    found = compare(runs)
    assert found.names == {"A": "plain", "B": "again", "C": "null"}
    primary = [each for each in found.estimates if each.role == "primary"]
    again, null = zip(*(each.differences for each in primary), strict=True)
    assert any(each.adjusted is not None and each.adjusted < 0.05 and each.estimate.value < 0 for each in null)
    assert all(each.adjusted is None or each.adjusted > 0.05 for each in again)
    assert ("parameters: seed", "0", "1", "2") in found.facts.body


def test_a_run_held_against_itself_differs_in_nothing(three):
    found = compare({"one": Run.open(three / "plain"), "other": Run.open(three / "plain")})
    assert found.alone == 0 and found.facts.body == ()
    for each in (*found.estimates, *found.paired["B"]):
        assert each.differences[0].estimate.value in (0.0, None) and each.differences[0].adjusted in (None, 1.0)


def test_the_command_writes_a_table_and_one_file_that_asks_for_nothing(three, tmp_path, capsys):
    code = run_command(["compare", str(three / "plain"), str(three / "null"), "--out", str(tmp_path / "both.html")])
    shown = capsys.readouterr().out
    assert code == 0 and "B − A" in shown and "p, Holm" in shown and KIND.primary in shown
    page = (tmp_path / "both.html").read_text()
    outside = re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"""(?:src|href)\s*=\s*['"](?:https?:)?//""", outside) and "<link" not in outside
    assert '"showSendToCloud": true' not in page and "Plotly.newPlot(" in page
    figures = len(list((three / "plain" / "figures").glob("*.json")))
    assert outside.count("class='beside'") == figures > 0


def test_what_a_run_folder_says_is_escaped(three, tmp_path):
    run_command(["compare", str(three / "plain"), str(three / "null"), "--out", str(tmp_path / "plain.html")])
    stated = json.loads((three / "null" / "manifest.json").read_text())
    begun(tmp_path / "odd", simulated(), parameters={**stated["parameters"], "note": "<script>alert(1)</script>"})
    for name in ("findings.json", "figures"):
        (tmp_path / "odd" / name).exists() and (tmp_path / "odd" / name).rmdir()
        (tmp_path / "odd" / name).symlink_to(three / "null" / name)
    assert run_command(["compare", str(three / "plain"), str(tmp_path / "odd"), "--out", str(tmp_path / "x.html")]) == 0
    page = (tmp_path / "x.html").read_text()
    assert "<script>alert(1)" not in page and "&lt;script&gt;alert(1)" in page


def test_what_cannot_be_compared_is_refused(three, tmp_path, capsys):
    begun(tmp_path / "begun")
    assert run_command(["compare", str(three / "plain")]) == WRONG_INPUT
    assert run_command(["compare", str(three / "plain"), str(three / "plain")]) == WRONG_INPUT  # one run, named twice
    assert run_command(["compare", str(three / "plain"), str(tmp_path / "begun")]) == WRONG_INPUT
    assert run_command(["compare", str(three / "plain"), str(tmp_path)]) == WRONG_INPUT
    assert "without findings" in capsys.readouterr().err
    with pytest.raises(InputError):
        compare({})


def test_a_damaged_run_is_refused_in_words(three, tmp_path, capsys):
    for name, damage in (("findings.json", "{"), ("findings.json", '{"rows": 1}'), ("trials.parquet", "PAR1")):
        folder = tmp_path / f"{name}{len(damage)}"
        shutil.copytree(three / "null", folder)
        (folder / name).write_text(damage)
        assert run_command(["compare", str(three / "plain"), str(folder)]) == WRONG_INPUT
        assert "cannot be read" in capsys.readouterr().err


def test_a_run_on_the_same_items_is_not_called_a_replication():
    first = [trial(f"q{n}") for n in range(40)]
    same = [trial(f"q{n}", outcomes={"right": True}) for n in range(40)]
    other = [trial(f"q{n}") for n in range(38, 78)]
    assert "40 of 40 and 40 test items are in both: not a replication" in shared_items(first, same)
    assert "2 of 40 and 40 test items are in both: a replication" in shared_items(first, other)
    assert shared_items(first, [trial("q1", experiment="another")]) == ""
    assert shared_items(first, [trial("q1", split="extract")]) == ""

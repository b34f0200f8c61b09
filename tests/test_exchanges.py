"""Beside a report's answer: how much could be read, and exchanges word for word, of new runs and of stored ones."""

import random
import re
from pathlib import Path

import pytest

from experiments import discover, find
from introlab.experiment.conclude import conclude
from introlab.records.run import Run
from introlab.records.trial import Trial
from introlab.reporting.exchanges import SHOWN, UNREAD, exchanges_html, picked_exchanges, shares_html

OLD = Path(__file__).parent / "data" / "old_runs"
READABLE = {"an answer was read": "right", "stated how sure": "stated", "coherent": "not incoherent"}


def trial(index, right=True, *, condition="baseline", text="It is.", split="test", **entries):
    return Trial(
        experiment="e",
        model="m",
        item=f"q{index}",
        cluster=f"q{index}",
        split=split,
        condition=condition,
        prompt="Is it?",
        text=text,
        outcomes={"right": right, "incoherent": False},
        **entries,
    )


def shares(trials):
    found = re.findall(
        r"<td>([\w ]+)</td><td><strong>([^<]+)</strong> \((\d+) of (\d+)\)", shares_html(trials, READABLE)
    )
    return {words: (share, int(count), int(total)) for words, share, count, total in found}


def test_shares_are_of_what_was_looked_for():
    """A reading that only some trials have is a share of those; False is a value, and None is none."""
    trials = [trial(i, None if i < 3 else bool(i % 2), readings={} if i < 3 else {"stated": None}) for i in range(12)]
    trials += [trial(i, readings={"stated": 0.0}) for i in range(12, 15)]
    found = shares(trials)
    assert found["an answer was read"] == ("80 %", 12, 15)
    assert found["stated how sure"] == ("25 %", 3, 12)
    assert found["coherent"] == ("100 %", 15, 15)


def test_shares_are_of_unsteered_test_texts():
    other = [trial(i, None, condition="push") for i in range(5)] + [trial(i, None, split="extract") for i in range(5)]
    assert shares([trial(1), *other])["an answer was read"] == ("100 %", 1, 1)
    assert shares_html([trial(1)], {}) == "" and shares_html([], READABLE) == ""


def test_a_dozen_over_conditions_with_unread_ones():
    trials = [trial(i, condition=f"c{i % 5}") for i in range(200)]
    trials += [trial(i, None, condition="c0") for i in range(200, 240)]
    picked = picked_exchanges(trials, READABLE)
    assert len({one.id for one in picked}) == SHOWN == 12
    assert sum(one.outcomes["right"] is None for one in picked) >= UNREAD
    assert {one.condition for one in picked} == {f"c{i}" for i in range(5)}
    assert picked_exchanges(random.Random(1).sample(trials, len(trials)), READABLE) == picked


def test_fewer_than_a_dozen_are_all_shown():
    trials = [trial(i, None if i else True) for i in range(4)]
    assert {one.id for one in picked_exchanges(trials, READABLE)} == {one.id for one in trials}
    assert exchanges_html([trial(1, text="")], READABLE) == ""


def test_what_is_shown_is_escaped_and_says_what_could_not_be_read():
    hostile = trial(1, None, text="<script>alert(1)</script>", condition="<b>c</b>")
    page = exchanges_html([hostile, trial(2)], READABLE)
    assert "<script>" not in page and "<b>c" not in page and "&lt;script&gt;alert(1)" in page
    assert "2 raw exchanges, of which 1 could not be read" in page and page.count("could not be read</strong>") == 1
    assert "Is it?" in page and "right: True" in page
    told = exchanges_html([trial(1, readings={"stated": 0.25, "other": 0.75})], READABLE)
    assert "stated: 0.25" in told and "0.75" not in told, "what has to be read, and no other reading"


def test_long_texts_are_cut():
    assert len(exchanges_html([trial(i, text="<" * 100_000) for i in range(12)], READABLE)) < 100_000


@pytest.mark.parametrize(
    "kind", sorted(discover().values(), key=lambda kind: kind.name()), ids=lambda kind: kind.name()
)
def test_every_experiment_says_what_has_to_be_read(kind):
    """And its made-up trials have it."""
    trials = kind().simulate(1.0, 0)
    values = [{**one.outcomes, **one.readings} for one in trials if one.split == "test"]
    for name in kind.readable.values():
        assert any(name.removeprefix("not ") in each for each in values), name
    assert kind.readable


@pytest.mark.parametrize("folder", sorted(OLD.iterdir()), ids=lambda path: path.name)
def test_reports_of_stored_runs_have_both(folder, tmp_path):
    copy = tmp_path / "run"
    copy.mkdir()
    for path in folder.iterdir():
        (copy / path.name).write_bytes(path.read_bytes())
    run = Run.open(copy)
    kind = find(run.manifest["experiment"])
    with run.locked():
        conclude(run, kind.from_parameters(run.manifest["parameters"]))
    page = (copy / "report.html").read_text(encoding="utf-8")
    assert "12 raw exchanges, of which" in page and page.count("read as: ") == 12
    assert "of its unsteered replies" in page and re.search(r"<strong>\d+ %</strong> \(\d+ of \d+\)", page)

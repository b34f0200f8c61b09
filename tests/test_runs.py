"""A run folder loses nothing, counts nothing twice, and can be read by a stranger."""

import json
import math
import subprocess
import sys

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from introlab.errors import InputError, RunFolderError
from introlab.records.findings import Check, Findings, Row
from introlab.records.receipt import Receipt
from introlab.records.run import Run
from introlab.records.run_folder import SCHEMA
from introlab.records.trial import Trial
from introlab.stats.interval import Estimate, missing

RECEIPT = Receipt("resid_post[3]", "generated", {"edit": "add", "raw": 1.0}, ((3, 4),), ((4, 9),), 0.5, "applied")
VALUES = st.one_of(st.none(), st.booleans(), st.floats(allow_nan=False, allow_infinity=False), st.text(max_size=8))


def trial(item="a", **changes):
    return Trial(
        **{
            "experiment": "e",
            "model": "m",
            "item": item,
            "cluster": item,
            "split": "test",
            "condition": "push",
            **changes,
        }
    )


@given(
    st.text(max_size=10),
    st.dictionaries(st.text(min_size=1, max_size=5), VALUES, max_size=4),
    st.lists(st.integers(0, 9), max_size=5),
)
def test_a_trial_survives_its_line(text, readings, tokens):
    one = trial(text=text, readings=readings, tokens=tuple(tokens), receipts=(RECEIPT,))
    assert "\n" not in one.to_line()
    assert Trial.from_line(one.to_line()) == one


def test_an_id_names_the_identity_and_not_the_outcome():
    assert trial(text="one").id == trial(text="other", readings={"x": 1.0}).id
    different = [
        trial(),
        trial("b"),
        trial(condition="baseline"),
        trial(strength=1.0),
        trial(draw=1),
        trial(replicate=1),
        trial(split="extract"),
        trial(model="n"),
    ]
    assert len({one.id for one in different}) == len(different)


def test_missing_is_not_zero():
    again = Trial.from_line(trial(outcomes={"right": None, "wrong": False}).to_line())
    assert again.outcomes["right"] is None and again.outcomes["wrong"] is False


def test_nan_never_reaches_the_disk():
    with pytest.raises(ValueError, match="JSON"):
        trial(readings={"x": math.nan}).to_line()


def test_an_edited_line_is_not_counted():
    line = trial(condition="push").to_line().replace('"condition":"push"', '"condition":"baseline"')
    with pytest.raises(InputError, match="not its own"):
        Trial.from_line(line)
    with pytest.raises(InputError, match="not a trial"):
        Trial.from_line("{}")


def new_run(tmp_path):
    return Run.create(tmp_path / "run", {"experiment": "e", "models": {}})


def test_trials_are_on_disk_one_by_one(tmp_path):
    """What was recorded before an interruption stays."""
    run = new_run(tmp_path)

    def interrupted():
        yield trial("a")
        yield trial("b")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run.record(interrupted())
    assert [one.item for one in run.trials()] == ["a", "b"]
    assert not run.complete


def test_the_same_trial_twice_is_refused(tmp_path):
    run = new_run(tmp_path)
    run.record([trial("a")])
    with pytest.raises(RunFolderError, match="twice"):
        run.record([trial("b"), trial("a")])
    assert [one.item for one in run.trials()] == ["a", "b"]


def test_a_torn_last_line_is_left_out(tmp_path):
    run = new_run(tmp_path)
    run.record([trial("a"), trial("b")])
    path = run.folder / "trials.jsonl"
    path.write_text(path.read_text()[:-20])
    assert [one.item for one in run.trials()] == ["a"]


def test_trials_that_were_there_are_not_written_again(tmp_path):
    run = new_run(tmp_path)
    run.record([trial("a")])
    known = frozenset(run.trial_ids())
    assert run.record([trial("a"), trial("b")], known=known) == 1
    assert [one.item for one in run.trials()] == ["a", "b"]


def test_settled_runs_are_equal_whatever_the_order(tmp_path):
    tables = []
    for name, order in (("one", "abcd"), ("other", "dbca")):
        run = Run.create(tmp_path / name, {"models": {}})
        run.record(trial(item) for item in order)
        run.settle()
        assert not list(run.folder.glob("*.jsonl"))
        tables.append((run.folder / "trials.parquet").read_bytes())
    assert tables[0] == tables[1]


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.builds(
            trial,
            item=st.text(max_size=5),
            strength=st.one_of(st.integers(-3, 3), st.floats(allow_nan=False, allow_infinity=False)),
            draw=st.one_of(st.none(), st.integers(0, 30)),
            text=st.text(max_size=10),
            tokens=st.lists(st.integers(0, 2**31 - 1), max_size=5).map(tuple),
            readings=st.dictionaries(st.text(max_size=5), st.one_of(VALUES, st.lists(VALUES, max_size=3)), max_size=4),
            receipts=st.sampled_from([(), (RECEIPT,), (RECEIPT, RECEIPT)]),
        ),
        unique_by=lambda one: one.id,
        max_size=8,
    )
)
def test_settled_trials_are_those_that_were_written(tmp_path_factory, trials):
    run = Run.create(tmp_path_factory.mktemp("run") / "r", {"models": {}})
    run.record(trials)
    run.settle()
    assert list(run.trials()) == sorted(trials, key=lambda one: one.id)


def test_a_settled_table_is_one_a_stranger_can_read(tmp_path):
    run = new_run(tmp_path)
    run.record([trial("a", tokens=(1, 2), readings={"x": 0.1, "y": None}), trial("b")])
    run.settle()
    table = pd.read_parquet(run.folder / "trials.parquet").set_index("item")
    assert list(table.loc["a", "tokens"]) == [1, 2] and json.loads(table.loc["a", "readings"]) == {"x": 0.1, "y": None}
    assert table.index.tolist() == [one.item for one in run.trials()]


def test_a_run_of_an_older_lab_opens(tmp_path):
    """Schema 1 kept finished trials in lines."""
    lines = [one.to_line() for one in (trial("a"), trial("b"))]
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": 1, "models": {}}))
    (tmp_path / "trials.jsonl").write_text("".join(f"{line}\n" for line in lines))
    (tmp_path / "COMPLETE").write_text("")
    run = Run.open(tmp_path)
    assert run.complete and [one.item for one in run.trials()] == ["a", "b"]


def test_a_folder_is_used_once(tmp_path):
    new_run(tmp_path)
    with pytest.raises(RunFolderError, match="a run here already"):
        new_run(tmp_path)


REFUSING_DISK = """
import resource, signal, sys
from pathlib import Path
from introlab.errors import RunFolderError
from introlab.records.run import Run
from introlab.records.trial import Trial

run = Run.create(Path(sys.argv[1]), {"models": {}})
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
items = (Trial(experiment="e", model="m", item=str(i), cluster="c", split="test", condition="push") for i in range(100))
try:
    run.record(items)
except RunFolderError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_is_one_clear_error_and_loses_nothing(tmp_path):
    """The system refuses the file's 3,001st byte, as a full disk would."""
    done = subprocess.run(
        [sys.executable, "-c", REFUSING_DISK, str(tmp_path / "run")], capture_output=True, text=True, check=True
    )
    assert "cannot be written" in done.stdout and "what was written before is whole" in done.stdout
    kept = list(Run.open(tmp_path / "run").trials())
    assert [one.item for one in kept] == [str(index) for index in range(len(kept))] and len(kept) >= 5


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(RunFolderError, match="cannot be written"):
        Run.create(tmp_path / "file" / "run", {"models": {}})


def test_not_a_run_and_a_run_of_the_future(tmp_path):
    with pytest.raises(InputError, match="not a run folder"):
        Run.open(tmp_path)
    (tmp_path / "manifest.json").write_text(json.dumps({"schema": SCHEMA + 1}))
    with pytest.raises(InputError, match="newer lab"):
        Run.open(tmp_path)


def test_findings_survive_their_file(tmp_path):
    rows = (
        Row("auroc", {"model": "m", "lead": 1.0}, Estimate(0.7, 0.6, 0.8, 50, 20, "x"), "primary"),
        Row("rate", {"model": "m"}, missing("none")),
    )
    checks = (Check("baseline", None, "open"), Check("length", True, "a gap", rows[0].estimate))
    findings = Findings(rows, checks, "an answer", {"m": "moved"})
    run = new_run(tmp_path)
    run.write_findings(findings, {})
    assert run.findings == findings
    older = findings.as_json()
    older["checks"] = [{name: value for name, value in each.items() if name != "gap"} for each in older["checks"]]
    assert [check.gap for check in Findings.from_json(older).checks] == [None, None]
    assert findings.one("auroc", lead=1.0).value == 0.7
    assert findings.check("baseline").passed is None
    with pytest.raises(LookupError):
        findings.one("auroc", lead=2.0)

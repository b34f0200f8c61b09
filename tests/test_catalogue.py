"""Whatever lies in a folder is listed with what is wrong with it; only what the lab wrote is ever removed."""

import json
import shutil
import threading

import numpy as np
import pytest
from filelock import FileLock
from made_runs import begun, finished, manifest, simulated, trial

from experiments.__main__ import WRONG_INPUT, run_command
from introlab.errors import InputError, RunFolderError
from introlab.io.jsonl import Lines
from introlab.records.catalog import Catalogue, disk_use
from introlab.records.prune import obstacle, remove
from introlab.records.run import Run
from introlab.records.run_folder import SCHEMA
from introlab.records.trial_query import FollowedRun, TrialFilter, settled


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """One folder with every kind of run, good and bad. Tests must not change it."""
    root = tmp_path_factory.mktemp("runs")
    finished(root / "resistance" / "done", started="2026-01-02T00:00:00+00:00")
    begun(root / "resistance" / "begun", simulated()[:7], started="2026-01-03T00:00:00+00:00")
    with (root / "resistance" / "begun" / "trials.jsonl").open("a") as file:
        file.write('{"id":"torn')
    begun(root / "newer")
    (root / "newer" / "manifest.json").write_text(json.dumps(manifest(schema=SCHEMA + 1)))
    for name, text in {
        "no_json": '{"schema": 2, "exper',
        "a_list": "[1, 2]",
        "foreign": '{"name": "some app", "icons": []}',
        "passed": json.dumps({"schema": 2, **manifest(passed=["no such parameter"])}),
        "odd": json.dumps({"schema": 2, **manifest(specs="organism:resistant")}),
        "bytes": "\x00\x01",
    }.items():
        (root / name).mkdir()
        (root / name / "manifest.json").write_text(text)
    (root / "lost").mkdir()
    (root / "lost" / "trials.jsonl").write_text("")
    finished(root / "broken_table")
    (root / "broken_table" / "trials.parquet").write_bytes(b"PAR1 no more")
    finished(root / "broken_findings")
    (root / "broken_findings" / "findings.json").write_text('{"rows": [{"measure": 1}]}')
    (root / "empty").mkdir()
    return root


def by_name(root):
    return {entry.name: entry for entry in Catalogue(root).entries()}


def test_every_run_is_listed_with_its_state(shelf):
    found = by_name(shelf)
    assert {name: entry.state for name, entry in found.items()} == {
        "resistance/done": "complete",
        "resistance/begun": "interrupted",
        "broken_table": "complete",
        "broken_findings": "complete",
        **dict.fromkeys(("newer", "no_json", "a_list", "foreign", "odd", "passed", "bytes", "lost"), "broken"),
    }
    assert found["resistance/begun"].trials == 7  # the torn line is none
    assert found["resistance/done"].trials == len(simulated()) and found["resistance/done"].primary
    assert found["resistance/done"].bytes == disk_use(shelf / "resistance" / "done") > 1e6  # plotly is in the report


def test_newest_first_and_what_is_of_unknown_age_last(shelf):
    names = [entry.name for entry in Catalogue(shelf).entries()]
    assert names[:2] == ["resistance/begun", "resistance/done"]
    assert {entry.started for entry in Catalogue(shelf).entries()[-8:]} == {""}


def test_what_is_wrong_is_said(shelf):
    found = by_name(shelf)
    assert f"schema {SCHEMA + 1}" in found["newer"].problem
    assert "specs" in found["odd"].problem
    assert "trials cannot be read" in found["broken_table"].problem and found["broken_table"].trials is None
    assert "findings.json" in found["broken_findings"].problem and not found["broken_findings"].primary
    assert found["resistance/done"].problem is None and found["resistance/begun"].problem is None


@pytest.mark.parametrize(
    "name", ["../outside", "/etc", "resistance/../../x", "resistance", "nowhere", "a\0b", "link", ""]
)
def test_nothing_outside_and_nothing_behind_a_link_is_a_run(tmp_path, name):
    root = tmp_path / "runs"
    begun(tmp_path / "outside")
    begun(root / "resistance" / "a")
    (root / "link").symlink_to(tmp_path / "outside")
    with pytest.raises(InputError, match="no such run"):
        Catalogue(root).locate(name)
    assert Catalogue(root).locate("resistance/a") == root / "resistance" / "a"
    assert [entry.name for entry in Catalogue(root).entries()] == ["resistance/a"]


def test_a_folder_may_be_a_run_itself(tmp_path):
    begun(tmp_path / "a")
    assert [entry.name for entry in Catalogue(tmp_path / "a").entries()] == ["."]
    assert Catalogue(tmp_path / "a").entry(".").state == "interrupted"


def test_a_run_that_is_written_is_running_and_looking_does_not_disturb_it(tmp_path):
    run, catalogue = begun(tmp_path / "a"), Catalogue(tmp_path)
    with run.locked():
        assert catalogue.entry("a").state == "running"
    assert catalogue.entry("a").state == "interrupted"
    stop = threading.Event()

    def look():
        while not stop.is_set():
            _ = run.running

    looking = [threading.Thread(target=look) for _ in range(2)]
    for thread in looking:
        thread.start()
    try:
        for _ in range(50):  # a look holds the lock for a moment: none of these may be refused
            with run.locked():
                pass
    finally:
        stop.set()
        for thread in looking:
            thread.join()


def test_what_grows_is_counted_from_where_it_was_counted_last(tmp_path, monkeypatch):
    run, catalogue = begun(tmp_path / "a", simulated()[:5]), Catalogue(tmp_path)
    starts = []
    since = Lines.since
    monkeypatch.setattr(Lines, "since", lambda self, start: starts.append(start) or since(self, start))
    assert catalogue.entry("a").trials == 5
    size = (run.folder / "trials.jsonl").stat().st_size
    run.record(simulated()[5:8])
    starts.clear()
    assert catalogue.entry("a").trials == 8 and starts == [size]
    (run.folder / "trials.jsonl").write_text("")  # begun anew
    assert catalogue.entry("a").trials == 0


# Pages of trials


@pytest.fixture(params=["settled", "growing"])
def pages(request, tmp_path):
    trials = [*simulated(), trial("one", outcomes={"kind": "x", "score": 1, "right": None})]
    run = begun(tmp_path / "a", trials)
    if request.param == "settled":
        run.settle()
        return settled(run.folder / "trials.parquet"), sorted(trials, key=lambda each: each.id)
    return FollowedRun(run.folder / "trials.jsonl").look(), trials


def test_a_choice_is_what_a_loop_over_the_trials_chooses(pages):
    found, trials = pages
    strengths = {each.strength for each in trials}
    choices = [
        TrialFilter(),
        TrialFilter(condition="push"),
        TrialFilter(condition="push", strength=max(strengths)),
        TrialFilter(split="extract"),
        TrialFilter(model="nobody"),
        TrialFilter(outcome=("announced", True)),
        TrialFilter(outcome=("announced", False), condition="baseline"),
        TrialFilter(outcome=("returned", None)),
        TrialFilter(outcome=("right", None)),
        TrialFilter(outcome=("kind", "x")),
        TrialFilter(outcome=("score", True)),  # 1 is not True
    ]
    for choice in choices:
        expected = [
            index
            for index, each in enumerate(trials)
            if all(
                getattr(choice, name) in (None, getattr(each, name))
                for name in ("model", "split", "condition", "strength")
            )
            and (
                choice.outcome is None
                or (choice.outcome[0] in each.outcomes and each.outcomes[choice.outcome[0]] is choice.outcome[1])
                or (choice.outcome == ("kind", "x") and each.outcomes.get("kind") == "x")
            )
        ]
        assert found.matching(choice).tolist() == expected, choice
    assert len(found.matching(TrialFilter(outcome=("announced", True)))) > 0
    assert ("announced", True) in found.values["outcomes"] and ("score", 1) not in found.values["outcomes"]


def test_a_page_and_a_trial_are_what_was_recorded(pages):
    found, trials = pages
    rows = np.asarray([3, 0, len(trials) - 1])
    assert [row["id"] for row in found.page(rows)] == [trials[row].id for row in rows]
    assert [row["outcomes"] for row in found.page(rows)] == [trials[row].outcomes for row in rows]
    assert found.trial(trials[5].id) == trials[5]
    with pytest.raises(InputError, match="no such trial"):
        found.trial("0" * 16)


def test_rows_come_from_their_row_groups(tmp_path, monkeypatch):
    monkeypatch.setattr("introlab.records.parquet._GROUP", 16)
    trials = simulated()
    run = begun(tmp_path / "a", trials)
    run.settle()
    found, ordered = settled(run.folder / "trials.parquet"), sorted(trials, key=lambda each: each.id)
    rows = np.asarray([0, 15, 16, 17, 33, len(trials) - 1, 2])
    assert [row["id"] for row in found.page(rows)] == [ordered[row].id for row in rows]


def test_growing_trials_are_read_on_from_where_reading_ended(tmp_path, monkeypatch):
    trials = simulated()
    run = begun(tmp_path / "a", trials[:5])
    growing = FollowedRun(run.folder / "trials.jsonl")
    early = growing.look()
    starts = []
    since = Lines.since
    monkeypatch.setattr(Lines, "since", lambda self, start: starts.append(start) or since(self, start))
    size = (run.folder / "trials.jsonl").stat().st_size
    run.record(trials[5:9])
    starts.clear()
    late = growing.look()
    assert starts == [size] and len(early) == 5 and len(late) == 9
    assert [late.trial(each.id) for each in trials[:9]] == trials[:9] and early.trial(trials[0].id) == trials[0]
    with (run.folder / "trials.jsonl").open("a") as file:
        file.write('{"id":"torn')
    assert len(growing.look()) == 9
    (run.folder / "trials.jsonl").write_text(trials[0].to_line() + "\n")
    assert len(growing.look()) == 1
    assert len(FollowedRun(tmp_path / "nothing.jsonl").look()) == 0


def test_trials_are_put_in_order_and_those_without_a_value_are_last(tmp_path):
    values = [True, None, 3, "b", 0.5, "a", False, 3]
    made = [trial(f"{n}", strength=float(n % 3), outcomes={"x": value}) for n, value in enumerate(values)]
    made.append(trial("8", outcomes={}))
    run = begun(tmp_path / "a", made)
    run.settle()
    pages, every = settled(run.folder / "trials.parquet"), np.arange(9)
    assert pages.orders == ["model", "split", "condition", "strength", "x"]

    def of(by, falling=False):
        return [row["outcomes"].get("x") for row in pages.page(pages.ordered(every, by, falling=falling))]

    assert of("x") == [False, 0.5, True, 3, 3, "a", "b", None, None]
    assert of("x", falling=True) == ["b", "a", 3, 3, True, 0.5, False, None, None]
    strengths = pages.columns["strength"].to_numpy()
    assert strengths[pages.ordered(every, "strength", falling=True)].tolist() == [2, 2, 1, 1, 1, 0, 0, 0, 0]
    some = every[::2]
    assert sorted(pages.ordered(some, "x")) == some.tolist(), "the same trials"
    assert pages.ordered(every, "condition").tolist() == every.tolist(), "equal ones stay"
    assert pages.ordered(every, "no such outcome").tolist() == every.tolist()


# Removing


def test_a_run_is_removed_and_what_lies_beside_it_stays(tmp_path):
    finished(tmp_path / "x" / "a")
    begun(tmp_path / "x" / "b")
    (tmp_path / "x" / "notes.txt").write_text("mine")
    catalogue = Catalogue(tmp_path)
    size = catalogue.entry("x/a").bytes
    assert remove(catalogue, "x/a") == size
    assert sorted(path.name for path in (tmp_path / "x").iterdir()) == ["b", "notes.txt"]


def judged(folder, *more):
    """As `introlab judge` leaves it."""
    (folder / "judged").mkdir()
    for name in (
        ".lock",
        "verdicts.jsonl",
        "off_topic-rules.jsonl",
        "off_topic-rules.json",
        "a_b-hosted_m.1.json",
        *more,
    ):
        (folder / "judged" / name).write_text("{}")


def test_a_judged_run_is_removed_with_its_verdicts(tmp_path):
    judged(finished(tmp_path / "a").folder)
    remove(Catalogue(tmp_path), "a")
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_is_judged_now_stays(tmp_path):
    run, catalogue = finished(tmp_path / "a"), Catalogue(tmp_path)
    judged(run.folder)
    with FileLock(run.folder / "judged" / ".lock"):
        assert obstacle(catalogue.entry("a")) == "a process is judging it"
        with pytest.raises(RunFolderError, match="the run stays"):
            remove(catalogue, "a")
    assert Run.open(tmp_path / "a").complete


def foreign_verdict(folder):
    judged(folder, "notes.txt")


def foreign_table(folder):
    judged(folder, "my table.json")


def foreign_file(folder):
    (folder / "notes.txt").write_text("mine")


def foreign_folder(folder):
    (folder / "figures" / "mine").mkdir()


def linked_file(folder):
    (folder / "report.html").unlink()
    (folder / "report.html").symlink_to("/etc/hostname")


def linked_folder(folder):
    shutil.rmtree(folder / "figures")
    (folder / "figures").symlink_to(folder.parent / "elsewhere")


def newer(folder):
    (folder / "manifest.json").write_text(json.dumps(manifest(schema=SCHEMA + 1)))


@pytest.mark.parametrize(
    "spoil", [foreign_file, foreign_folder, foreign_verdict, foreign_table, linked_file, linked_folder, newer]
)
def test_what_is_not_only_the_labs_stays_whole(tmp_path, spoil):
    run = finished(tmp_path / "runs" / "a")
    (tmp_path / "runs" / "elsewhere").mkdir()
    (tmp_path / "runs" / "elsewhere" / "figure.json").write_text("{}")
    spoil(run.folder)
    before = {path.name for path in run.folder.iterdir()} | {".lock"}
    with pytest.raises(RunFolderError, match="the run stays"):
        remove(Catalogue(tmp_path / "runs"), "a")
    assert {path.name for path in run.folder.iterdir()} == before
    assert (tmp_path / "runs" / "elsewhere" / "figure.json").exists()


def test_a_run_that_is_written_is_never_removed(tmp_path):
    run, catalogue = begun(tmp_path / "a"), Catalogue(tmp_path)
    with run.locked():
        assert obstacle(catalogue.entry("a")) == "a process is writing it"
        with pytest.raises(RunFolderError, match="another process"):
            remove(catalogue, "a")
    assert Run.open(tmp_path / "a")


def test_the_command_lists_filters_and_removes_only_what_it_was_told_to(tmp_path, capsys):
    finished(tmp_path / "done")
    begun(tmp_path / "begun")
    begun(tmp_path / "other", experiment="something_else")
    (tmp_path / "foreign").mkdir()
    (tmp_path / "foreign" / "manifest.json").write_text("{}")

    def said(*arguments):
        code = run_command(["runs", str(tmp_path), *arguments])
        shown = capsys.readouterr()
        return code, shown.out + shown.err

    everything = said()[1]
    assert all(name in everything for name in ("done", "begun", "other", "foreign", "4 runs"))
    assert "2 runs" in said("--experiment", "steering-resistance")[1]
    assert said("--prune")[0] == WRONG_INPUT
    code, text = said("--state", "interrupted", "--prune", "--experiment", "steering_resistance")
    assert code == 0 and "goes   begun" in text and "nothing was removed" in text and (tmp_path / "begun").exists()
    code, text = said("--state", "broken", "--prune", "--yes")
    assert "stays  foreign" in text and (tmp_path / "foreign" / "manifest.json").exists()
    code, text = said("--state", "interrupted", "--experiment", "steering_resistance", "--prune", "--yes")
    assert code == 0 and "1 runs removed" in text
    assert sorted(path.name for path in tmp_path.iterdir()) == ["done", "foreign", "other"]

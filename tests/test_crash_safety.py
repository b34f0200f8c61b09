"""Killed, interrupted, torn or out of disk at any call that changes a folder: nothing is lost.

Going on ends with the same bytes. The counting is that of `python -m benchmarks.crash_safety`.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from unittest.mock import patch

import pytest

from benchmarks.crash_scenarios import SPECS, TEXTS, Tiny, contents, finished, recorded, report, run_tiny
from benchmarks.folder_faults import available
from introlab.errors import InputError, Interrupted, RunFolderError
from introlab.experiment.runner import _found, _record
from introlab.records.run import Run
from introlab.records.run_states import State, state_of

ROOT = Path(__file__).parent.parent
ALL = TEXTS * len(SPECS)
pytestmark = pytest.mark.filterwarnings("ignore:.*fork.*")
needs_faults = pytest.mark.skipif(available() is not None, reason=str(available()))


def counted(*arguments):
    """What the benchmark counts, by scenario and fault."""
    command = [sys.executable, "-m", "benchmarks.crash_safety", "--json", *arguments]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


def assert_nothing_lost(every, *, at_least):
    for each in every:
        assert (each["lost"], each["differing"], each["tracebacks"]) == (0, 0, 0), each
        assert each["tried"] >= at_least, each


@needs_faults
def test_killed_anywhere_between_the_last_trial_and_complete():
    assert_nothing_lost(counted("--only", "end of a run", "--faults", "kill"), at_least=25)


@pytest.mark.slow
@needs_faults
@pytest.mark.parametrize("scenario", ["run", "end of a run", "report", "judge", "prune", "export", "store"])
def test_stopped_anywhere_in_any_way(scenario):
    assert_nothing_lost(counted("--only", scenario), at_least=5)


@pytest.mark.slow
@needs_faults
@pytest.mark.parametrize("scenario", ["organism", "autoencoder"])
def test_a_training_stopped_anywhere_ends_with_the_same_bytes(scenario):
    assert_nothing_lost(counted("--only", scenario), at_least=5)


@needs_faults
def test_two_processes_some_time_apart():
    """The second one starts while the first one loads, writes, concludes, and after it."""
    assert_nothing_lost(counted("--only", "two", "--distances", "0", "0.4", "1", "2"), at_least=4)


@pytest.mark.slow
@needs_faults
def test_two_processes_at_every_distance():
    assert_nothing_lost(counted("--only", "two"), at_least=13)


# The table of states


def test_a_settled_run_is_concluded_and_not_begun_again(tmp_path):
    """Table there, lines gone, no COMPLETE: once this wrote the table anew from nothing."""
    run = run_tiny(tmp_path / "r")
    whole, table = contents(run.folder), (run.folder / "trials.parquet").stat().st_ino
    (run.folder / "COMPLETE").unlink()
    assert run.state is State.SETTLED
    with patch("introlab.experiment.runner._record", side_effect=AssertionError("begun again")):
        run_tiny(tmp_path / "r")
    assert contents(run.folder) == whole and run.count() == ALL
    assert (run.folder / "trials.parquet").stat().st_ino == table, "never written again"


def test_each_state_is_what_its_files_say(tmp_path):
    assert state_of(tmp_path / "r") is State.ABSENT
    recorded(tmp_path / "r")
    run = Run(tmp_path / "r")
    assert run.state is State.GROWING and run.count() == ALL
    run.settle()
    assert run.state is State.SETTLED and not run.journal.exists()
    run_tiny(tmp_path / "r")
    assert run.state is State.COMPLETE
    (run.folder / "COMPLETE").rename(run.folder / "REMOVING")
    assert run.state is State.REMOVING
    with pytest.raises(InputError, match="half removed"):
        Run.open(run.folder)
    with pytest.raises((InputError, RunFolderError), match="half removed"):
        run_tiny(tmp_path / "r")
    assert run.count() == ALL


@pytest.mark.parametrize("lost", [("trials.parquet",), ("manifest.json",), ("manifest.json", "COMPLETE")])
def test_files_that_no_step_leaves_behind_are_refused(tmp_path, lost):
    run = run_tiny(tmp_path / "r")
    for name in lost:
        (run.folder / name).unlink()
    before = contents(run.folder)
    with pytest.raises(RunFolderError, match="something was removed"):
        run_tiny(tmp_path / "r")
    assert contents(run.folder) == before


def test_no_trial_is_added_to_a_table_and_no_table_replaces_more_lines(tmp_path):
    recorded(tmp_path / "r")
    run = Run(tmp_path / "r")
    lines = (run.folder / "trials.jsonl").read_bytes()
    run.settle()
    with pytest.raises(RunFolderError, match="has all of its trials"):
        run.record([])
    (run.folder / "trials.jsonl").write_bytes(lines * 2)
    with pytest.raises(RunFolderError, match="fewer trials than the lines"):
        run_tiny(tmp_path / "r")
    assert (run.folder / "trials.jsonl").read_bytes() == lines * 2 and run.count() == ALL


def test_a_table_that_is_read_back_with_fewer_rows_does_not_replace_the_lines(tmp_path):
    recorded(tmp_path / "r")
    before = contents(tmp_path / "r")
    with (
        patch("introlab.records.parquet._read_back", lambda path: iter([])),
        pytest.raises(RunFolderError, match="not hold"),
    ):
        run_tiny(tmp_path / "r")
    assert contents(tmp_path / "r") == before


def test_models_whose_trials_were_lost_do_not_count_as_done(tmp_path):
    """A machine that lost its power: the manifest says done, the end of the lines is not there."""
    wanted = contents(run_tiny(tmp_path / "whole").folder)
    recorded(tmp_path / "r")
    lines = (tmp_path / "r" / "trials.jsonl").read_bytes().splitlines(keepends=True)
    (tmp_path / "r" / "trials.jsonl").write_bytes(b"".join(lines[:2]))
    run_tiny(tmp_path / "r")
    assert contents(tmp_path / "r") == wanted


def test_what_was_seen_before_the_lock_may_be_over(tmp_path):
    """Another process begins and finishes the run while this one loads its model."""
    begun = []
    real = _found

    def found(folder, manifest):
        state = real(folder, manifest)
        if not begun:
            begun.append(folder)
            run_tiny(folder)
        return state

    with (
        patch("introlab.experiment.runner._found", found),
        patch("introlab.experiment.runner._record", wraps=_record) as record,
    ):
        run = run_tiny(tmp_path / "r")
    assert run.complete and run.count() == ALL and record.call_count == 1


def test_a_report_of_an_interrupted_run_leaves_it_interrupted(tmp_path):
    recorded(tmp_path / "r")
    run = Run(tmp_path / "r")
    report(run.folder)
    assert run.state is State.GROWING and run.findings.answer == f"{ALL} trials"
    run_tiny(tmp_path / "r")
    assert run.complete and run.count() == ALL


def test_an_analysis_that_fails_changes_nothing(tmp_path):
    run = run_tiny(tmp_path / "r")
    before = contents(run.folder)
    with patch.object(Tiny, "analyze", side_effect=ZeroDivisionError), pytest.raises(ZeroDivisionError):
        report(run.folder)
    assert contents(run.folder) == before and run.complete


@pytest.mark.parametrize("phase", ["settle", "conclude"])
def test_ctrl_c_after_the_last_trial_says_what_is_there(tmp_path, phase):
    wanted = contents(run_tiny(tmp_path / "whole").folder)
    with patch.object(Run, phase, side_effect=KeyboardInterrupt), pytest.raises(Interrupted, match=f"{ALL} .*trials"):
        run_tiny(tmp_path / "r")
    run_tiny(tmp_path / "r")
    assert contents(tmp_path / "r") == wanted


# A disk of three megabytes


@pytest.fixture
def small_disk(tmp_path):
    place = tmp_path / "small"
    place.mkdir()
    done = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", place], capture_output=True, check=False)
    if done.returncode:
        pytest.skip("a small disk needs the right to mount one")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


def test_a_disk_of_three_megabytes(small_disk, tmp_path):
    """The report, 5 MB with plotly, does not fit; every trial stays, and going on elsewhere ends with equal bytes."""
    wanted = contents(run_tiny(tmp_path / "whole").folder)
    with (
        patch("benchmarks.crash_scenarios.REPORT_SCRIPT", "x" * 5_000_000),
        pytest.raises(RunFolderError, match="disk"),
    ):
        run_tiny(small_disk / "r")
    run = Run.open(small_disk / "r")
    assert run.state is State.SETTLED and len(list(run.trials())) == ALL
    assert not list(run.folder.rglob("*.part")), "what did not fit takes no room"
    shutil.copytree(run.folder, tmp_path / "r")
    run_tiny(tmp_path / "r")
    assert contents(tmp_path / "r") == wanted


# Workers whose parent is killed

PARENT = """
import sys, time
from introlab.generation.process_pool import LocalPool
pool = LocalPool(2, {"spec": "organism:base", "device": "cpu"})
print(*pool.processes(), flush=True)
time.sleep(600)
"""


def alive(pid):
    with suppress(ProcessLookupError, FileNotFoundError):
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(") ", 1)[1][0] != "Z"
    return False


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks into /proc")
@pytest.mark.parametrize("after", [1.0, pytest.param(20.0, marks=pytest.mark.slow)])
def test_workers_end_with_a_parent_that_was_killed(after):
    """While they start, and when they wait for work."""
    with subprocess.Popen([sys.executable, "-c", PARENT], cwd=ROOT, stdout=subprocess.PIPE, text=True) as parent:
        workers = [int(pid) for pid in parent.stdout.readline().split()]
        time.sleep(after)
        assert len(workers) == 2 and all(map(alive, workers))
        os.kill(parent.pid, signal.SIGKILL)
        parent.wait()
    for _ in range(600):
        if not any(map(alive, workers)):
            break
        time.sleep(0.05)
    assert not any(map(alive, workers))


def test_a_finished_run_is_what_it_was(tmp_path):
    finished(tmp_path / "r")
    before = contents(tmp_path / "r")
    run_tiny(tmp_path / "r")
    assert contents(tmp_path / "r") == before

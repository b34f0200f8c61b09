"""An interrupted run goes on where it stopped: no trial lost, none repeated, the result as without interruption."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

import introlab.experiment.context
from experiments import find
from introlab.errors import Interrupted, RunFolderError
from introlab.experiment.runner import execute
from introlab.experiment.settings import Settings
from introlab.generation.requests import Generation, Request
from introlab.generation.sampling import GREEDY
from introlab.generation.text_cache import CompletionCache
from introlab.io.jsonl import Lines
from introlab.records.receipt import Receipt
from introlab.records.run import Run

ROOT = Path(__file__).parent.parent
KIND = find("confidence")
EXPERIMENT = replace(KIND.debug_size(), tune=40, samples=1)
MODELS = ("organism:calibrated",)
SETTINGS = Settings(quiet=True, deterministic=True)


def files(folder):
    """Everything that must be the same in two runs: all but the page, whose figures have random names, and times."""
    manifest = json.loads((folder / "manifest.json").read_text())
    kept = {name: (folder / name).read_bytes() for name in ("trials.parquet", "findings.json")}
    return {**kept, "manifest": {name: each for name, each in manifest.items() if name not in ("started", "digest")}}


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """The run without interruption."""
    return files(execute(EXPERIMENT, tmp_path_factory.mktemp("whole") / "r", models=MODELS, settings=SETTINGS).folder)


@pytest.fixture
def stopping(monkeypatch):
    """Makes the next run stop after so many texts were written; tells how many were written in all."""
    real, count = introlab.experiment.context.generate, {"written": 0, "stop": None}

    def generate(*arguments, **more):
        for pair in real(*arguments, **more):
            if count["written"] == count["stop"]:
                raise KeyboardInterrupt
            count["written"] += pair[0].item != "timing"
            yield pair

    def stop_after(texts):
        count["stop"] = None if texts is None else count["written"] + texts
        return count

    monkeypatch.setattr(introlab.experiment.context, "generate", generate)
    return stop_after


def test_a_run_interrupted_in_every_stage_is_the_same_run(stopping, whole, tmp_path):
    """320 texts in three stages, stopped four times; every text is written once, byte for byte as without a stop."""
    for texts in (7, 70, 130, 40):
        stopping(texts)
        with pytest.raises(Interrupted, match="go on with the same command"):
            execute(EXPERIMENT, tmp_path / "r", models=MODELS, settings=SETTINGS)
    count, said = stopping(None), []
    run = execute(EXPERIMENT, tmp_path / "r", models=MODELS, settings=SETTINGS, say=said.append)
    assert count["written"] == 320 and any("trials are there" in line for line in said)
    assert files(run.folder) == whole and run.complete
    assert {path.name for path in run.folder.iterdir()} == {
        "manifest.json", "config.json", "trials.parquet", "findings.json", "report.html", "figures", "COMPLETE", ".lock"
    }  # fmt: skip


def test_the_model_that_is_done_is_not_asked_again(stopping, tmp_path):
    models = ("organism:calibrated", "organism:overconfident")
    stopping(200)
    with pytest.raises(Interrupted):
        execute(EXPERIMENT, tmp_path / "r", models=models, settings=SETTINGS)
    count = stopping(None)
    run = execute(EXPERIMENT, tmp_path / "r", models=models, settings=SETTINGS)
    assert count["written"] == 640 and len({trial.model for trial in run.trials()}) == 2


def test_a_run_taken_up_again_reads_its_ids_once(stopping, tmp_path, monkeypatch):
    stopping(200)
    models = ("organism:calibrated", "organism:overconfident")
    with pytest.raises(Interrupted):
        execute(EXPERIMENT, tmp_path / "r", models=models, settings=SETTINGS)
    stopping(None)
    real, reads = Run.trial_ids, []
    monkeypatch.setattr(Run, "trial_ids", lambda run: reads.append(run) or real(run))
    execute(EXPERIMENT, tmp_path / "r", models=models, settings=SETTINGS)
    assert len(reads) == 1


def test_a_complete_run_is_given_back_without_a_model(whole, tmp_path, monkeypatch):
    run = execute(EXPERIMENT, tmp_path / "r", models=MODELS, settings=SETTINGS)
    monkeypatch.setattr("introlab.experiment.runner.load", lambda *_, **__: pytest.fail("a model was loaded"))
    assert (
        files(execute(EXPERIMENT, tmp_path / "r", models=MODELS, settings=SETTINGS).folder)
        == whole
        == files(run.folder)
    )


def test_another_run_in_the_folder_is_refused_with_what_differs(stopping, tmp_path):
    stopping(5)
    with pytest.raises(Interrupted):
        execute(EXPERIMENT, tmp_path / "r", models=MODELS, settings=SETTINGS)
    before = {path: path.read_bytes() for path in (tmp_path / "r").glob("*.jsonl")}
    other = KIND(**{**KIND.debug, "seed": 7})
    for experiment, settings, says in (
        (other, SETTINGS, "seed"),
        (EXPERIMENT, Settings(quiet=True), "deterministic"),
        (EXPERIMENT, Settings(quiet=True, deterministic=True, dtype="float64"), "float64"),
    ):
        with pytest.raises(RunFolderError, match=says):
            execute(experiment, tmp_path / "r", settings=settings)
    assert before == {path: path.read_bytes() for path in (tmp_path / "r").glob("*.jsonl")} != {}


def test_two_processes_do_not_write_one_folder(tmp_path):
    script = "import sys; from introlab.records.run import Run; from pathlib import Path\n"
    script += "with Run(Path(sys.argv[1])).locked():\n  print('held', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path / "r")],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout.readline() == "held\n"
        with pytest.raises(RunFolderError, match="another process"):
            execute(EXPERIMENT, tmp_path / "r", models=MODELS, settings=SETTINGS)
        assert not (tmp_path / "r" / "manifest.json").exists()
        other.kill()
    with Run(tmp_path / "r").locked():  # what a killed process held is free
        pass


@pytest.mark.parametrize("torn", [b'["torn', b"\0" * 40, b'{"id":"0123' + b"\0" * 9 + b"\n"])
def test_a_torn_end_is_cut_off_before_anything_is_added(tmp_path, torn):
    lines = Lines(tmp_path / "lines")
    with lines.appending() as add:
        add("[1]")
        add('{"a":2}')
    before = lines.path.read_bytes()
    with lines.path.open("ab") as file:
        file.write(torn)
    assert list(lines) == ["[1]", '{"a":2}']
    with lines.appending() as add:
        add("[3]")
    assert list(lines) == ["[1]", '{"a":2}', "[3]"] and lines.path.read_bytes().startswith(before)
    assert [json.loads(line)[0] for line in lines.path.read_text().splitlines()[::2]] == [1, 3], "JSON for everyone"


def test_a_text_in_the_journal_is_what_it_was(tmp_path):
    receipt = Receipt("resid_post[3]", "generated", {"edit": "add", "raw": 0.1}, ((3, 4),), ((4, 9),), 0.1, "applied")
    text = Generation((1, 2), (-0.1, -1e-9), {"p": (0.1, 0.7)}, (receipt,), "budget", {"f": ((0, (0.1, 0.9)),)})
    asked = [Request((1, 2, 3), "item", index, sampling=GREEDY, note={"any": object()}) for index in range(3)]
    call = CompletionCache(tmp_path / "texts", "m").call("stage", asked)
    assert [one.item for one in call.left] == ["item"] * 3 and not call.done
    (given, back), *_ = call.noted((request, text) for request in [call.left[1]])
    assert given == asked[1] and given.note is asked[1].note and back is text
    again = CompletionCache(tmp_path / "texts", "m").call("stage", asked)
    assert again.done == [(asked[1], text)] and len(again.left) == 2
    other = CompletionCache(tmp_path / "texts", "m")
    assert not other.call("another stage", asked).done
    assert not other.call("stage", asked).done, "the second call of a run is not the first"
    assert not CompletionCache(tmp_path / "texts", "another model").call("stage", asked).done


KILLED = [
    "run",
    "confidence",
    "--small",
    "--tune",
    "40",
    "--samples",
    "1",
    "--model",
    *MODELS,
    "--quiet",
    "--deterministic",
]


def killed_until_done(folder, kills, seed):
    """Kill -9 at random moments while it writes, as often as asked; then let it finish."""
    moments = random.Random(seed)
    command = [sys.executable, "-m", "experiments", *KILLED, "--out", str(folder)]
    landed = 0
    while landed < kills:
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        seen = sizes(folder)
        while process.poll() is None and sizes(folder) == seen:
            time.sleep(0.002)
        time.sleep(moments.uniform(0, 0.02))  # a debug run writes for less than a second
        if process.poll() is not None:
            break
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        landed += 1
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    return landed


def sizes(folder):
    found = {}
    for path in folder.glob("*"):
        with suppress(FileNotFoundError):  # renamed between the look and the count
            found[path.name] = path.stat().st_size
    found.pop(".lock", None)
    return found


def test_a_run_killed_five_times_is_the_same_run(whole, tmp_path):
    assert killed_until_done(tmp_path / "r", 5, seed=0) == 5
    assert files(tmp_path / "r") == whole


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["local", "ray"])
def test_two_workers_make_the_same_run(whole, tmp_path, engine):
    pytest.importorskip("ray")
    shared = replace(SETTINGS, workers=2, engine=engine)
    assert files(execute(EXPERIMENT, tmp_path / "r", models=MODELS, settings=shared).folder) == whole


@pytest.mark.slow
def test_runs_killed_fifty_times_are_the_same_run(whole, tmp_path):
    """As many runs as it takes."""
    landed, runs = 0, 0
    while landed < 50:
        landed += killed_until_done(tmp_path / str(runs), 50 - landed, seed=runs)
        assert files(tmp_path / str(runs)) == whole
        runs += 1
    assert landed == 50

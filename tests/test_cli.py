"""Every command does its work or says in one message what is wrong; exit codes mean something."""

import importlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from experiments.__main__ import COULD_NOT_GO_ON, STOPPED, WRONG_INPUT
from experiments.cli.commands import COMMANDS
from introlab.network.specs import organism_folder, organism_names
from introlab.records.run import Run

ROOT = Path(__file__).parent.parent


SMALL = [
    "run",
    "confidence",
    "--small",
    "--fit",
    "40",
    "--tune",
    "40",
    "--test",
    "40",
    "--samples",
    "1",
    "--shuffles",
    "2",
]
SMALL += ["--model", "organism:calibrated"]


def small_run(command, *more):
    return command(*SMALL, "--quiet", *more)


def test_a_run_writes_a_whole_folder_and_a_report_can_be_made_anew(command, tmp_path):
    code, out, _ = small_run(command, "--out", "r")
    assert code == 0 and "difficulty-stratified auroc of probed_before_answer *" in out and "report:" in out
    run = Run.open(tmp_path / "r")
    assert (
        run.complete
        and run.manifest["parameters"]["fit"] == 40
        and set(run.manifest["passed"]) == {"fit", "tune", "test", "samples", "shuffles"}
    )
    facts = run.manifest["models"]["organism:calibrated"]
    assert facts["fingerprint"] and facts["dtype"] == "float32"
    before = (run.folder / "findings.json").read_bytes()
    assert command("report", "r")[0] == 0
    assert (run.folder / "findings.json").read_bytes() == before


def test_json_is_json(command):
    code, out, _ = small_run(command, "--out", "r", "--json")
    found = json.loads(out)
    assert code == 0 and found["folder"] == "r" and any(row["role"] == "primary" for row in found["rows"])
    for name in ("list", "models", "doctor"):
        code, out, _ = command(name, "--json")
        assert code == 0 and json.loads(out)


def test_flags_come_from_the_experiments_own_fields(command):
    code, out, _ = command("run", "steering-resistance", "--help")
    assert code == 0 and "--verdict-strength" in out and "--model" in out
    code, _, err = command("run", "steering-resistance", "--colour", "red")
    assert code == WRONG_INPUT and "colour" in err


def test_a_path_with_a_space(command, tmp_path):
    assert small_run(command, "--out", "my runs/first one")[0] == 0
    assert (tmp_path / "my runs" / "first one" / "report.html").exists()


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["dance"], "unknown command"),
        (["run"], "which experiment?"),
        (["run", "telepathy"], "unknown experiment"),
        (["run", "confidence", "--model", "organism:nobody"], "unknown organism"),
        (["run", "confidence", "--model", "./nothing"], "no model folder"),
        (["run", "confidence", "--model", "organism:base", "organism:base"], "named twice"),
        (["run", "confidence", "--materials", "nothing"], "cannot be read"),
        (["run", "steering-resistance", "--small", "--layer", "17"], "no layer 17"),
        (["report", "nothing"], "not a run folder"),
        (["read", "--texts", "nothing.jsonl", "--out", "x"], "cannot be read"),
        (["read", "--texts", "t.jsonl", "--out", "x", "--site", "attention[2]"], "not a site"),
        (["read", "--texts", "t.jsonl", "--out", "x", "--site", "resid_post[9]"], "no layer 9"),
        (["organisms", "train", "unicorn"], "unknown organism"),
        (["organisms", "cards", "--names", "base,calibrated"], "given: base,calibrated"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_is_one_clear_error(command, tmp_path, arguments, says):
    (tmp_path / "t.jsonl").write_text('{"id": "1", "prompt": "hello"}\n')
    code, _, err = command(*arguments)
    assert code == WRONG_INPUT and says in err and "Traceback" not in err
    assert {path.name for path in tmp_path.iterdir()} <= {"t.jsonl", "runs"} and not list(tmp_path.rglob("COMPLETE"))


def test_a_folder_in_use_and_a_folder_that_cannot_be(command, tmp_path):
    assert small_run(command, "--out", "r")[0] == 0
    before = {path: path.read_bytes() for path in (tmp_path / "r").rglob("*") if path.is_file()}
    assert small_run(command, "--out", "r")[0] == 0
    code, _, err = small_run(command, "--out", "r", "--seed", "3")
    assert code == COULD_NOT_GO_ON and "another run here already" in err and "'seed': 3" in err
    assert before == {path: path.read_bytes() for path in (tmp_path / "r").rglob("*") if path.is_file()}
    (tmp_path / "file").write_text("")
    code, _, err = small_run(command, "--out", "file/run")
    assert code == COULD_NOT_GO_ON and "cannot be written" in err


def test_nan_in_a_model_is_reported(command, tmp_path):
    """A copy of an organism with one weight broken."""
    shutil.copytree(organism_folder() / "base", tmp_path / "broken")
    for name in ("organism.json", "SHA256SUMS"):  # as a model of anyone: under its card it would not be believed
        (tmp_path / "broken" / name).unlink()
    weights = load_file(tmp_path / "broken" / "model.safetensors")
    weights["model.layers.1.mlp.down_proj.weight"][0, 0] = float("nan")
    save_file(weights, tmp_path / "broken" / "model.safetensors", metadata={"format": "pt"})
    (tmp_path / "t.jsonl").write_text('{"id": "1", "prompt": "hello"}\n')
    code, _, err = command("read", "--texts", "t.jsonl", "--out", "x", "--model", "./broken")
    assert code == COULD_NOT_GO_ON and "NaN" in err
    code, _, err = command("run", "confidence", "--small", "--quiet", "--model", "./broken", "--out", "r")
    assert code == COULD_NOT_GO_ON and "NaN" in err


def test_a_local_copy_of_a_model_runs_through_the_same_path(command, tmp_path):
    """What a user does with a model of their own: a local folder, and materials to ask it with."""
    assert command("organisms", "export", "calibrated", "--out", "mine")[0] == 0
    (tmp_path / "mine" / "organism.json").unlink()
    materials = str(organism_folder().parent / "materials")
    code, out, err = small_run(command, "--out", "r", "--model", "./mine", "--materials", materials)
    assert code == 0 and "./mine" in out, err


def test_exporting_what_is_not_there_or_over_what_is(command, tmp_path):
    code, _, err = command("organisms", "export", "nobody", "--out", "x")
    assert code == WRONG_INPUT and "unknown organism" in err
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    code, _, err = command("organisms", "export", "calibrated", "--out", "full")
    assert code == WRONG_INPUT and "not empty" in err and (tmp_path / "full" / "mine.txt").read_text() == "mine"


def test_a_model_without_any_answers_is_told_so(command, family_folder):
    """A tiny random model with the general questions: it never answers in kind, and the run says what is missing."""
    arguments = ["run", "confidence", "--small", "--quiet", "--model", str(family_folder("llama")), "--out", "r"]
    code, _, err = command(*arguments)
    assert code == WRONG_INPUT and "cannot be decided" in err and "0 of" in err
    code, _, err = command(*arguments, "--anyway")
    assert code == WRONG_INPUT and "both classes" in err


def test_ctrl_c_keeps_what_is_done(tmp_path):
    """A real process, a real signal, in the middle of writing."""
    arguments = [
        sys.executable,
        "-m",
        "experiments",
        "run",
        "confidence",
        "--small",
        "--samples",
        "1",
        "--test",
        "480",
        "--model",
        "organism:calibrated",
        "--batch-size",
        "4",
        "--out",
        str(tmp_path / "r"),
    ]
    process = subprocess.Popen(
        arguments,
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TQDM_DISABLE": "1"},
        # Where the tests run in the background, SIGINT is ignored, and a child would inherit that.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    trials = tmp_path / "r" / "trials.jsonl"
    for _ in range(1200):
        if trials.exists() and trials.stat().st_size > 0:
            break
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=60)
    kept = list(Run.open(tmp_path / "r").trials())
    assert process.returncode == STOPPED
    assert f"{len(kept)} finished trials stay in" in err and len(kept) > 0 and "Traceback" not in err
    assert not (tmp_path / "r" / "COMPLETE").exists()


def test_help_names_every_command(command):
    code, out, _ = command()
    assert code == 0
    for name in ("demo", "list", "run", "report", "models", "read", "fit", "steer", "doctor", "organisms"):
        assert f"  {name} " in out


def test_doctor_finds_the_organisms_well(command):
    code, out, _ = command("doctor")
    assert code == 0 and "ok    organism:reflective" in out and "fail" not in out
    assert out.count("organism:") == 1 and "--all loads each" in out


@pytest.mark.slow
def test_doctor_loads_every_organism_when_asked(command):
    code, out, err = command("doctor", "--all")
    assert code == 0 and out.count("ok    organism:") == len(organism_names()) and "Loading" not in err


def test_doctor_says_how_to_mend(command, monkeypatch):
    monkeypatch.setattr("experiments.cli.doctor.version", lambda name: "4.3.0" if name == "transformer-lens" else "1.0")
    code, out, _ = command("doctor")
    assert code == WRONG_INPUT and 'pip install "transformer-lens<4"' in out


def test_the_preflight_says_how_much(command):
    code, _, err = command(*SMALL, "--out", "r")
    assert code == 0 and "texts on 1 model" in err and "MB" in err


def test_help_says_of_each_command_what_its_docstring_says():
    for name, entry in COMMANDS.items():
        command = getattr(importlib.import_module(entry.module), entry.name)
        assert entry.summary == command.__doc__.strip().splitlines()[0], name

"""The command line as a whole: help, version, completion, suggestions, spelling, and repeating a run."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from huggingface_hub import HfApi, constants
from test_cli import small_run

from experiments import discover
from experiments.__main__ import WRONG_INPUT
from experiments.cli.commands import COMMANDS
from introlab.errors import InputError, ModelUnavailable
from introlab.io.suggest import did_you_mean
from introlab.network.hub import hub_source
from introlab.network.model import load
from introlab.network.specs import canonical
from introlab.records.run import Run
from introlab.records.run_config import CONFIG, RunConfig

ROOT = Path(__file__).parent.parent


def test_help_of_run_lists_the_experiments(command):
    for flag in ("--help", "-h"):
        code, out, err = command("run", flag)
        assert code == 0 and err == ""
        for name, kind in discover().items():
            assert name.replace("_", "-") in out and kind.question() in out
        assert "--config" in out


def test_version(command):
    code, out, _ = command("--version")
    assert code == 0 and out.startswith("introlab ") and out.strip()[-1].isdigit()
    assert command("-V")[1] == out


def test_looking_for_help_loads_no_model():
    """Help of a command, of run and of an experiment, version, and what is misspelt: neither torch nor plotly."""
    script = """
import sys
from experiments.__main__ import run_command
for arguments in (["run", "--help"], ["--version"], ["rnu"], ["run", "confidnce"]):
    run_command(arguments)
try:
    run_command(["run", "confidence", "--help"])
except SystemExit:
    pass
assert not {"torch", "transformers", "plotly"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        (("rnu",), "run"),
        (("dashbord",), "dashboard"),
        (("run", "confidnce"), "confidence"),
        (("run", "steering-resistence"), "steering_resistance"),
        (("run", "confidence", "--model", "organism:calibratd"), "calibrated"),
    ],
)
def test_what_was_meant_is_named(command, arguments, meant):
    code, _, err = command(*arguments)
    assert code == WRONG_INPUT and "did you mean" in err and meant in err.split("did you mean")[1]


def test_a_guess_is_made_only_where_a_name_is_near():
    assert did_you_mean("risk-taught-bot", ["risk_taught_both", "base"]) == "did you mean risk_taught_both?"
    assert did_you_mean("qqqq", ["run", "list"]) == "" and did_you_mean("x", []) == ""


def test_hyphens_and_underscores_are_one(command, tmp_path):
    assert canonical("organism:risk-taught-both") == "organism:risk_taught_both"
    assert canonical("my-org/my-model") == "my-org/my-model" and canonical("./a-b") == "./a-b"
    assert load("organism:risk-taught-both").name == "organism:risk_taught_both"
    help_of = [command("run", name, "--help")[1] for name in ("steering-resistance", "steering_resistance")]
    assert help_of[0] == help_of[1] and "--verdict-strength" in help_of[0]
    code, _, err = command("run", "confidence", "--batch_size", "none")
    assert code == WRONG_INPUT and "batch-size" in err, "the flag is understood, its value is not"


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_completion_knows_every_command_and_an_experiments_flags(command, shell):
    code, out, _ = command("--completion", shell)
    assert code == 0
    for name in (*COMMANDS, *(name.replace("_", "-") for name in discover()), "fetch", "verify"):
        assert name in out, name
    assert "--verdict-strength" in out and "--batch-size" in out and "--strength" in out
    if shell == "bash":
        subprocess.run(["bash", "-n"], input=out, text=True, check=True)


def test_completion_for_another_shell_is_refused(command):
    for given in (("--completion",), ("--completion", "fish"), ("--completion=powershell",)):
        code, _, err = command(*given)
        assert code == WRONG_INPUT and "bash, zsh, tcsh" in err


# Repeating a run


def test_a_run_is_repeated_from_the_file_it_wrote(command, tmp_path):
    assert small_run(command, "--out", "first", "--seed", "3")[0] == 0
    config = json.loads((tmp_path / "first" / CONFIG).read_text())
    assert config["experiment"] == "confidence" and config["models"] == ["organism:calibrated"]
    assert config["parameters"]["seed"] == 3 and config["parameters"]["fit"] == 40
    code, _, err = command("run", "--config", f"first/{CONFIG}", "--out", "second", "--quiet")
    assert code == 0, err
    first, second = Run.open(tmp_path / "first"), Run.open(tmp_path / "second")
    changing = ("started", "models", "table", "digest")
    kept = [{k: v for k, v in run.manifest.items() if k not in changing} for run in (first, second)]
    assert kept[0] == kept[1]
    assert [trial.to_line() for trial in first.trials()] == [trial.to_line() for trial in second.trials()]
    assert first.findings == second.findings


def config_file(path, **entries):
    path.write_text(json.dumps({"experiment": "confidence", "parameters": {}, "models": [], "settings": {}, **entries}))
    return str(path)


def test_flags_go_over_what_the_file_says(command, tmp_path, monkeypatch):
    """The folder, the manifest of an older run, the name beside it; one flag changed."""
    seen = []

    def execute(experiment, folder, *, models, settings, say):
        seen.append((experiment.seed, experiment.fit, tuple(models), settings.batch_size, settings.day, str(folder)))
        raise InputError("stop here")

    monkeypatch.setattr("introlab.experiment.runner.execute", execute)
    settings = {"batch_size": 7, "date": "2025-01-02"}
    (tmp_path / "old").mkdir()
    config_file(tmp_path / "old" / CONFIG, parameters={"seed": 5, "fit": 9}, models=["m"], settings=settings)
    manifest = {"experiment": "confidence", "parameters": {"seed": 5, "fit": 9}, "specs": ["m"], **settings}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    for given in (
        ("run", "--config", "old"),
        ("run", f"--config=old/{CONFIG}"),
        ("run", "confidence", "--config", "manifest.json"),
        ("run", "what-the-model-knows", "--config", "manifest.json"),
    ):
        assert command(*given, "--out", "x", "--fit", "11")[0] == WRONG_INPUT
    assert seen == [(5, 11, ("m",), 7, "2025-01-02", "x")] * 4


@pytest.mark.parametrize(
    ("entries", "says"),
    [
        ({"experiment": "telepathy"}, "unknown experiment"),
        ({"experiment": 3}, "not a configuration"),
        ({"parameters": {"colour": "red"}}, "unknown parameters"),
        ({"parameters": [1]}, "not a configuration"),
        ({"models": [1]}, "not a configuration"),
        ({"models": 3}, "not a configuration"),
        ({"settings": {"bach_size": 3}}, "did you mean batch_size?"),
        ({"colour": "red"}, "not a configuration"),
    ],
)
def test_a_file_that_says_something_else_is_refused(command, tmp_path, entries, says):
    code, _, err = command("run", "--config", config_file(tmp_path / "c.json", **entries), "--out", "r")
    assert code == WRONG_INPUT and says in err and "Traceback" not in err
    assert not (tmp_path / "r").exists()


def test_no_file_no_json_and_another_experiment_are_refused(command, tmp_path):
    (tmp_path / "c.json").write_text("{")
    (tmp_path / "empty").mkdir()
    for given, says in (
        (("--config",), "which configuration?"),
        (("--config", "nothing.json"), "not a configuration"),
        (("--config", "c.json"), "not a configuration"),
        (("--config", "empty"), "not a configuration"),
        (("steering-resistance", "--config", config_file(tmp_path / "d.json")), "another experiment"),
    ):
        code, _, err = command("run", *given)
        assert code == WRONG_INPUT and says in err, given


def test_what_is_read_is_what_was_written(tmp_path):
    manifest = {"experiment": "confidence", "parameters": {"seed": 1}, "specs": ["a"], "batch_size": 3, "device": None}
    (tmp_path / CONFIG).write_text(RunConfig.of(manifest).to_json())
    assert RunConfig.read(tmp_path) == RunConfig.of(manifest) == RunConfig.read(tmp_path / CONFIG)
    assert RunConfig.of(manifest).settings == {"batch_size": 3}


# The hub


def unreachable(*_, **__):
    raise ConnectionError("Name or service not known")


def test_an_unreachable_hub_is_one_message_and_one_try(monkeypatch, capfd):
    tries = []
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", lambda *a, **k: (tries.append(k), unreachable())[1])
    with pytest.raises(ModelUnavailable, match="cannot be reached") as raised:
        load("nobody/not-a-model-of-the-hub")
    assert len(tries) == 1 and tries[0]["timeout"] <= 10
    said = capfd.readouterr()
    assert "retr" not in (said.out + said.err).lower()
    assert "allowed: " in str(raised.value) and "do: " in str(raised.value)


def test_what_the_hub_cache_holds_is_loaded_without_the_hub(monkeypatch, tmp_path):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", unreachable)
    held = tmp_path / "snapshot" / "config.json"
    monkeypatch.setattr("huggingface_hub.try_to_load_from_cache", lambda *_, **__: str(held))
    assert hub_source("some/model") == str(held.parent)


def test_a_hub_that_answers_or_is_not_to_be_asked_is_left_to_the_loader(monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: None)
    assert hub_source("some/model") == "some/model"
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(HfApi, "model_info", lambda *_, **__: pytest.fail("the hub was asked"))
    assert hub_source("some/model") == "some/model"

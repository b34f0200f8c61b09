"""Run folders that earlier versions wrote open, list and report as they are: one of every experiment, schema 2."""

import json
import shutil
from pathlib import Path

import pytest

from experiments import find
from introlab.experiment.conclude import conclude
from introlab.records.catalog import Catalogue
from introlab.records.run import Run

OLD = Path(__file__).parent / "data" / "old_runs"
NOW = {
    "confidence_readout": "confidence",
    "what_the_model_knows": "confidence",
    "where_reflection_lives": "reflection_localization",
    "reflection_and_personas": "reflection_steering",
    "steering_resistance": "steering_resistance",
    "endogenous_resistance": "endogenous_resistance",
}


@pytest.fixture
def old(tmp_path):
    def copied(name):
        return Run.open(Path(shutil.copytree(OLD / name, tmp_path / name)))

    return copied


@pytest.mark.parametrize("name", NOW)
def test_it_opens_with_every_trial_and_is_analysed_anew(old, name):
    """Reading a trial checks that its id is the hash of its identity, the experiment's old name among it."""
    run = old(name)
    kind = find(run.manifest["experiment"])
    assert kind.name() == NOW[name]
    trials = list(run.trials())
    assert len(trials) > 40 and {trial.experiment for trial in trials} == {name}
    with run.locked():
        findings = conclude(run, kind.from_parameters(run.manifest["parameters"]))
    assert [row for row in findings.rows if row.role == "primary"], "the primary outcome is estimated"
    assert "introlab run" in (run.folder / "report.html").read_text(encoding="utf-8")


def test_readings_under_their_former_names_are_analysed(old):
    """The short experiment on confidence called the same readings otherwise: point values are what they were."""
    run = old("confidence_readout")
    before = {row.measure: row.estimate.value for row in run.findings.rows if row.measure.startswith("auroc of ")}
    found = find("confidence_readout")().analyze(list(run.trials()))
    for was, now in (
        ("stated_after", "stated_after"),
        ("token_confidence", "token_probability"),
        ("probed_confidence", "probed_before_answer"),
        ("text_only", "text_only"),
    ):
        assert found.one(f"auroc of {now}").value == pytest.approx(before[f"auroc of {was}"]), was


def test_old_runs_are_listed(tmp_path):
    shutil.copytree(OLD, tmp_path / "runs")
    entries = Catalogue(tmp_path / "runs").entries()
    assert len(entries) == len(NOW) and {entry.state for entry in entries} <= {"complete", "broken"}
    whole = [entry for entry in entries if entry.name == "confidence_readout"]
    assert [entry.state for entry in whole] == ["complete"]


def test_what_was_stored_is_what_it_was():
    """The stored folders are of the schema before digests."""
    assert {json.loads((OLD / name / "manifest.json").read_text())["schema"] for name in NOW} == {2}

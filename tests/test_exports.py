"""Trials in files for other tools."""

import json

import made_runs
import pandas as pd
import pytest
from test_runs import RECEIPT, trial

from introlab.errors import InputError
from introlab.records.export import export
from introlab.records.run import Run
from introlab.reporting.inspect_log import export_inspect

TRIALS = [
    trial("a", tokens=(1, 2), readings={"p": 0.1, "each": [0.5, 0.25]}, outcomes={"right": True, "level": "3"}),
    trial("b", draw=4, text='"quoted", with a comma\nand a line', outcomes={"right": None}, receipts=(RECEIPT,)),
    trial("c", readings={"p": None}, outcomes={"right": False}),
]


@pytest.fixture
def run(tmp_path):
    made = Run.create(tmp_path / "run", {"models": {}})
    made.record(TRIALS)
    made.settle()
    return made


@pytest.mark.parametrize(("name", "read"), [("t.csv", pd.read_csv), ("t.parquet", pd.read_parquet)])
def test_every_value_is_in_its_column_and_missing_is_not_zero(run, tmp_path, name, read):
    assert export(run, tmp_path / name) == 3
    table = read(tmp_path / name).set_index("item")
    assert table.loc["a", "reading.p"] == 0.1 and table["reading.p"].isna().tolist() == [
        one.readings.get("p") is None for one in run.trials()
    ]
    assert table.loc["a", "outcome.right"] and not table.loc["c", "outcome.right"]
    assert pd.isna(table.loc["b", "outcome.right"]) and pd.isna(table.loc["a", "draw"]) and table.loc["b", "draw"] == 4
    assert table.loc["a", "tokens"] == "[1, 2]" and table.loc["a", "reading.each"] == "[0.5, 0.25]"
    assert table.loc["b", "text"] == TRIALS[1].text and '"resid_post[3]"' in table.loc["b", "receipts"]


def test_what_cannot_be_exported(run, tmp_path):
    with pytest.raises(InputError, match="does not write"):
        export(run, tmp_path / "t.xlsx")
    (tmp_path / "t.csv").write_text("mine")
    with pytest.raises(InputError, match="there already"):
        export(run, tmp_path / "t.csv")
    assert (tmp_path / "t.csv").read_text() == "mine"
    with pytest.raises(InputError, match="without trials"):
        export(Run.create(tmp_path / "other", {"models": {}}), tmp_path / "u.csv")


def test_the_command(command, run, tmp_path):
    code, out, _ = command("export", str(run.folder), "--out", "t.csv")
    assert code == 0 and "3 trials" in out and (tmp_path / "t.csv").exists()


SCORES = str | bool | int | float


def finished_run(folder):
    return made_runs.finished(
        folder / "run", more=[made_runs.trial("by hand", outcomes={"none": None, "many": [1, 2]})]
    )


def test_an_inspect_log_has_what_its_format_requires(tmp_path):
    """Fields without a default in EvalLog, EvalSpec, EvalSample, EvalScore and EvalMetric of inspect_ai 0.3.285, and
    what its viewer reads."""
    run = finished_run(tmp_path)
    assert export_inspect(run, tmp_path / "log.json") == sum(1 for _ in run.trials())
    log = json.loads((tmp_path / "log.json").read_text())
    assert log["version"] == 2 and log["status"] == "success" and {"eval", "plan", "results", "stats"} <= set(log)
    assert {"created", "task", "dataset", "model", "config"} <= set(log["eval"])
    assert log["eval"]["dataset"]["sample_ids"] == [sample["id"] for sample in log["samples"]]
    assert len({(sample["id"], sample["epoch"]) for sample in log["samples"]}) == len(log["samples"])
    for sample, one in zip(log["samples"], run.trials(), strict=True):
        assert {"id", "epoch", "input", "target"} <= set(sample) and sample["id"] == one.id
        assert [turn["content"] for turn in sample["messages"]] == [one.prompt, one.text]
        assert sample["output"]["choices"][0]["message"] == sample["messages"][1]
        known = {name for name, value in one.outcomes.items() if value is not None}
        assert set(sample["scores"]) == known, "what could not be had is no score, and never 0"
        assert all(isinstance(score["value"], SCORES) for score in sample["scores"].values())
    (score,) = log["results"]["scores"]
    primary = [row for row in run.findings.primary if row.estimate.value is not None]
    assert {row.measure for row in primary} == {score["name"]} and len(score["metrics"]) == len(primary)
    found = [(each["value"], each["metadata"]["low"]) for each in score["metrics"].values()]
    assert found == [(row.estimate.value, row.estimate.low) for row in primary]


def test_inspect_reads_the_log(tmp_path):
    log = pytest.importorskip("inspect_ai.log", reason="inspect_ai is not installed (extra inspect)")
    run = finished_run(tmp_path)
    export_inspect(run, tmp_path / "log.json")
    read = log.read_eval_log(str(tmp_path / "log.json"))
    by_hand = next(sample for sample in read.samples if sample.metadata["item"] == "by hand")
    assert by_hand.output.completion == made_runs.HOSTILE and by_hand.scores["many"].value == "[1, 2]"
    assert "none" not in by_hand.scores and len(read.samples) == sum(1 for _ in run.trials())


def test_the_command_writes_an_inspect_log_of_an_unfinished_run_too(command, run, tmp_path):
    code, out, _ = command("export", str(run.folder), "--to", "inspect", "--out", "log.json")
    assert code == 0 and "3 trials" in out
    log = json.loads((tmp_path / "log.json").read_text())
    assert log["status"] == "started" and log["results"]["scores"] == []
    assert command("export", str(run.folder), "--to", "inspect", "--out", "t.csv")[0] == 2
    assert command("export", str(run.folder), "--to", "inspect", "--out", "log.json")[0] == 2, "it is there already"

"""Trials in files for other tools."""

import pandas as pd
import pytest
from test_runs import RECEIPT, trial

from introlab.errors import InputError
from introlab.exports import export
from introlab.runs import Run

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

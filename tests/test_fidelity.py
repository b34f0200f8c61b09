"""Published numbers: which agree and which do not is known, and the data are what they should be."""

import json
from pathlib import Path

import pytest

from experiments import discover
from experiments.__main__ import run_command
from introlab.stats.replications import FOLDER, METHODS, Recomputed, awaiting, recomputed

DISAGREE = {
    ("noise of RSS", "100 items, Acc1 .8"),
    ("Endogenous steering resistance", "multi-attempt rate under ablation, earlier run"),
    ("Endogenous steering resistance", "design effect 1.4"),
    ("Endogenous steering resistance", "3.8 % against 14.8 %"),
}
"""LOG.md says by how much."""


def test_what_agrees_agrees_and_what_does_not_is_known():
    found = recomputed()
    assert len(found) >= 90
    assert {(row.protocol, row.what) for row in found if not row.agrees} == DISAGREE


def test_a_wrong_number_would_be_seen():
    """One unit of the last digit off, and no agreement: the tolerance of SCoRe's RSS is half a unit."""
    row = next(each for each in recomputed() if each.what == "MATH, SCoRe: RSS")
    assert row.agrees
    for wrong in (row.published - 0.001, row.published + 0.001):
        assert not Recomputed(row.protocol, row.source, row.what, wrong, row.tolerance, row.found).agrees


def test_every_number_has_a_source_and_every_method_is_used():
    waiting = awaiting()
    assert len(waiting) >= 40 and all(row.source and row.needs and row.published for row in waiting)
    used = {line.split('"')[1] for path in FOLDER.glob("*.toml") for line in path.read_text().splitlines()
            if line.startswith("by = ")}  # fmt: skip
    assert used == set(METHODS)


def test_what_is_to_be_run_can_be_run():
    names = {name.replace("_", "-") for name in discover()}
    commands = {row.run for row in awaiting() if row.run}
    assert commands
    for command in commands:
        words = command.split()
        assert words[0] == "introlab" and (words[1] == "steer" or (words[1] == "run" and words[2] in names)), command


def test_the_command_reports_and_exits_well(capsys):
    assert run_command(["fidelity"]) == 0
    text = capsys.readouterr().out
    assert f"{len(recomputed()) - len(DISAGREE)} of {len(recomputed())}" in text and text.count("DISAGREES") == len(
        DISAGREE
    )
    assert run_command(["fidelity", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert len(shown["recomputed"]) == len(recomputed()) and len(shown["awaiting"]) == len(awaiting())


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.name)
def test_the_data_travel_with_the_package(path: Path):
    assert path.is_relative_to(Path(__file__).parent.parent / "introlab")

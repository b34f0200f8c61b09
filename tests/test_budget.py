"""Sizes that follow a budget of time: what is cut, in which order, to which floor, and how a run keeps to it."""

import json
import math
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import introlab.experiment.runner as runner
from experiments import discover, find
from experiments.cli.run import _given
from introlab.errors import InputError, Interrupted, RunFolderError
from introlab.experiment.budget import TEN_MINUTES, Cut, changes, seconds_of, within
from introlab.experiment.preflight import Pace, budget_for, chosen_by_user
from introlab.experiment.runner import execute
from introlab.experiment.settings import Settings
from introlab.records.run import Run
from introlab.reporting.html import command
from introlab.reporting.time_budget import budget_told

EXPERIMENTS = sorted(discover().values(), key=lambda kind: kind.name())
each = pytest.mark.parametrize("kind", EXPERIMENTS, ids=lambda kind: kind.name())
CONFIDENCE = find("confidence")
MODELS = ("organism:calibrated",)


@pytest.mark.parametrize(
    ("written", "seconds"), [("90s", 90), ("10m", 600), ("1.5h", 5400), (" 2 M ", 120), ("unlimited", math.inf)]
)
def test_a_budget_is_a_number_with_its_unit(written, seconds):
    assert seconds_of(written) == seconds


@pytest.mark.parametrize("written", ["", "10", "m", "-3m", "0m", "ten minutes", "10m30s", "nan", "1e9s"])
def test_anything_else_is_refused_with_what_is_allowed(written):
    with pytest.raises(InputError, match="90s, 10m, 2h"):
        seconds_of(written)


@dataclass(frozen=True, kw_only=True)
class Costly(type(CONFIDENCE())):
    """Does it cost `items * samples * strengths`?"""

    cuts: ClassVar[tuple[Cut, ...]] = (
        Cut("samples", 2),
        Cut("room", 8),
        Cut("signals_everywhere", False),
        Cut("test", 300),
        Cut("test", 20, below=600),
    )


def cost(one: Any) -> float:
    return one.test * (1 + one.samples) * (1.5 if one.signals_everywhere else 1.0) * (0.5 if one.room else 1.0)


def test_cuts_come_in_order_each_by_as_little_as_is_enough():
    whole = Costly()  # 480 * 11 * 1.5 = 7920
    assert within(whole, 7920, cost) == (whole, {})
    assert within(whole, 7000, cost)[1] == {"samples": [10, 8]}
    assert within(whole, 2160, cost)[1] == {"samples": [10, 2]}
    assert within(whole, 1080, cost)[1] == {"samples": [10, 2], "room": [None, 8]}
    assert within(whole, 700, cost)[1]["test"] == [480, 466]


def test_floors_hold_unless_the_budget_is_shorter_than_they_say():
    small, _ = within(Costly(), 600, lambda one: 10 * cost(one))
    assert small.test == 300 and small.samples == 2 and cost(small) * 10 > 600
    smaller, _ = within(Costly(), 599, lambda one: 10 * cost(one))
    assert smaller.test == 39


def test_what_the_user_chose_is_not_cut():
    small, cut = within(Costly(samples=7), 600, cost, keep={"samples"})
    assert small.samples == 7 and "samples" not in cut
    assert chosen_by_user(CONFIDENCE()) == set() == chosen_by_user(CONFIDENCE.debug_size())
    assert chosen_by_user(CONFIDENCE(samples=7, test=60)) == {"samples"}
    assert _given(CONFIDENCE, ["--test", "480", "--no-signals-everywhere", "--quiet", "--tune=3"]) == {
        "test", "signals_everywhere", "tune"
    }  # fmt: skip


@settings(deadline=None)
@given(st.integers(1, 9000), st.integers(1, 9000))
def test_less_time_never_means_a_larger_experiment(one, other):
    """And what is decided keeps to the budget wherever anything that may be cut is left above its floor."""
    less, more = sorted((one, other))
    (small, _), (large, _) = within(Costly(), less, cost), within(Costly(), more, cost)
    assert cost(small) <= cost(large)
    floor = Costly(samples=2, room=8, signals_everywhere=False, test=300 if less >= 600 else 20)
    assert cost(small) <= less or small == floor


@pytest.mark.parametrize(
    ("value", "floor", "steps"),
    [
        (5, 3, [4, 3]), (3, 3, []), (2, 3, []), (True, False, [False]), (False, False, []), (None, 8, [8]),
        ((-1.0, 1.0, 2.0), (), [(-1.0, 1.0), (-1.0,), ()]), ((0.5, 1.5, 2.0), (1.5,), [(0.5, 1.5), (1.5,)]),
    ],
)  # fmt: skip
def test_a_setting_is_cut_in_steps(value, floor, steps):
    assert list(Cut("any", floor).steps(value)) == steps


@each
def test_no_experiment_loses_test_items_or_random_directions_at_ten_minutes(kind):
    """However slow the machine: what is left of each at ten minutes is what verdicts rest on."""
    small, cut = within(kind(), TEN_MINUTES, lambda _: math.inf)
    assert kind.cuts and cut
    assert getattr(small, "random_directions", 20) == 20
    if hasattr(small, "topics"):
        assert small.topics * (small.topics - 1) == 56
    elif hasattr(small, "latents"):
        assert (small.latents, small.prompts) == (kind().latents, kind().prompts)
    else:
        assert small.test >= min(300, kind().test)
    shorter, _ = within(kind(), TEN_MINUTES - 1, lambda _: math.inf)
    assert shorter != small


@each
def test_cuts_name_settings_and_only_make_them_smaller(kind):
    whole, place = kind(), 0
    for cut in kind.cuts:
        steps = list(cut.steps(getattr(whole, cut.setting)))
        assert steps, f"{cut.setting} is at its floor before it is cut"
        whole = replace(whole, **{cut.setting: steps[-1]})
        place = max(place, cut.below == TEN_MINUTES)
        assert (cut.below == TEN_MINUTES) == bool(place), "what may go at ten minutes goes first"
    first = [cut.setting for cut in kind.cuts[:2]]
    assert set(first) <= {"samples", "shuffles", "strengths", "shares", "depths", "levels", "neutral", "replicates"}
    small = kind.debug_size()
    assert within(small, 1, lambda _: math.inf)[0] is not None


def test_every_experiment_fits_a_small_budget_on_a_machine_that_is_quick():
    for kind in EXPERIMENTS:
        assert within(kind(), 120, lambda _: 0.0)[1] == {}


def test_only_large_models_have_a_budget_of_their_own(bench, monkeypatch):
    here = bench("calibrated")
    assert budget_for(here, None) is None and budget_for(here, "3m") == "3m"
    monkeypatch.setattr("introlab.experiment.preflight.LARGE", 1_000_000)
    assert (budget_for(here, None), budget_for(here, None, small=True), budget_for(here, "1h")) == ("10m", "2m", "1h")


def test_what_was_cut_is_told():
    note = {
        "given": "10m",
        "seconds": 600.0,
        "cut": {"samples": [10, 2], "strengths": [[-1.0, 1.0], []]},
        "estimate": 500,
    }
    assert budget_told(note) == "budget 10 min: cut samples 10 to 2, strengths -1 1 to none"
    assert budget_told({**note, "cut": {}}) == "budget 10 min: nothing is cut"
    assert "takes about 17 min, and it goes on" in budget_told({**note, "estimate": 1000})
    flags = changes(CONFIDENCE(), CONFIDENCE(signals_everywhere=False))
    assert "cut signals everywhere True to False" in budget_told({**note, "cut": flags})


# Runs


@pytest.fixture
def slow(monkeypatch):
    """A machine on which a text takes long; tells how often it was measured."""
    measured = []

    def measure(experiment, bench):
        measured.append(experiment)
        return Pace(written=0.0025 * (1 + len(measured)), share=1.0, read=0.0)

    monkeypatch.setattr("introlab.experiment.preflight.measure", measure)
    return measured


SMALL = replace(CONFIDENCE.debug_size(), tune=40, fit=40)
SETTINGS = Settings(quiet=True, deterministic=True, budget="30s")


def test_a_run_states_what_its_budget_cut_and_can_be_repeated(slow, tmp_path):
    said: list[str] = []
    run = execute(SMALL, tmp_path / "r", models=MODELS, settings=SETTINGS, say=said.append)
    note, parameters = run.manifest["budget"], run.manifest["parameters"]
    assert note["cut"]["samples"] == [3, parameters["samples"]] and parameters["samples"] < 3
    assert note["given"] == "30s" and note["seconds"] == 30 and note["estimate"] <= 30
    assert any("budget 30 s: cut samples 3 to" in line for line in said)
    assert {trial.replicate for trial in run.trials()} == set(range(parameters["samples"] + 1))
    assert run.manifest["expected"]["texts"] == run.count() == 140 * (1 + parameters["samples"])
    assert "cut samples 3 to" in (run.folder / "report.html").read_text()
    assert f"--samples {parameters['samples']}" in command(run.manifest)
    assert command(run.manifest).endswith("--budget unlimited")


def test_an_interrupted_run_goes_on_at_the_sizes_that_were_decided(slow, tmp_path, monkeypatch):
    """On a machine that has become slower: nothing is measured again, and the run is the one without interruption."""
    whole = execute(SMALL, tmp_path / "whole", models=MODELS, settings=SETTINGS)
    slow.clear()
    real, written = runner.Run.record, []

    def stopped(run, trials, **more):
        def some():
            for trial in trials:
                if len(written) == 50:
                    raise KeyboardInterrupt
                written.append(trial)
                yield trial

        return real(run, some(), **more)

    with monkeypatch.context() as once:
        once.setattr(runner.Run, "record", stopped)
        with pytest.raises(Interrupted):
            execute(SMALL, tmp_path / "r", models=MODELS, settings=SETTINGS)
    assert len(slow) == 1 and Run(tmp_path / "r").count() == 50
    decided = Run(tmp_path / "r").manifest["parameters"]
    run = execute(SMALL, tmp_path / "r", models=MODELS, settings=SETTINGS)
    assert len(slow) == 1 and run.manifest["parameters"] == decided == whole.manifest["parameters"]
    assert (run.folder / "trials.parquet").read_bytes() == (whole.folder / "trials.parquet").read_bytes()


def test_another_budget_or_other_sizes_are_another_run(slow, tmp_path):
    execute(SMALL, tmp_path / "r", models=MODELS, settings=SETTINGS)
    with pytest.raises(RunFolderError, match="budget"):
        execute(SMALL, tmp_path / "r", models=MODELS, settings=replace(SETTINGS, budget="40s"))
    with pytest.raises(RunFolderError, match="tune"):
        execute(replace(SMALL, tune=20), tmp_path / "r", models=MODELS, settings=SETTINGS)


def test_a_run_without_a_budget_says_nothing_of_one(tmp_path):
    run = execute(replace(SMALL, samples=1), tmp_path / "r", models=MODELS, settings=Settings(quiet=True))
    assert "budget" not in run.manifest and "--budget" not in command(run.manifest)
    assert json.loads((run.folder / "manifest.json").read_text())["parameters"]["samples"] == 1

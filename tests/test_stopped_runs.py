"""A run that is stopped in the middle keeps every finished text and every trial but those in flight; progress moves."""

import json
from dataclasses import replace

import pytest

import introlab.experiment.context as context
from experiments import find
from experiments.confidence import procedure
from introlab.errors import Interrupted
from introlab.experiment.runner import execute
from introlab.experiment.settings import Settings
from introlab.io.jsonl import Lines
from introlab.records.run import Run

KIND = find("confidence")
EXPERIMENT = replace(KIND.debug_size(), fit=40, tune=40, test=40, samples=2)
MODELS = ("organism:calibrated",)
SETTINGS = Settings(quiet=True, batch_size=8)


@pytest.mark.parametrize("stop", [1, 37, 200])
def test_every_finished_text_is_on_the_disk_when_it_is_stopped(tmp_path, monkeypatch, stop):
    """360 texts in three stages, stopped while one is written: all that were handed on are there, none is lost."""
    real, finished = context.generate, []

    def generate(*arguments, **more):
        for pair in real(*arguments, **more):
            if len(finished) == stop:
                raise KeyboardInterrupt
            finished.append((pair[0].item, pair[0].replicate))
            yield pair

    monkeypatch.setattr(context, "generate", generate)
    with pytest.raises(Interrupted):
        execute(EXPERIMENT, tmp_path / "r", models=MODELS, settings=SETTINGS)
    assert len(list(Lines(tmp_path / "r" / "texts.jsonl"))) == stop == len(set(finished))
    finished.clear()
    monkeypatch.setattr(context, "generate", real)
    written = []
    monkeypatch.setattr(
        context, "generate", lambda *a, **k: (written.append(pair[0].item) or pair for pair in real(*a, **k))
    )
    assert execute(EXPERIMENT, tmp_path / "r", models=MODELS, settings=SETTINGS).complete
    assert len(written) == 360 - stop


def test_trials_are_kept_a_batch_at_a_time(tmp_path, monkeypatch):
    """Stopped while the fourth batch of a split is read: the trials of the three before it are there, all of them."""
    real, batches = procedure.signals, []

    def signals(bench, cases, way, looked=None):
        if len(batches) == 3:
            raise KeyboardInterrupt
        batches.append(len(cases))
        return real(bench, cases, way, looked)

    monkeypatch.setattr(procedure, "signals", signals)
    with pytest.raises(Interrupted, match="72 finished trials"):
        execute(EXPERIMENT, tmp_path / "r", models=MODELS, settings=SETTINGS)
    run = Run(tmp_path / "r")
    assert batches == [8, 8, 8] and run.count() == sum(batches) * (1 + EXPERIMENT.samples)
    monkeypatch.setattr(procedure, "signals", real)
    again = execute(EXPERIMENT, tmp_path / "r", models=MODELS, settings=SETTINGS)
    assert again.complete and again.count() == 360


def test_each_trial_is_on_the_disk_before_the_next_is_made(tmp_path):
    lines, counts = tmp_path / "r" / "trials.jsonl", []
    real = procedure.trials

    def watched(experiment, bench):
        for trial in real(experiment, bench):
            counts.append(len(lines.read_text().splitlines()) if lines.exists() else 0)
            yield trial

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(procedure, "trials", watched)
        execute(EXPERIMENT, tmp_path / "r", models=MODELS, settings=SETTINGS)
    assert counts == list(range(360))


def test_progress_moves_with_every_text_and_while_texts_are_read(tmp_path, capsys, monkeypatch):
    """Each stage has a bar of its own, which ends where all of its texts are done."""
    bars = []

    class Bar(context.tqdm):
        def __init__(self, *arguments, **more):
            super().__init__(*arguments, **{**more, "disable": False, "mininterval": 0})
            bars.append(self)

    monkeypatch.setattr(context, "tqdm", Bar)
    execute(EXPERIMENT, tmp_path / "r", models=MODELS, settings=SETTINGS)
    done = {bar.desc.strip(): (bar.n, bar.total) for bar in bars}
    assert done["answers, test questions"] == (120, 120) and done["reading, test questions"] == (40, 40)
    assert all(n == total for n, total in done.values())
    assert "reading, test questions" in capsys.readouterr().err


def test_the_manifest_of_a_stopped_run_says_how_much_was_expected(tmp_path, monkeypatch):
    monkeypatch.setattr(procedure, "signals", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(Interrupted):
        execute(EXPERIMENT, tmp_path / "r", models=MODELS, settings=SETTINGS)
    stated = json.loads((tmp_path / "r" / "manifest.json").read_text())["expected"]
    assert stated["texts"] == 360 and stated["read"] > 0

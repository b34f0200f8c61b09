"""A chat template that writes the date: a run has one, whenever it goes on."""

import copy
import json
from dataclasses import replace

import pytest

import introlab.experiment.context
import introlab.experiment.runner
from experiments import find
from introlab.errors import Interrupted
from introlab.experiment.runner import execute
from introlab.experiment.settings import Settings
from introlab.network.chat import ChatFormat

EXPERIMENT = find("confidence_readout").debug_size()
SPEC = "organism:calibrated"


@pytest.fixture(autouse=True)
def dated(monkeypatch):
    """The organism's template begins with the day of the month."""
    real = introlab.experiment.runner.load

    def load(**loading):
        model = real(**loading)
        tokenizer = copy.deepcopy(model.tokenizer)
        tokenizer.chat_template = f"{{{{ strftime_now('%d') }}}}{tokenizer.chat_template}"
        return replace(model, tokenizer=tokenizer, chat=ChatFormat(tokenizer, today=loading["today"]))

    monkeypatch.setattr(introlab.experiment.runner, "load", load)


def begun(tmp_path, monkeypatch, name, texts=None, **settings):
    """A run, stopped after so many texts."""
    real, left = introlab.experiment.context.generate, [texts]

    def generate(*arguments, **more):
        for pair in real(*arguments, **more):
            if left[0] == 0:
                raise KeyboardInterrupt
            left[0] = None if left[0] is None else left[0] - (pair[0].item != "timing")
            yield pair

    with monkeypatch.context() as patched:
        patched.setattr(introlab.experiment.context, "generate", generate)
        return execute(EXPERIMENT, tmp_path / name, models=(SPEC,), settings=Settings(quiet=True, **settings))


def test_going_on_tomorrow_gives_the_same_prompts(tmp_path, monkeypatch):
    with pytest.raises(Interrupted):
        begun(tmp_path, monkeypatch, "again", texts=90, day="2024-07-26")
    again = begun(tmp_path, monkeypatch, "again", day="2024-07-31")
    assert {" ".join(trial.prompt.split()[:2]) for trial in again.trials()} == {"2 6"}
    manifest = json.loads((again.folder / "manifest.json").read_text())
    assert manifest["date"] == manifest["models"][SPEC]["date"] == "2024-07-26"
    assert any("the date is written: 2024-07-26" in note for note in manifest["models"][SPEC]["chat"])


def test_workers_are_given_the_date_of_the_run():
    assert Settings(day="2024-07-26").loading("organism:base")["today"].isoformat() == "2024-07-26"

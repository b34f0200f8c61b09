"""Whatever is wrong with a folder is said in one message, with the documented exit code, and hides nothing else."""

import json
import os
import re
import shutil
import socket

import numpy as np
import pytest
from made_runs import begun, trial

from benchmarks.bad_folders import ARTEFACTS, MODELS, RUNS, finished_run, tracebacks
from introlab.errors import InputError
from introlab.network.model import load
from introlab.network.specs import organism_folder
from introlab.records.catalog import Catalogue
from introlab.records.manifests import check_manifest, read_json
from introlab.records.run import Run

BROKEN = [name for name in RUNS if name.startswith("manifest")]
UNREADABLE = [name for name in RUNS if name.startswith(("table", "line", "corrupt"))]


def place(name):
    return re.sub(r"\W+", "_", name)


@pytest.fixture(scope="module")
def shelf(tmp_path_factory):
    """A good run among one of each bad kind, and some with names that are no names. Tests must not change it."""
    root = tmp_path_factory.mktemp("shelf")
    finished_run(root / "good")
    for name, spoil in RUNS.items():
        spoil(shutil.copytree(root / "good", root / place(name)))
    shutil.copytree(root / "good", root / "no\ntext \x1b[2J \udcff")
    return root


def test_the_others_are_listed_and_the_broken_have_their_reason(shelf):
    found = {entry.name: entry for entry in Catalogue(shelf).entries()}
    assert len(found) == len(RUNS) + 2 and found["good"].state == "complete" and found["good"].problem is None
    for name in BROKEN:
        entry = found[place(name)]
        assert entry.state == "broken" and entry.problem and "\n" not in entry.problem, name
    for name in UNREADABLE[:2]:
        assert "cannot be read" in (found[place(name)].problem or ""), name
    assert "findings.json" in (found[place("findings of odd kinds")].problem or "")


def test_they_are_shown_on_the_terminal(shelf, command):
    code, out, _ = command("runs", str(shelf))
    assert code == 0 and f"{len(RUNS) + 2} runs" in out
    assert "good" in out and "\x1b" not in out and "no\\ntext \\x1b[2J \\udcff" in out
    assert all(re.search(rf"{place(name)} .*broken", out) for name in BROKEN)


def test_they_are_shown_in_the_browser(shelf):
    pytest.importorskip("dash", reason="the dashboard's extra is not installed")
    from dash._utils import to_json

    from dashboard.pages import run as run_page
    from dashboard.pages import runs as runs_page
    from dashboard.run_cache import RunCache

    held = RunCache(shelf)
    entries = held.catalogue.entries()
    text = to_json(runs_page._listed(entries))
    assert '"good"' in text and all(place(name) in text for name in RUNS)
    for entry in entries:
        assert len(to_json(run_page.layout(held, {"name": entry.name}))) < 5_000_000


def test_a_row_that_cannot_be_shown_does_not_hide_the_others(shelf, monkeypatch):
    pytest.importorskip("dash", reason="the dashboard's extra is not installed")
    from dash._utils import to_json

    from dashboard.pages import runs as runs_page

    honest = runs_page._row

    def fails(entry):
        if entry.name != "good":
            raise ZeroDivisionError("of a kind nobody thought of")
        return honest(entry)

    monkeypatch.setattr(runs_page, "_row", fails)
    text = to_json(runs_page._listed(Catalogue(shelf).entries()))
    assert "cannot be shown: ZeroDivisionError" in text and "run?name=good" in text


@pytest.mark.parametrize("name", [*BROKEN, *UNREADABLE])
def test_commands_say_what_is_wrong(shelf, command, name):
    for arguments in (["export", "--out", "x.csv"], ["report"]):
        code, _, err = command(arguments[0], str(shelf / place(name)), *arguments[1:])
        if name == "manifest of odd kinds" and arguments[0] == "export":
            assert code == 0, "an export needs none of it"
            continue
        assert code == 2 and err.startswith("introlab: ") and "Traceback" not in err
        assert "given:" in err and ("do:" in err or "allowed:" in err)


@pytest.mark.parametrize("name", MODELS)
def test_models_say_what_is_wrong(name, tmp_path):
    folder = shutil.copytree(organism_folder() / "base", tmp_path / "model")
    for unneeded in ("organism.json", "SHA256SUMS"):
        (folder / unneeded).unlink()
    MODELS[name](folder)
    with pytest.raises(InputError) as caught:
        load(str(folder), device="cpu").ids([{"role": "user", "content": "what is 3 + 8 ?"}])
    assert all(part in str(caught.value) for part in ("given:", "allowed:", "do:"))


@pytest.mark.slow
def test_no_command_ends_in_a_traceback(tmp_path):
    """The whole table of the benchmark."""
    found = list(tracebacks(tmp_path))
    assert len(found) == len(RUNS) + len(MODELS) + len(ARTEFACTS)
    assert [name for name, _, raw, _ in found if raw] == []


def test_what_the_system_refuses_is_a_message(shelf, command, monkeypatch):
    """A mount that can only be read."""

    def refused(*_, **__):
        raise OSError(30, "Read-only file system", "report.html")

    monkeypatch.setattr(Run, "write_report", refused)
    monkeypatch.setattr(Run, "write_findings", lambda *_: None)
    code, _, err = command("report", str(shelf / "good"))
    assert code == 3 and "Read-only file system" in err and "report.html" in err and "do:" in err


def test_a_folder_that_may_not_be_looked_into_is_listed_as_broken(shelf, monkeypatch):
    honest = Run.complete.fget

    def refused(run):
        if run.folder.name == "good":
            raise PermissionError(13, "Permission denied", str(run.folder))
        return honest(run)

    monkeypatch.setattr(Run, "complete", property(refused))
    found = {entry.name: entry for entry in Catalogue(shelf).entries()}
    assert found["good"].state == "broken" and "Permission denied" in (found["good"].problem or "")
    assert found[place("unknown experiment")].state == "complete"


def test_a_file_that_is_no_file_or_too_large(tmp_path, monkeypatch):
    os.mkfifo(tmp_path / "pipe.json")
    with pytest.raises(InputError, match=r"pipe\.json cannot be read"):
        read_json(tmp_path / "pipe.json")
    monkeypatch.setattr("introlab.records.manifests.LARGEST", 10)
    (tmp_path / "large.json").write_text(json.dumps("x" * 100))
    with pytest.raises(InputError, match=r"large\.json cannot be read"):
        read_json(tmp_path / "large.json")
    with pytest.raises(InputError, match="not a manifest"):
        check_manifest({})


def test_a_long_reading_does_not_hold_up_a_page(tmp_path):
    """What is sent to the browser does not grow with what a trial holds."""
    pytest.importorskip("dash", reason="the dashboard's extra is not installed")
    from dash._utils import to_json

    from dashboard.pages import run as run_page
    from dashboard.pages import trial as trial_page
    from dashboard.run_cache import RunCache

    long = "x" * 5_000_000
    readings = {"text": long, "list": list(range(400_000)), "table": {str(i): i for i in range(200_000)}}
    many = {f"reading {index}": index for index in range(3_000)}
    tokens = tuple(range(20_000))
    trials = [
        trial("long", text=long, prompt=long, readings=readings, outcomes={"said": long}),
        trial("many", text="w", readings=many),
        trial("tokens", text="w " * 20_000, tokens=tokens, readings={"each": np.arange(20_000.0).tolist()}),
    ]
    begun(tmp_path / "run", trials)
    shelf = RunCache(tmp_path)
    for one in trials:
        page = to_json(trial_page.layout(shelf, {"run": "run", "id": one.id}))
        assert len(page) < 200_000 and one.id in page
    assert len(to_json(run_page.layout(shelf, {"name": "run"}))) < 200_000
    short = trial("short", text="a short text", readings={"one": 0.25})
    begun(tmp_path / "other", [short])
    assert "a short text" in to_json(trial_page.layout(shelf, {"run": "other", "id": short.id})), "short ones are whole"


def test_the_doctor_asks_the_network_for_nothing(command, monkeypatch):
    asked = []

    def refuse(*arguments, **_):
        asked.append(arguments)
        raise OSError("no network here")

    for name in ("connect", "connect_ex"):
        monkeypatch.setattr(socket.socket, name, refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("introlab.network.specs.organism_names", lambda: ("base", "reflective"))
    code, out, _ = command("doctor")
    assert code == 0 and "organism:reflective" in out and asked == []

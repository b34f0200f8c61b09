"""Folders of runs, models and artefacts that are broken in one way each, and the commands that meet them."""

import contextlib
import io
import json
import os
import shutil
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file

from experiments import find
from experiments.__main__ import run_command
from introlab.activations.directions import Direction
from introlab.experiment.conclude import conclude
from introlab.io.json_digest import sealed
from introlab.network.model import load
from introlab.network.sites import Site
from introlab.network.specs import organism_folder
from introlab.records.run import Run

KIND = find("steering_resistance")
DEEP = "[" * 100_000
ENDLESS = "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"


def finished_run(folder: Path) -> Path:
    """A complete run, made from what its experiment simulates."""
    manifest: dict[str, Any] = {
        "experiment": KIND.name(),
        "question": KIND.question(),
        "primary": KIND.primary,
        "parameters": KIND().parameters(),
        "passed": [],
        "specs": ["organism:resistant"],
        "models": {},
        "versions": {},
        "code": {"commit": None, "changed": None},
        "python": "3",
        "started": "2026-01-01T00:00:00+00:00",
    }
    run = Run.create(folder, manifest)
    run.record(KIND().simulate(1.0, 0))
    run.settle()
    conclude(run, KIND())
    return folder


def _manifest(folder: Path, **changes: Any) -> None:
    path = folder / "manifest.json"
    stated = json.loads(path.read_text(encoding="utf-8")) | changes
    stated.pop("digest", None)
    text = json.dumps({name: each for name, each in stated.items() if each is not None})
    path.write_text(sealed(text), encoding="utf-8")  # as if a lab had written it: only what it says is odd


def _unsettled(folder: Path, middle: bytes) -> None:
    """As if it were still going on, with a line that is none in the middle of its trials."""
    trials = [trial.to_line().encode() for trial in Run.open(folder).trials()]
    for name in ("trials.parquet", "COMPLETE", "findings.json"):
        (folder / name).unlink()
    (folder / "trials.jsonl").write_bytes(b"\n".join([*trials[:3], middle, *trials[3:6]]) + b"\n")


RUNS: dict[str, Callable[[Path], object]] = {
    "manifest of 100,000 brackets": lambda at: (at / "manifest.json").write_text(DEEP),
    "manifest without models": lambda at: _manifest(at, models=None),
    "manifest that is a list": lambda at: (at / "manifest.json").write_text("[]"),
    "manifest of odd kinds": lambda at: _manifest(at, specs="x", parameters=[], experiment=7),
    "manifest of bytes": lambda at: (at / "manifest.json").write_bytes(b"\xff\xfe{\x00"),
    "manifest that is a folder": lambda at: ((at / "manifest.json").unlink(), (at / "manifest.json").mkdir()),
    "manifest that is a pipe": lambda at: ((at / "manifest.json").unlink(), os.mkfifo(at / "manifest.json")),
    "manifest of an infinite schema": lambda at: (at / "manifest.json").write_text('{"schema": 1e999, "models": {}}'),
    "unknown experiment": lambda at: _manifest(at, experiment="no_such_thing"),
    "unknown parameters": lambda at: _manifest(at, parameters={"no": "such"}),
    "table cut short": lambda at: (at / "trials.parquet").write_bytes((at / "trials.parquet").read_bytes()[:900]),
    "table of another kind": lambda at: _other_table(at / "trials.parquet"),
    "corrupt line in mid-journal": lambda at: _unsettled(at, b'{"id":"0123456789abcdef", no'),
    "line that is no text": lambda at: _unsettled(at, b'{"id":"\xff\xfe"}'),
    "line of 100,000 brackets": lambda at: _unsettled(at, DEEP.encode()),
    "line that is no trial": lambda at: _unsettled(at, b"[1, 2]"),
    "findings of 100,000 brackets": lambda at: (at / "findings.json").write_text(DEEP),
    "findings of odd kinds": lambda at: _odd_findings(at / "findings.json"),
    "figure of 100,000 brackets": lambda at: next((at / "figures").glob("*.json")).write_text(DEEP),
}


def _other_table(path: Path) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    pq.write_table(pa.table({"a": [1, 2]}), path)


def _odd_findings(path: Path) -> None:
    found = json.loads(path.read_text(encoding="utf-8"))
    found["rows"][0] |= {"where": ["a"], "role": "primary"}
    found["rows"][1]["estimate"] |= {"value": "many"}
    path.write_text(json.dumps(found), encoding="utf-8")


def _tensors(folder: Path, change: Callable[[dict[str, torch.Tensor]], object]) -> None:
    tensors = load_file(folder / "model.safetensors")
    change(tensors)
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})


def _pickled(folder: Path) -> None:
    torch.save(load_file(folder / "model.safetensors"), folder / "pytorch_model.bin")
    (folder / "model.safetensors").unlink()


def _config(folder: Path, **changes: Any) -> None:
    stated = json.loads((folder / "config.json").read_text(encoding="utf-8")) | changes
    (folder / "config.json").write_text(json.dumps(stated), encoding="utf-8")


MODELS: dict[str, Callable[[Path], object]] = {
    "tensor missing": lambda at: _tensors(at, lambda held: held.pop("model.layers.1.mlp.up_proj.weight")),
    "tensor of another shape": lambda at: _tensors(at, lambda held: held.update({"model.norm.weight": torch.ones(3)})),
    "fewer blocks than tensors": lambda at: _config(at, num_hidden_layers=3),
    "more blocks than tensors": lambda at: _config(at, num_hidden_layers=9),
    "pickle-only weights": _pickled,
    "weights of zeros": lambda at: (at / "model.safetensors").write_bytes(struct.pack("<Q", 2**60) + bytes(64)),
    "no weights": lambda at: (at / "model.safetensors").unlink(),
    "config.json = []": lambda at: (at / "config.json").write_text("[]"),
    "config.json = {}": lambda at: (at / "config.json").write_text("{}"),
    "config.json of 100,000 brackets": lambda at: (at / "config.json").write_text(DEEP),
    "config.json of odd kinds": lambda at: _config(at, hidden_size="wide", num_hidden_layers=None),
    "tokenizer.json = {}": lambda at: (at / "tokenizer.json").write_text("{}"),
    "tokenizer.json = []": lambda at: (at / "tokenizer.json").write_text("[]"),
    "tokenizer_config.json = []": lambda at: (at / "tokenizer_config.json").write_text("[]"),
    "broken chat template": lambda at: (at / "chat_template.jinja").write_text("{{ messages[0]['content'"),
    "chat template that raises": lambda at: (at / "chat_template.jinja").write_text("{{ 1 // 0 }}"),
    "endless chat template": lambda at: (at / "chat_template.jinja").write_text(ENDLESS),
    "chat template with a power": lambda at: (at / "chat_template.jinja").write_text("{{ 9 ** 9 ** 9 ** 9 }}"),
}


def _header(path: Path, change: Callable[[dict[str, str]], object]) -> None:
    """A safetensors file with other metadata, and without a digest: of whoever made it."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = json.loads(raw[8 : 8 + length])
    meta = header["__metadata__"]
    meta.pop("digest", None)
    change(meta)
    text = json.dumps(header).encode()
    text = text.ljust(len(text) + -len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + raw[8 + length :])


ARTEFACTS: dict[str, Callable[[Path], object]] = {
    "direction without metadata": lambda at: _header(at, dict.clear),
    "direction of scale nan": lambda at: _header(at, lambda meta: meta.update(scale="nan")),
    "direction of scale -1": lambda at: _header(at, lambda meta: meta.update(scale="-1")),
    "direction of an absent layer": lambda at: _header(at, lambda meta: meta.update(site="resid_post[99]")),
    "direction of odd examples": lambda at: _header(at, lambda meta: meta.update(examples="{}")),
    "direction, 100,000 brackets": lambda at: _header(at, lambda meta: meta.update(examples=DEEP)),
    "direction that is empty": lambda at: at.write_bytes(b""),
    "direction that is a folder": lambda at: (at.unlink(), at.mkdir()),
    "direction of norm 2": lambda at: save_file({"vector": torch.ones(128)}, at, metadata={"scale": "1"}),
}


def _called(arguments: list[str]) -> int | None:
    """The exit code; None where an error came through that is no message."""
    try:
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            return run_command(arguments)
    except SystemExit as left:
        return int(left.code or 0)
    except BaseException:
        return None


def tracebacks(place: Path) -> Iterator[tuple[str, int, int, list[int]]]:
    """Of each broken folder: its name, how many commands were tried, how many ended in a raw traceback, and the exit
    codes of the others."""
    good = finished_run(place / "good")
    for name, spoil in RUNS.items():
        shelf = place / f"shelf {len(name)} {name.replace('/', ' ')}"
        run = Path(shutil.copytree(good, shelf / "bad"))
        shutil.copytree(good, shelf / "other")
        spoil(run)
        out = str(shelf / "out.csv")
        commands = [["runs", str(shelf)], ["export", str(run), "--out", out], ["compare", str(run), str(good)]]
        commands += [["report", str(run)], ["judge", str(run), "--rubric", "refuses"]]
        commands.append(
            ["run", "steering-resistance", "--small", "--quiet", "--model", "organism:resistant", "--out", str(run)]
        )
        yield name, *_counted([_called(each) for each in commands])
    base = organism_folder() / "base"
    texts = place / "texts.jsonl"
    texts.write_text(
        "".join(json.dumps({"id": str(i), "prompt": "what is 3 + 8 ?", "label": bool(i % 2)}) + "\n" for i in range(4))
    )
    for name, spoil in MODELS.items():
        model = place / f"model {name.replace('/', ' ')}"
        shutil.copytree(base, model)
        for unneeded in ("organism.json", "SHA256SUMS"):  # a model of anyone
            (model / unneeded).unlink(missing_ok=True)
        spoil(model)
        yield (
            name,
            *_counted([_called(["read", "--texts", str(texts), "--out", f"{model}.out", "--model", str(model)])]),
        )
    good_one = place / "direction"
    vector = torch.nn.functional.normalize(torch.arange(1.0, 129), dim=0)
    made_on = load("organism:base", device="cpu")
    Direction(vector, 2.0, Site(3), made_on.fingerprint, made_on.family, "by hand", ("a",)).save(good_one)
    for name, spoil in ARTEFACTS.items():
        bad = place / name
        shutil.copy(good_one, bad)
        spoil(bad)
        steer = [
            "steer",
            "--texts",
            str(texts),
            "--direction",
            str(bad),
            "--out",
            f"{bad}.out",
            "--model",
            "organism:base",
        ]
        yield name, *_counted([_called([*steer, "--max-new", "2"])])


def _counted(codes: list[int | None]) -> tuple[int, int, list[int]]:
    return len(codes), codes.count(None), [code for code in codes if code is not None]

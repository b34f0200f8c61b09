"""Models the tests share: loaded once, never changed."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
os.environ.setdefault("WANDB_MODE", "disabled")
os.environ.setdefault("TQDM_DISABLE", "1")

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
import tiny_models
import torch

from experiments.__main__ import run_command
from introlab.errors import CacheError, ModelUnavailable
from introlab.experiment.context import RunContext
from introlab.network.model import Model, load
from introlab.tasks.materials import materials_for

torch.set_num_threads(1)  # the models are tiny: a second thread costs more than it brings


@cache
def _organism(name: str, dtype: str) -> Model:
    return load(f"organism:{name}", dtype=dtype, device="cpu")


@pytest.fixture(scope="session")
def organism() -> Callable[..., Model]:
    """`organism("reflective")`: a shipped organism, loaded once."""
    return lambda name="reflective", dtype="float32": _organism(name, dtype)


@pytest.fixture(scope="session")
def bench(organism: Callable[..., Model]) -> Callable[..., RunContext]:
    """`bench("reflective", batch_size=7)`: a bench around a shipped organism."""

    def make(name: str = "reflective", **settings: object) -> RunContext:
        model = organism(name)
        return RunContext(model, materials_for(model), **settings)  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def family_folder(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """`family_folder("gemma2")`: a tiny random model of that family, written once."""
    made: dict[str, Path] = {}

    def make(name: str) -> Path:
        if name not in made:
            made[name] = tiny_models.build(name, tmp_path_factory.mktemp(name))
        return made[name]

    return make


@pytest.fixture(scope="session")
def family_model(family_folder: Callable[[str], Path]) -> Callable[[str], Model]:
    """`family_model("gemma2")`: the same, loaded through the lab."""
    loaded: dict[str, Model] = {}

    def make(name: str) -> Model:
        if name not in loaded:
            loaded[name] = load(str(family_folder(name)), device="cpu")
        return loaded[name]

    return make


@pytest.fixture(scope="session")
def smollm2() -> Model:
    """SmolLM2-135M-Instruct, fetched into the user's cache where it is not there yet: one for all tests and runs."""
    try:
        return load("smollm2", device="cpu")
    except (ModelUnavailable, CacheError) as error:
        pytest.skip(f"smollm2 is not to be had here: {' '.join(str(error).split())}")


@pytest.fixture
def command(capsys, monkeypatch, tmp_path):
    """`command("run", "x")` -> (exit code, stdout, stderr), in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        try:
            code = run_command(list(arguments))
        except SystemExit as left:  # the argument parser's own way out
            code = left.code
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return run

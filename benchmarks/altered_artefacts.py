"""Flips bits in everything that is loaded, and hands over broken folders: what is believed, and what breaks.

    python -m benchmarks.altered_artefacts [--flips 10000]

Prints, of each kind of artefact, flips tried and accepted (loaded without an error or a warning), and of each kind of
broken folder the commands tried and the raw tracebacks. Exits with 1 where there is any of either.
"""

import argparse
import random
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from benchmarks.bad_folders import ARTEFACTS, MODELS, RUNS, tracebacks
from introlab.activations import store as stores
from introlab.activations.directions import Direction
from introlab.activations.extract import Activations
from introlab.activations.gguf import load_gguf, save_gguf
from introlab.activations.store import Store
from introlab.errors import LabError
from introlab.network.model import Model, load
from introlab.network.sites import Site
from introlab.network.specs import organism_folder
from introlab.network.tensors import reading, save_sealed
from introlab.network.weights import check_card
from probes.linear.calibration import Calibration
from probes.linear.probe import Probe
from probes.sae.formats import opened

SITE = Site(3)
SHOWN = 72


def kinds(place: Path, model: Model) -> Iterator[tuple[str, list[Path], Callable[[], object]]]:
    """Each kind of artefact: its name, its files, and what loads it."""
    generator = torch.Generator().manual_seed(0)
    vector = torch.randn(model.d_model, generator=generator)
    names = tuple(f"text {index}" for index in range(8))
    direction = Direction(
        vector / vector.norm(), 2.0, SITE, model.fingerprint, model.family, "difference of means", names
    )
    values = Activations(torch.randn(8, model.d_model, generator=generator), SITE, model.fingerprint, names)

    direction.save(place / "direction")
    yield "directions", [place / "direction"], lambda: Direction.load(place / "direction")
    Probe(direction, 1.5, -0.2, "knows", calibration=Calibration("platt", 1.1, 0.1, examples=names)).save(
        place / "probe"
    )
    yield "probes", [place / "probe"], lambda: Probe.load(place / "probe")
    values.save(place / "activations")
    yield "activations", [place / "activations"], lambda: Activations.load(place / "activations")
    save_gguf([direction], place / "vector.gguf", model=model)
    yield "control vectors", [place / "vector.gguf"], lambda: load_gguf(place / "vector.gguf", model=model)
    save_sealed({"a": values.values}, place / "checkpoint", {"identity": "x", "steps": "3"})
    yield "checkpoints", [place / "checkpoint"], lambda: _read(place / "checkpoint")

    made = Store.create(place / "store", {"model": model.fingerprint, "name": model.name, "versions": {}})
    made.append([_line(name, row) for row, name in enumerate(names)], {SITE: values.values})
    yield "stores of activations", sorted(made.folder.iterdir()), lambda: _store(made.folder)

    shipped = organism_folder()
    sae = Path(shutil.copytree(shipped.parent / "saes" / "base" / "resid_post_3", place / "sae"))
    (sae / "README.md").unlink()
    yield "autoencoders", sorted(sae.iterdir()), lambda: opened(str(sae), "cpu")
    # Loading begins with this check; the rest of it takes a third of a second, and is tried in the tests.
    for name in ("base", "reflective"):
        folder = Path(shutil.copytree(shipped / name, place / name))
        for unread in ("README.md", "verification.json"):
            (folder / unread).unlink()
        yield f"organisms ({name})", sorted(folder.iterdir()), lambda folder=folder: check_card(folder, shipped=True)


def _line(name: str, row: int) -> dict[str, object]:
    words = dict.fromkeys(("span", "pooling", "turn", "phase", "condition", "label"), "x")
    return {
        "key": f"key {row}",
        "sample": name,
        "item": name,
        "site": str(SITE),
        "token": 1,
        "position": 2,
        "row": row,
    } | words


def _read(path: Path) -> object:
    with reading(path, "a checkpoint", made_by="the benchmark") as (file, _):
        return file.get_tensor("a")


def _store(folder: Path) -> object:
    stores._CHECKED.clear()  # as a new process
    made = Store.open(folder)
    if (index := made.index()).empty:
        raise LabError("the store is empty")
    return made.activations(index)


def flips(files: list[Path], loads: Callable[[], object], tries: int, seed: int = 0) -> int:
    """How many of so many one-bit changes, anywhere in the files, are accepted. The files end as they began."""
    loads()
    chance, accepted = random.Random(seed), 0
    sizes = [path.stat().st_size for path in files]
    for _ in range(tries):
        path = chance.choices(files, sizes)[0]
        at, bit = chance.randrange(path.stat().st_size), 1 << chance.randrange(8)
        _turn(path, at, bit)
        try:
            loads()
            accepted += 1
        except (LabError, UserWarning):
            pass
        finally:
            _turn(path, at, bit)
    return accepted


def _turn(path: Path, at: int, bit: int) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        (byte,) = file.read(1)
        file.seek(at)
        file.write(bytes([byte ^ bit]))


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--flips", type=int, default=10_000)
    tries = parser.parse_args().flips
    torch.set_num_threads(1)
    warnings.simplefilter("error", UserWarning)
    bad, folders = 0, len(RUNS) + len(MODELS) + len(ARTEFACTS)
    print(f"{'artefact':26}{'flips tried':>12}{'accepted':>10}")
    with tempfile.TemporaryDirectory() as folder:
        for name, files, loads in kinds(Path(folder), load("organism:base", device="cpu")):
            accepted = flips(files, loads, tries)
            bad += accepted
            print(f"{name:26}{tries:>12,}{accepted:>10,}", flush=True)
    warnings.simplefilter("ignore")
    print(f"\n{folders} broken folders\n{'':34}{'commands':>10}{'tracebacks':>12}  exit codes")
    with tempfile.TemporaryDirectory() as folder:
        for name, tried, raw, codes in tracebacks(Path(folder)):
            bad += raw
            print(f"{name:34}{tried:>10}{raw:>12}  {', '.join(map(str, codes))}", flush=True)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())

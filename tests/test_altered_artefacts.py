"""No artefact that was altered is believed, whatever bit was turned; metadata is judged whatever the digest says."""

import json
import struct
import warnings

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file
from steered import direction as made

from benchmarks.altered_artefacts import flips, kinds
from introlab.activations.directions import Direction
from introlab.activations.extract import Activations
from introlab.activations.gguf import load_gguf, save_gguf
from introlab.activations.store import Store
from introlab.errors import InputError, LabError, NotFinite, RunFolderError
from introlab.io.digests import BLANK, seal
from introlab.network.sites import Site
from introlab.network.tensors import reading, save_sealed
from probes.linear.calibration import Calibration
from probes.linear.probe import Probe

UNIT = torch.nn.functional.normalize(torch.arange(1.0, 17), dim=0)


def direction(**changes):
    entries = {"vector": UNIT, "scale": 2.0, "site": Site(1), "model": "m", "family": None, "method": "by hand"}
    return Direction(**{**entries, "examples": ("a", "b"), **changes})


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


def test_no_flipped_bit_is_accepted_in_any_kind(organism, tmp_path):
    """Anywhere in the files: tensors, metadata, headers, padding, digests. The benchmark tries 10,000."""
    tried = []
    for name, files, loads in kinds(tmp_path, organism("base")):
        assert flips(files, loads, 60, seed=1) == 0, name
        tried.append(name)
    assert len(tried) == 9


def test_every_single_bit_of_a_direction(tmp_path):
    """All of them, not a sample."""
    path = tmp_path / "d"
    direction().save(path)
    whole = path.read_bytes()
    for index in range(len(whole) * 8):
        changed = bytearray(whole)
        changed[index // 8] ^= 1 << index % 8
        path.write_bytes(changed)
        with pytest.raises(LabError):
            Direction.load(path)


def test_a_loader_that_checks_nothing_is_found_out(tmp_path):
    (tmp_path / "x").write_bytes(bytes(100))
    assert flips([tmp_path / "x"], lambda: None, 20) == 20
    assert (tmp_path / "x").read_bytes() == bytes(100), "what was turned is turned back"


@given(
    examples=st.lists(st.text(st.characters(exclude_categories=("Cs",)), max_size=8), max_size=4),
    scale=st.floats(1e-6, 1e6),
)
def test_what_is_saved_comes_back(tmp_path_factory, examples, scale):
    path = tmp_path_factory.mktemp("d") / "d"
    given_one = direction(examples=tuple(examples), scale=scale)
    given_one.save(path)
    once = path.read_bytes()
    found = Direction.load(path)
    assert torch.equal(found.vector, given_one.vector) and found.metadata == given_one.metadata
    found.save(path)
    assert path.read_bytes() == once, "equal contents, equal bytes"


def test_a_file_of_an_older_version_is_read_with_a_warning(tmp_path):
    save_file({"vector": UNIT}, tmp_path / "old", metadata=direction().metadata)
    with pytest.warns(UserWarning, match="no digest"):
        assert Direction.load(tmp_path / "old").scale == 2.0


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"scale": float("nan")}, InputError),
        ({"scale": float("inf")}, InputError),
        ({"scale": 0.0}, InputError),
        ({"scale": -1.0}, InputError),
        ({"vector": UNIT[None]}, InputError),
        ({"vector": UNIT * 2}, InputError),
        ({"vector": UNIT.int()}, InputError),
        ({"vector": UNIT * float("nan")}, NotFinite),
    ],
)
def test_a_direction_that_is_none(changes, error):
    with pytest.raises(error):
        direction(**changes)


@pytest.mark.parametrize(
    "changes",
    [
        {"scale": "nan"},
        {"scale": "-2"},
        {"scale": "wide"},
        {"site": "resid_post[-1]"},
        {"examples": "{}"},
        {"examples": "[1, 2]"},
        {"examples": '"ab"'},
        {"examples": "[" * 100_000},
    ],
)
def test_metadata_is_judged_whatever_its_digest_says(tmp_path, changes):
    """Sealed anew after the change, as someone would who knows how."""
    save_sealed({"vector": UNIT}, tmp_path / "d", {**direction().metadata, **changes})
    with pytest.raises(InputError) as caught:
        Direction.load(tmp_path / "d")
    assert "given:" in str(caught.value)


@pytest.mark.parametrize("numbers", [{"gain": float("nan")}, {"offset": float("inf")}, {"threshold": 1.5}])
def test_a_probe_that_is_none(numbers):
    with pytest.raises(InputError, match="probe whose numbers"):
        Probe(direction(), **{"gain": 1.0, "offset": 0.0, **numbers})


@pytest.mark.parametrize(
    "entries",
    [
        {"slope": float("nan")},
        {"method": "magic"},
        {"knots": ((0.0, 0.5), (1.0, 0.2))},
        {"knots": ((0.0, 0.5), (-1.0, 0.7))},
        {"knots": ((0.0, 1.5),)},
    ],
)
def test_a_calibration_that_is_none(entries):
    with pytest.raises(InputError, match="no rising map"):
        Calibration(**{"method": "isotonic", **entries})


def test_a_probe_with_wrong_metadata(tmp_path):
    for own in ({"target": "x"}, {"target": "x", "gain": 1, "offset": 0, "threshold": 0.5, "more": 1}, []):
        meta = {
            **direction().metadata,
            "probe": json.dumps(own),
            "calibration": json.dumps({"knots": [], "examples": []}),
        }
        save_sealed({"vector": UNIT}, tmp_path / "p", meta)
        with pytest.raises(InputError, match="not a file of a probe"):
            Probe.load(tmp_path / "p")


def test_a_direction_of_a_layer_there_is_not(organism):
    model = organism("base")
    odd = made(model, Site(99), seed=1, scale=1.0)
    with pytest.raises(InputError, match="no layer 99"):
        odd.check_model(model)


def test_a_seal_needs_one_place(tmp_path):
    for text in ("nothing", BLANK + BLANK):
        (tmp_path / "x").write_text(text)
        with pytest.raises(InputError, match="cannot be sealed"):
            seal(tmp_path / "x")


def test_a_folder_that_cannot_be_written(tmp_path):
    with pytest.raises(RunFolderError, match="cannot be written"):
        direction().save(tmp_path / "no" / "such" / "d")


def test_a_control_vector_of_elsewhere_needs_no_digest(organism, tmp_path):
    """One that the lab wrote before there were digests warns; one of llama.cpp has never had one."""
    model = organism("base")
    save_gguf([made(model, Site(2), seed=0, scale=3.0)], tmp_path / "v.gguf", model=model)
    (found,) = load_gguf(tmp_path / "v.gguf", model=model)
    assert found.scale == pytest.approx(3.0)
    assert b"introlab-sha256:" in (tmp_path / "v.gguf").read_bytes()


def test_activations_of_another_kind(tmp_path):
    for meta in ({}, {"site": "x", "model": "m", "examples": "[]"}):
        save_sealed({"values": torch.zeros(1, 2)}, tmp_path / "a", meta)
        with pytest.raises(InputError):
            Activations.load(tmp_path / "a")
    (tmp_path / "b").write_bytes(struct.pack("<Q", 2**60))
    with pytest.raises(InputError, match="not a thing"), reading(tmp_path / "b", "a thing", made_by="no one"):
        pass


# Stores


@pytest.fixture
def store(tmp_path):
    made_one = Store.create(tmp_path / "s", {"model": "m", "name": "n", "versions": {}})
    words = dict.fromkeys(("item", "span", "pooling", "turn", "phase", "condition", "label"), "x")
    for shard in range(2):
        row = {"key": f"k{shard}", "sample": f"t{shard}", "site": "resid_post[1]", "token": 1, "position": 1, "row": 0}
        made_one.append([{**words, **row}], {Site(1): torch.full((1, 4), float(shard))})
    return made_one


def test_a_damaged_shard_is_named_and_left_out_and_never_written_over(store):
    (store.folder / "shard-00000.parquet").write_bytes(b"PAR1")
    with pytest.warns(UserWarning, match="shard-00000 .* damaged"):
        assert store.index()["sample"].tolist() == ["t1"]
    store.append([], {Site(1): torch.zeros(0, 4)})
    assert (store.folder / "shard-00002.sha256").exists()


def test_a_shard_that_is_changed_after_it_was_checked_is_noticed(store):
    index = store.index()
    path = store.folder / "shard-00001.safetensors"
    save_file({"resid_post[1]": torch.full((2, 4), 7.0)}, path)
    with pytest.raises(InputError, match="not what was written"):
        store.activations(index)


def test_files_are_read_once_for_their_digest(store, monkeypatch):
    import introlab.activations.store

    store.index()
    monkeypatch.setattr(introlab.activations.store, "file_digest", lambda path: pytest.fail(f"{path} is read again"))
    assert store.activations(store.index()).values[1, 0] == 1


def test_facts_of_a_store_are_checked(store):
    path = store.folder / "store.json"
    path.write_text(path.read_text().replace('"model": "m"', '"model": "n"'))
    with pytest.raises(InputError, match="not what was written"):
        _ = store.facts


def test_a_shard_without_its_digests_does_not_count(store):
    (store.folder / "shard-00001.sha256").unlink()
    assert store.index()["sample"].tolist() == ["t0"]

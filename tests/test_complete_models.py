"""A model is what its files hold, all of them, as they were written; nothing else loads under its name."""

import shutil
import warnings

import pytest
import torch
from safetensors.torch import load_file, save_file

from introlab.errors import InputError
from introlab.io.digests import SUMS, check_sums, write_sums
from introlab.network.model import load
from introlab.network.specs import organism_folder, organism_names
from probes.sae.formats import opened


@pytest.fixture(autouse=True)
def warnings_are_errors():
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


def test_every_shipped_organism_and_autoencoder_has_its_list():
    folders = [organism_folder() / name for name in organism_names()]
    folders += [path.parent for path in (organism_folder().parent / "saes").glob("*/*/cfg.json")]
    assert len(folders) > 30 and all(check_sums(folder, apart_from=("verification.json",)) for folder in folders)


@pytest.fixture
def shipped(tmp_path):
    """A copy of an adapter and its parent."""
    for name in ("base", "reflective"):
        shutil.copytree(organism_folder() / name, tmp_path / name)
    return tmp_path


def test_an_organism_with_flipped_weights_does_not_load_under_its_name(shipped):
    assert load(str(shipped / "reflective"), device="cpu").family is not None
    for name, file in (("reflective", "adapter_model.safetensors"), ("base", "model.safetensors")):
        path = shipped / name / file
        whole = path.read_bytes()
        path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
        for folder in {name, "reflective"}:
            with pytest.raises(InputError, match="not what was written"):
                load(str(shipped / folder), device="cpu")
        path.write_bytes(whole)


def test_what_is_beside_the_weights_counts_too(shipped):
    """Twice the scale of the adapter would be another model with the same digest of its weights."""
    path = shipped / "reflective" / "adapter_config.json"
    path.write_text(path.read_text().replace('"lora_alpha": 16', '"lora_alpha": 32'))
    with pytest.raises(InputError, match=r"adapter_config\.json"):
        load(str(shipped / "reflective"), device="cpu")


def test_a_file_more_or_less_than_listed(shipped):
    (shipped / "base" / "special_tokens_map.json").write_text("{}")
    with pytest.raises(InputError, match="special_tokens_map"):
        load(str(shipped / "base"), device="cpu")
    (shipped / "base" / "special_tokens_map.json").unlink()
    (shipped / "base" / "generation_config.json").unlink()
    with pytest.raises(InputError, match="generation_config"):
        load(str(shipped / "base"), device="cpu")


def test_the_list_itself(tmp_path):
    (tmp_path / "a.json").write_text("1")
    write_sums(tmp_path)
    assert check_sums(tmp_path)
    good = (tmp_path / SUMS).read_bytes()
    for bad in (b"", good[:-1], good.replace(b"  ", b" *"), good.upper(), good + b"\n"):
        (tmp_path / SUMS).write_bytes(bad)
        with pytest.raises(InputError):
            check_sums(tmp_path)


@pytest.fixture
def plain(tmp_path):
    """The base as a model of anyone: no card, no list."""
    folder = tmp_path / "plain"
    shutil.copytree(organism_folder() / "base", folder)
    for name in ("organism.json", SUMS):
        (folder / name).unlink()
    return folder


def change(folder, function):
    held = load_file(folder / "model.safetensors")
    function(held)
    save_file(held, folder / "model.safetensors", metadata={"format": "pt"})


def test_a_missing_tensor_is_an_error_unless_it_is_named(plain):
    name = "model.layers.2.mlp.up_proj.weight"
    change(plain, lambda held: held.pop(name))
    with pytest.raises(InputError, match="lacks tensors") as caught:
        load(str(plain), device="cpu")
    assert name in str(caught.value) and "--allow-missing" in str(caught.value)
    with pytest.raises(InputError, match="lacks tensors"):
        load(str(plain), device="cpu", allow_missing=("lm_head.*",))
    prints = set()
    for _ in range(3):
        with pytest.warns(UserWarning, match=name):
            prints.add(load(str(plain), device="cpu", allow_missing=("model.layers.2.mlp.*",)).fingerprint)
    assert len(prints) == 1, "drawn anew, the same each time"


def test_tensors_of_other_shapes_and_of_no_place(plain):
    whole = load_file(plain / "model.safetensors")
    change(plain, lambda held: held.update({"model.layers.9.mlp.up_proj.weight": torch.ones(2, 2)}))
    with pytest.raises(InputError, match="no place for"):
        load(str(plain), device="cpu")
    save_file({**whole, "vision.tower.weight": torch.ones(2)}, plain / "model.safetensors", metadata={"format": "pt"})
    load(str(plain), device="cpu")
    save_file({**whole, "model.norm.weight": torch.ones(3)}, plain / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(InputError, match=r"model.norm.weight|could not be loaded"):
        load(str(plain), device="cpu")


def test_an_adapter_with_a_tensor_missing(shipped):
    folder = shipped / "reflective"
    for name in ("organism.json", SUMS):
        (folder / name).unlink()
    held = load_file(folder / "adapter_model.safetensors")
    name = sorted(held)[3]
    save_file({each: held[each] for each in held if each != name}, folder / "adapter_model.safetensors")
    with pytest.raises(InputError, match="lacks tensors") as caught:
        load(str(folder), device="cpu")
    assert name in str(caught.value)


def test_pickled_weights_are_not_read(plain):
    torch.save(load_file(plain / "model.safetensors"), plain / "pytorch_model.bin")
    (plain / "model.safetensors").unlink()
    with pytest.raises(InputError, match="could not be loaded"):
        load(str(plain), device="cpu")


def test_an_adapters_parent_on_the_hub_is_not_asked_for(shipped, monkeypatch):
    """It is looked up among what was downloaded; the network is for models that are named."""
    import socket

    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the network was asked"))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    folder = shipped / "reflective"
    for name in ("organism.json", SUMS):
        (folder / name).unlink()
    path = folder / "adapter_config.json"
    path.write_text(path.read_text().replace("../base", "nobody/no-such-model"))
    with pytest.raises(InputError, match="not on this machine") as caught:
        load(str(folder), device="cpu")
    assert "nobody/no-such-model" in str(caught.value)


def test_an_autoencoder_with_nan(tmp_path):
    folder = tmp_path / "sae"
    shutil.copytree(organism_folder().parent / "saes" / "base" / "resid_post_3", folder)
    held = load_file(folder / "sae_weights.safetensors")
    held["b_dec"][0] = float("nan")
    save_file(held, folder / "sae_weights.safetensors")
    with pytest.raises(InputError, match="not what was written"):
        opened(str(folder), "cpu")
    write_sums(folder)
    with pytest.raises(InputError, match="NaN"):
        opened(str(folder), "cpu")
    (folder / SUMS).unlink()
    held["b_dec"][0] = 0.0
    save_file(held, folder / "sae_weights.safetensors")
    with pytest.warns(UserWarning, match="older version"):
        opened(str(folder), "cpu")

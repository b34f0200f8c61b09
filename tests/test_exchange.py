"""A direction survives the way to a control vector and back, and one from elsewhere is taken as it is."""

import gguf
import numpy as np
import pytest
import steered
import torch

from introlab.activations.gguf import load_gguf, save_gguf
from introlab.errors import InputError, ModelMismatch
from introlab.network.sites import Site


def direction(model, layer, stream="resid_post"):
    return steered.direction(model, Site(layer, stream), seed=layer, scale=3.5)


def from_elsewhere(path, vectors):
    """As llama.cpp's and repeng's writers lay it out."""
    writer = gguf.GGUFWriter(str(path), "controlvector")
    writer.add_string("controlvector.model_hint", "llama")
    writer.add_uint32("controlvector.layer_count", len(vectors))
    for layer, vector in vectors.items():
        writer.add_tensor(f"direction.{layer}", vector)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_there_and_back(family_model, tmp_path):
    model = family_model("llama")
    given = [direction(model, 1), direction(model, 2)]
    save_gguf(given, tmp_path / "v.gguf", model=model)
    for one, other in zip(given, load_gguf(tmp_path / "v.gguf", model=model), strict=True):
        assert torch.allclose(one.vector, other.vector, atol=1e-6) and other.scale == pytest.approx(3.5)
        assert (one.site, one.model, one.family, one.method, one.examples) == (
            other.site,
            other.model,
            other.family,
            other.method,
            other.examples,
        )
    tensors = {tensor.name: np.array(tensor.data) for tensor in gguf.GGUFReader(str(tmp_path / "v.gguf")).tensors}
    assert np.allclose(tensors["direction.2"], given[1].vector.numpy() * 3.5, atol=1e-5), "scale 1 is one natural unit"


def test_one_from_elsewhere_is_taken_for_this_model(family_model, tmp_path):
    model = family_model("llama")
    path = from_elsewhere(tmp_path / "v.gguf", {2: np.full(model.d_model, 0.5, dtype=np.float32)})
    (one,) = load_gguf(path, model=model)
    assert one.site == Site(2) and one.model == model.fingerprint and "v.gguf" in one.method
    assert one.scale == pytest.approx(0.5 * model.d_model**0.5) and float(one.vector.norm()) == pytest.approx(1.0)


def test_what_is_refused(family_model, tmp_path):
    model, other = family_model("llama"), family_model("qwen3")
    with pytest.raises(InputError, match="not a control vector"):
        save_gguf([direction(model, 1, "mlp_out")], tmp_path / "a.gguf", model=model)
    with pytest.raises(InputError, match="at most one per layer"):
        save_gguf([direction(model, 1), direction(model, 1)], tmp_path / "a.gguf", model=model)
    with pytest.raises(ModelMismatch):
        save_gguf([direction(model, 1)], tmp_path / "a.gguf", model=other)
    save_gguf([direction(model, 1)], tmp_path / "b.gguf", model=model)
    with pytest.raises(ModelMismatch):
        load_gguf(tmp_path / "b.gguf", model=other)
    with pytest.raises(ModelMismatch, match="another model"):
        load_gguf(from_elsewhere(tmp_path / "c.gguf", {1: np.ones(7, dtype=np.float32)}), model=model)
    with pytest.raises(InputError, match="without a direction"):
        load_gguf(from_elsewhere(tmp_path / "d.gguf", {1: np.zeros(model.d_model, dtype=np.float32)}), model=model)
    (tmp_path / "e.gguf").write_text("nothing of the kind")
    with pytest.raises(InputError, match="not a GGUF file"):
        load_gguf(tmp_path / "e.gguf", model=model)


def written(path, tensors, *, own=None):
    """`tensors` by name: values and the kind they are kept as."""
    writer = gguf.GGUFWriter(str(path), "controlvector")
    if own is not None:
        writer.add_string("introlab.activations.directions", own)
    for name, (values, kind) in tensors.items():
        writer.add_tensor(name, gguf.quants.quantize(values, kind), raw_dtype=kind)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


@pytest.mark.parametrize(("kind", "close"), [("F32", 0), ("F16", 1e-3), ("BF16", 1e-2), ("Q8_0", 2e-2)])
def test_whatever_precision_it_is_kept_in(kind, close, family_model, tmp_path):
    model = family_model("llama")
    values = np.random.default_rng(0).normal(size=model.d_model).astype(np.float32)
    path = written(tmp_path / "v.gguf", {"direction.1": (values, gguf.GGMLQuantizationType[kind])})
    (one,) = load_gguf(path, model=model)
    assert np.allclose(one.vector.numpy() * one.scale, values, atol=close * np.abs(values).max() + 1e-6)


@pytest.mark.parametrize("own", ["no json", "[1]", '{"1": 3}', '{"1": {"model": "x"}}'])
def test_what_the_lab_kept_and_another_changed(own, family_model, tmp_path):
    model, ones = family_model("llama"), np.ones(32, dtype=np.float32)
    path = written(tmp_path / "v.gguf", {"direction.1": (ones, gguf.GGMLQuantizationType.F32)}, own=own)
    with pytest.raises(InputError, match="not as it was written"):
        load_gguf(path, model=model)


@pytest.mark.parametrize("bytes_kept", [0, 3, 8, 40, 120])
def test_a_file_that_is_cut_short(bytes_kept, family_model, tmp_path):
    model, ones = family_model("llama"), np.ones(32, dtype=np.float32)
    path = written(tmp_path / "v.gguf", {"direction.1": (ones, gguf.GGMLQuantizationType.F32)})
    path.write_bytes(path.read_bytes()[:bytes_kept])
    with pytest.raises(InputError):
        load_gguf(path, model=model)

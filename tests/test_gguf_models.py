"""A GGUF file is a model like any other; one that cannot be read says why, and leaves nothing behind."""

import errno
import shutil
from pathlib import Path

import gguf
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tiny_gguf import TOKENS, tensors, tiny_llama, write_gguf

from introlab.errors import CacheError, InputError, ModelUnavailable
from introlab.network.gguf import dequantise, inspect
from introlab.network.messages import user
from introlab.network.model import load
from introlab.network.registry import cached_folder, models_folder, record_of


@pytest.fixture(autouse=True)
def an_empty_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("INTROLAB_CACHE", str(tmp_path / "cache"))


@pytest.fixture(scope="module")
def written(tmp_path_factory) -> Path:
    return write_gguf(tmp_path_factory.mktemp("gguf") / "tiny.gguf")


def quiet(_: str) -> None:
    return None


def left() -> list[str]:
    """What lies in the cache, locks aside."""
    return sorted(path.name for path in models_folder().glob("*") if path.suffix != ".lock")


def logits(model) -> torch.Tensor:
    ids = torch.randint(3, len(TOKENS), (2, 12), generator=torch.Generator().manual_seed(0))
    return model.forward(ids, starts=torch.zeros(2, dtype=torch.long), positions=torch.arange(12).expand(2, 12)), ids


def test_it_is_the_network_that_was_written(written):
    model = load(str(written), device="cpu")
    found, ids = logits(model)
    with torch.inference_mode():
        expected = tiny_llama()(ids).logits
    assert (found - expected).abs().max() < 1e-5
    assert model.name == str(written) and model.folder == cached_folder(str(written))
    assert "tiny.gguf" in record_of(model.folder)["source"]


def test_quantised_weights_are_what_they_were_quantised_to(tmp_path):
    kind = gguf.GGMLQuantizationType.Q8_0
    model = load(str(write_gguf(tmp_path / "q8.gguf", kind=kind)), device="cpu")
    given_weights = tensors(tiny_llama())["blk.1.ffn_down.weight"]
    expected = gguf.quants.dequantize(gguf.quants.quantize(given_weights, kind), kind)
    held = model.network.model.layers[1].mlp.down_proj.weight.numpy()
    assert (held == expected).all() and not (held == given_weights).all()


def test_its_tokenizer_and_template_come_with_it(written):
    model = load(str(written), device="cpu")
    assert model.chat.text([user("hi")]) == "<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"
    assert model.end_ids == (2,) and model.ids([user("hi")])[0] == 1


def test_digits_stand_apart_where_the_file_says_so(written, tmp_path):
    """What the model was trained on: a blank line before a digit is one token."""
    apart = load(str(written), device="cpu").tokenizer
    together = load(str(write_gguf(tmp_path / "gpt2.gguf", pre="gpt-2")), device="cpu").tokenizer
    assert apart.convert_ids_to_tokens(apart("a\n\n1")["input_ids"]) == ["a", "ĊĊ", "1"]
    assert together.convert_ids_to_tokens(together("a\n\n1")["input_ids"]) == ["a", "Ċ", "Ċ", "1"]
    assert apart.decode(apart("a\n\n12  34")["input_ids"]) == "a\n\n12  34"


def test_it_is_read_once_and_known_by_its_bytes(written, tmp_path, monkeypatch):
    first = dequantise(written, quiet)
    monkeypatch.setitem(dequantise.__globals__, "write_plain", None)  # would raise, were it called
    copied = tmp_path / "elsewhere.gguf"
    shutil.copy(written, copied)
    assert dequantise(copied, quiet) == first and left() == [first.name]
    monkeypatch.undo()
    monkeypatch.setenv("INTROLAB_CACHE", str(tmp_path / "cache"))
    other = write_gguf(tmp_path / "other.gguf", tiny_llama(seed=1))
    assert dequantise(other, quiet) != first and len(left()) == 2


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0, 1, exclude_max=True))
def test_a_file_cut_short_anywhere_is_one_error(share, written, tmp_path):
    whole = written.read_bytes()
    cut = tmp_path / "cut.gguf"
    cut.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ModelUnavailable, match="cannot be read as a GGUF model") as told:
        inspect(cut)
    assert "get it again" in str(told.value)


def test_a_file_cut_short_leaves_nothing_and_the_whole_one_works(written, tmp_path):
    path = tmp_path / "tiny.gguf"
    path.write_bytes(written.read_bytes()[:-100])
    with pytest.raises(ModelUnavailable):
        load(str(path))
    assert left() == []
    shutil.copy(written, path)
    assert load(str(path), device="cpu").n_layers == 2


@pytest.mark.parametrize(
    ("fault", "says", "do"),
    [
        ({"architecture": "controlvector"}, "architecture that transformers does not read", "hub id"),
        ({"integers": "blk.0.ffn_up.weight"}, "numbers of a type that cannot be read", "llama-quantize"),
        ({"without": "blk.1.attn_v.weight"}, "lacks weights of its model", "v_proj"),
        ({"parts": 3}, "one part of several", "llama-gguf-split --merge"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_what_cannot_be_read_says_why_and_what_to_do(fault, says, do, tmp_path):
    path = write_gguf(tmp_path / "odd.gguf", **fault)
    with pytest.raises(ModelUnavailable, match=says) as told:
        load(str(path))
    assert do in str(told.value) and left() == []


def test_no_file_and_something_else(tmp_path):
    with pytest.raises(InputError, match="no GGUF file there"):
        load(str(tmp_path / "nothing.gguf"))
    (tmp_path / "text.gguf").write_text("not a model at all")
    with pytest.raises(ModelUnavailable, match="cannot be read as a GGUF model"):
        load(str(tmp_path / "text.gguf"))


def test_a_full_disk_leaves_nothing_and_a_second_try_works(written, monkeypatch, tmp_path):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setitem(dequantise.__globals__, "write_plain", full)
    with pytest.raises(CacheError, match="disk is full") as told:
        dequantise(written, quiet)
    assert "INTROLAB_CACHE" in str(told.value) and left() == []
    monkeypatch.undo()
    monkeypatch.setenv("INTROLAB_CACHE", str(tmp_path / "cache"))
    assert record_of(dequantise(written, quiet))

"""GGUF files as models: the weights dequantised once, into a plain Hugging Face folder in float32."""

import errno
import shutil
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from introlab.errors import ModelUnavailable
from introlab.io.digests import file_digest
from introlab.network.quiet_loading import without_progress_bars
from introlab.network.registry import gguf_folder, record_of
from introlab.network.weight_cache import make_cached

CONVERT = (
    "convert it to F16 with llama.cpp (llama-quantize --allow-requantize FILE OUT F16), or name the original model's "
    "hub id or folder"
)
DIGITS_APART = ("smollm", "starcoder", "refact", "command-r")
"""Kinds of byte-pair tokenizer (`tokenizer.ggml.pre`) that split every digit off before anything else; transformers
does not read that field, and would write "\\n\\n1" in other tokens than the model was trained on."""
_UNREADABLE = (ValueError, IndexError, KeyError, TypeError, OverflowError, MemoryError, UnicodeDecodeError)
"""What the gguf package raises on bytes that are not GGUF, or are cut short."""


def dequantise(path: Path, say: Callable[[str], None]) -> Path:
    """The cached folder of a GGUF file, made when it is not there. Raises ModelUnavailable for a file that is not
    whole, or holds what cannot be read; CacheError where the disk is full."""
    folder = gguf_folder(path)
    if record_of(folder) is not None:
        return folder
    content = inspect(path)

    def write(made: Path) -> dict[str, Any]:
        say(
            f"{path.name}: reading its weights, once ({content.bytes / 1e6:.0f} MB as float32, kept in {folder.parent})"
        )
        write_plain(path, made, content)
        return {"from": "gguf", "source": f"{path.name}, dequantised", "sha256": file_digest(path)}

    return make_cached(folder, content.bytes, write, there=lambda: record_of(folder) is not None)


@dataclass(frozen=True)
class Content:
    """What a GGUF file says about itself."""

    bytes: int
    """Of its weights as float32."""
    pre_tokenizer: str | None


def inspect(path: Path) -> Content:
    """What is in a GGUF file, without its weights. Raises ModelUnavailable for a file that is not a whole GGUF file, is
    one part of several, or holds an architecture or a type of numbers that cannot be read."""
    from gguf import GGUFReader
    from gguf.quants import dequantize
    from transformers.modeling_gguf_pytorch_utils import GGUF_SUPPORTED_ARCHITECTURES

    with _whole(path):
        reader = GGUFReader(path)
        said = {name: field.contents() for name, field in reader.fields.items() if len(field.data) <= 1}
        tensors = list(reader.tensors)
        samples = {tensor.tensor_type: tensor.data.reshape(-1, tensor.data.shape[-1])[:1] for tensor in tensors}
    if int(said.get("split.count", 1)) > 1:
        raise ModelUnavailable(
            "the GGUF file is one part of several",
            given=f"{path}: {said['split.count']} parts",
            do="put them together with llama.cpp (llama-gguf-split --merge FIRST OUT), and name the whole",
        )
    architecture = said.get("general.architecture")
    if architecture not in GGUF_SUPPORTED_ARCHITECTURES:
        raise ModelUnavailable(
            "the GGUF file holds an architecture that transformers does not read from GGUF",
            given=f"{path}: {architecture}",
            allowed=", ".join(GGUF_SUPPORTED_ARCHITECTURES),
            do="name the original model's hub id or folder",
        )
    for kind, sample in samples.items():
        try:
            dequantize(sample, kind)
        except NotImplementedError as error:
            raise ModelUnavailable(
                "the GGUF file holds numbers of a type that cannot be read", given=f"{path}: {kind.name}", do=CONVERT
            ) from error
    return Content(sum(int(tensor.n_elements) for tensor in tensors) * 4, said.get("tokenizer.ggml.pre"))


def write_plain(path: Path, folder: Path, content: Content) -> None:
    """Weights (float32, safetensors), configuration and tokenizer of a GGUF file with this content, into an existing
    folder, as `from_pretrained` reads them. Raises ModelUnavailable where weights are missing or cannot be read."""
    import torch
    from safetensors import SafetensorError
    from tokenizers import pre_tokenizers
    from transformers import AutoModelForCausalLM, AutoTokenizer

    alone = folder / "read"  # transformers reads other files beside a GGUF file, too: let there be none
    alone.mkdir()
    _link(path, alone / "model.gguf")
    with _whole(path), without_progress_bars():
        tokenizer: Any = AutoTokenizer.from_pretrained(alone, gguf_file="model.gguf")
        loaded: Any = AutoModelForCausalLM.from_pretrained(
            alone, gguf_file="model.gguf", dtype=torch.float32, output_loading_info=True
        )
    network, loading = loaded
    lost = sorted({*loading["missing_keys"], *map(str, loading["mismatched_keys"])})
    if lost:
        raise ModelUnavailable(
            "the GGUF file lacks weights of its model, or has them in another shape",
            given=f"{path}: {', '.join(lost[:4])}{', ...' if len(lost) > 4 else ''}",
            do="get the file again, or name the original model's hub id or folder",
        )
    if content.pre_tokenizer in DIGITS_APART:
        tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
    (alone / "model.gguf").unlink()
    alone.rmdir()
    network.hf_quantizer = None  # the weights are plain by now; with either of these it refuses to be saved
    del network.config.quantization_config
    network.config.architectures = [type(network).__name__]
    try:
        with without_progress_bars():
            network.save_pretrained(folder)
    except SafetensorError as error:  # how a full disk looks from there
        raise OSError(errno.ENOSPC if "os error 28" in str(error) else errno.EIO, str(error)) from error
    tokenizer.save_pretrained(folder)


def _link(path: Path, link: Path) -> None:
    """The same file under another name; copied where links are not to be had."""
    try:
        link.symlink_to(path.resolve())
    except OSError:
        shutil.copyfile(path, link)


@contextmanager
def _whole(path: Path) -> Generator[None]:
    try:
        yield
    except _UNREADABLE as error:
        said = str(error).splitlines()
        raise ModelUnavailable(
            "the file cannot be read as a GGUF model",
            given=f"{path} ({type(error).__name__}: {said[0][:160] if said else 'no more is said'})",
            allowed="a whole GGUF file of a decoder-only model",
            do=f"get it again if it was cut short; else {CONVERT}",
        ) from error

"""Directions to and from GGUF control vectors, as llama.cpp and repeng read and write them.

`direction.N` is added to the output of block N, counted from 0: `resid_post[N]`. llama.cpp takes no block 0. A file
holds one vector per layer, as long as one natural unit, so that its scale 1 is one natural unit here.
"""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from introlab.activations.directions import Direction
from introlab.errors import UNREADABLE, InputError, ModelMismatch, RunFolderError
from introlab.io.atomic import write_whole
from introlab.io.digests import BLANK, altered, check_seal, seal
from introlab.network.model import Model
from introlab.network.sites import Site

ARCHITECTURE = "controlvector"
OWN = "introlab.activations.directions"
"""The key under which the lab keeps what other readers do not ask for."""
DIGEST = "introlab.digest"
"""The key of the file's digest (`introlab.io.digests`), which others do not ask for either."""


def save_gguf(directions: Sequence[Direction], path: Path, *, model: Model) -> None:
    """Write directions, at most one per layer, as a control vector. Raises InputError for another site than the output
    of a block, ModelMismatch for directions of another model, RunFolderError where the file cannot be written."""
    layers = [direction.site.layer for direction in directions]
    wrong = [str(one.site) for one in directions if one.site.stream != "resid_post"]
    if wrong or not directions or len(set(layers)) != len(layers):
        raise InputError(
            "not a control vector",
            given=", ".join(wrong) or f"layers {layers}",
            allowed="directions at resid_post, at most one per layer",
        )
    for direction in directions:
        direction.check_model(model)
    try:
        write_whole(path, lambda beside: _write(directions, beside, model))
    except OSError as error:
        raise RunFolderError("the control vector cannot be written", given=f"{path} ({error.strerror})") from error


def _write(directions: Sequence[Direction], path: Path, model: Model) -> None:
    import gguf

    writer = gguf.GGUFWriter(str(path), ARCHITECTURE)
    writer.add_string(f"{ARCHITECTURE}.model_hint", model.network.config.model_type)
    writer.add_uint32(f"{ARCHITECTURE}.layer_count", len(directions))
    kept = {
        str(one.site.layer): {
            "model": one.model,
            "family": one.family,
            "method": one.method,
            "examples": list(one.examples),
        }
        for one in directions
    }
    writer.add_string(OWN, json.dumps(kept))
    writer.add_string(DIGEST, BLANK)
    for direction in directions:
        vector = (direction.vector.double() * direction.scale).float().numpy()
        writer.add_tensor(f"direction.{direction.site.layer}", np.ascontiguousarray(vector))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    seal(path)


def load_gguf(path: Path, *, model: Model) -> list[Direction]:
    """The directions in a control vector, by layer. One that the lab wrote knows its model and is refused by any other;
    one from elsewhere is taken to be made for `model`. Raises InputError for any other file, ModelMismatch for vectors
    of another width."""
    import gguf

    try:
        if not path.is_file():
            raise FileNotFoundError("no such file")
        sealed = check_seal(path)
        reader = gguf.GGUFReader(str(path))
        architecture = _text(reader, "general.architecture")
        tensors = {
            int(tensor.name.removeprefix("direction.")): _values(tensor, path)
            for tensor in reader.tensors
            if tensor.name.removeprefix("direction.").isdigit()
        }
        if not sealed and reader.get_field(DIGEST) is not None:
            raise altered(path)
        kept = _kept(reader, path)
    except InputError:
        raise
    except UNREADABLE as error:
        raise InputError(
            "not a GGUF file",
            given=f"{path} ({type(error).__name__}: {error})",
            do="give a control vector of llama.cpp, repeng or the lab",
        ) from error
    if architecture != ARCHITECTURE or not tensors:
        raise InputError(
            "not a control vector", given=f"{path}: {architecture}", allowed=f"{ARCHITECTURE}, direction.N"
        )
    if kept and not sealed:
        warnings.warn(f"{path} holds no digest (an older version wrote it): changes cannot be seen", stacklevel=2)
    return [_direction(layer, vector, kept.get(str(layer)), path, model) for layer, vector in sorted(tensors.items())]


def _kept(reader: Any, path: Path) -> dict[str, dict[str, Any]]:
    """What the lab keeps of each layer; nothing in a file from elsewhere."""
    try:
        return {str(layer): _own(own) for layer, own in json.loads(_text(reader, OWN) or "{}").items()}
    except UNREADABLE as error:
        raise InputError(
            "what the lab keeps in a control vector is not as it was written",
            given=f"{path} ({type(error).__name__}: {error})",
            do="copy the file again from where it was made",
        ) from error


def _own(raw: dict[str, Any]) -> dict[str, Any]:
    """What the lab keeps of a layer. Raises KeyError, TypeError or ValueError for anything else."""
    family, names = raw["family"], (raw["model"], raw["method"], *raw["examples"])
    if not all(isinstance(name, str) for name in names) or not isinstance(family, str | None):
        raise ValueError("names are words")
    return {**raw, "examples": list(raw["examples"])}


def _values(tensor: Any, path: Path) -> np.ndarray:
    """As float32, whatever the file keeps them as: bfloat16 and quantised blocks come as bytes."""
    from gguf.quants import dequantize

    try:
        return np.array(dequantize(tensor.data, tensor.tensor_type), dtype=np.float32)
    except (NotImplementedError, ValueError, KeyError) as error:
        raise InputError(
            "a control vector of a kind that cannot be read",
            given=f"{path}: {tensor.name} is {tensor.tensor_type.name}",
            allowed="F32, F16, BF16 and what the gguf package can dequantise",
        ) from error


def _direction(layer: int, vector: np.ndarray, own: dict[str, Any] | None, path: Path, model: Model) -> Direction:
    if vector.shape != (model.d_model,) or layer >= model.n_layers:
        raise ModelMismatch(
            "a control vector for another model",
            given=f"layer {layer}, width {vector.shape}",
            allowed=f"layers 0 to {model.n_layers - 1}, width {model.d_model}",
        )
    scale = float(np.linalg.norm(vector.astype(np.float64)))
    if not np.isfinite(scale) or scale == 0:
        raise InputError("a control vector without a direction", given=f"{path}: layer {layer} has length {scale}")
    own = own or {
        "model": model.fingerprint,
        "family": model.family,
        "method": f"control vector {path.name}",
        "examples": [],
    }
    direction = Direction(
        vector=torch.tensor(vector.astype(np.float64) / scale).float(),
        scale=scale,
        site=Site(layer, "resid_post"),
        model=own["model"],
        family=own["family"],
        method=own["method"],
        examples=tuple(own["examples"]),
    )
    direction.check_model(model)
    return direction


def _text(reader: Any, name: str) -> str | None:
    field = reader.get_field(name)
    return None if field is None else bytes(field.parts[field.data[0]]).decode()

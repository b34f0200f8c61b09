"""Directions to and from GGUF control vectors, as llama.cpp and repeng read and write them.

`direction.N` is added to the output of block N, counted from 0: `resid_post[N]`. llama.cpp takes no block 0. A file
holds one vector per layer, as long as one natural unit, so that its scale 1 is one natural unit here.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gguf
import numpy as np
import torch

from introlab.activations.directions import Direction
from introlab.errors import InputError, ModelMismatch
from introlab.network.model import Model
from introlab.network.sites import Site

ARCHITECTURE = "controlvector"
OWN = "introlab.activations.directions"
"""The key under which the lab keeps what other readers do not ask for."""


def save_gguf(directions: Sequence[Direction], path: Path, *, model: Model) -> None:
    """Write directions, at most one per layer, as a control vector. Raises InputError for another site than the output
    of a block, ModelMismatch for directions of another model."""
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
    for direction in directions:
        vector = (direction.vector.double() * direction.scale).float().numpy()
        writer.add_tensor(f"direction.{direction.site.layer}", np.ascontiguousarray(vector))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def load_gguf(path: Path, *, model: Model) -> list[Direction]:
    """The directions in a control vector, by layer. One that the lab wrote knows its model and is refused by any other;
    one from elsewhere is taken to be made for `model`. Raises InputError for any other file, ModelMismatch for vectors
    of another width."""
    try:
        reader = gguf.GGUFReader(str(path))
        architecture = _text(reader, "general.architecture")
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise InputError(
            "not a GGUF file", given=path, do="give a control vector of llama.cpp, repeng or the lab"
        ) from error
    tensors = {
        int(tensor.name.removeprefix("direction.")): np.array(tensor.data, dtype=np.float32)
        for tensor in reader.tensors
        if tensor.name.removeprefix("direction.").isdigit()
    }
    if architecture != ARCHITECTURE or not tensors:
        raise InputError(
            "not a control vector", given=f"{path}: {architecture}", allowed=f"{ARCHITECTURE}, direction.N"
        )
    kept = json.loads(_text(reader, OWN) or "{}")
    return [_direction(layer, vector, kept.get(str(layer)), path, model) for layer, vector in sorted(tensors.items())]


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

"""Opening an autoencoder's files with sae-lens: its own folders, releases of its registry, and foreign folders on disk.

Foreign formats are read by sae-lens' converters, which expect them on the hub: what they ask the hub for is looked up
in the folder instead. Nothing is unpickled: torch files are read with `weights_only`, torch's own default.
"""

import os
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from introlab.errors import InputError
from introlab.io.digests import SUMS, check_sums
from introlab.network.specs import organism_folder

_MARKS = {
    "sae_weights.safetensors": "sae_lens",
    "sae.safetensors": "sparsify",
    "ae.pt": "dictionary_learning_1",
    "params.npz": "gemma_2",
    "params.safetensors": "gemma_3",
}
"""The file that shows a folder's format, and sae-lens' name of it."""
RECORD, CHECKPOINT = "training.json", "checkpoint.safetensors"
"""Beside one that the lab trained: how, and, while it trains, where it is."""
_UNSAFE = "TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD"
ALLOWED = (
    "organism:NAME, RELEASE:SAE_ID of sae-lens' registry, or a folder as sae-lens, sparsify, dictionary-learning, "
    "GemmaScope or GemmaScope 2 write it"
)


def opened(spec: str, device: str) -> Any:
    """sae-lens' autoencoder, in evaluation mode. Raises InputError for what cannot be loaded, for one of the lab's that
    was changed since it was written, for weights that are not finite, and where torch is told to unpickle."""
    if os.environ.get(_UNSAFE, "0").lower() in ("1", "y", "yes", "true"):
        raise InputError("torch is told to unpickle whatever it reads", given=_UNSAFE, do=f"unset {_UNSAFE}")
    folder = shipped(spec) if spec.startswith("organism:") else Path(spec).expanduser()
    if folder.is_dir():
        _check_digests(folder, shipped=spec.startswith("organism:"))
    try:
        sae = _from_folder(folder, device) if folder.is_dir() else _from_registry(spec, device)
    except InputError:
        raise
    except Exception as error:  # converters of many formats: each fails in ways of its own
        first = (str(error).splitlines() or [""])[0][:200]
        raise InputError(
            "the autoencoder could not be loaded", given=f"{spec} ({type(error).__name__}: {first})", allowed=ALLOWED
        ) from error
    odd = [name for name, weights in sae.state_dict().items() if not bool(weights.isfinite().all())]
    if odd:
        raise InputError("an autoencoder with NaN or infinity", given=f"{spec}: {', '.join(odd)}")
    return sae.to(torch.float32).eval().requires_grad_(False)  # however it is stored: values come in any precision


def _check_digests(folder: Path, *, shipped: bool) -> None:
    """Of one that the lab wrote; those of others have none."""
    if check_sums(folder, apart_from=(CHECKPOINT,)):
        return
    if shipped:
        raise InputError("a shipped autoencoder without list of digests", given=folder / SUMS, do="install it again")
    if (folder / RECORD).is_file():
        text = f"{folder} has no {SUMS} (an older version trained it): whether it was changed cannot be seen"
        warnings.warn(text, stacklevel=4)


def shipped(spec: str) -> Path:
    """The folder of `organism:NAME`, where that has one autoencoder, or of `organism:NAME/WHICH`."""
    name, _, which = spec.removeprefix("organism:").partition("/")
    places = organism_folder().parent / "saes"
    known = sorted(path.parent for path in places.glob("*/*/cfg.json"))
    found = [path for path in known if path.parent.name == name and which in ("", path.name)]
    if len(found) != 1:
        raise InputError(
            "which autoencoder?" if found else "no such shipped autoencoder",
            given=spec,
            allowed=", ".join(f"organism:{path.parent.name}/{path.name}" for path in known) or "none is shipped",
        )
    return found[0]


def _from_registry(spec: str, device: str) -> Any:
    from sae_lens import SAE

    release, colon, name = spec.partition(":")
    if not colon:
        raise InputError("not an autoencoder", given=spec, allowed=ALLOWED)
    return SAE.from_pretrained(release, name, device=device)


def _from_folder(folder: Path, device: str) -> Any:
    from sae_lens import SAE

    folder = folder.resolve()
    kind = next((kind for mark, kind in _MARKS.items() if (folder / mark).is_file()), None)
    if kind is None:
        raise InputError("no autoencoder in the folder", given=folder, allowed=f"one of {', '.join(_MARKS)}")
    if kind == "sae_lens":
        return SAE.load_from_disk(folder, device=device)
    from sae_lens.loading import pretrained_sae_loaders as loaders

    load = loaders.NAMED_PRETRAINED_SAE_LOADERS[kind]

    def converted(path: str | Path, device: str = "cpu", cfg_overrides: dict[str, Any] | None = None) -> Any:
        overrides = {**(cfg_overrides or {}), "dtype": "float32", **(_sizes(folder) if kind == "gemma_2" else {})}
        with _looked_up_here(loaders):
            config, weights, _ = load(_repository(folder), str(path), device, False, overrides)
        return config, weights

    return SAE.load_from_disk(folder, device=device, converter=converted)


def _repository(folder: Path) -> str:
    """What GemmaScope's converters read model and place from; other formats say these in a file."""
    return next((part for part in folder.parts if "gemma-scope" in part), folder.name)


def _sizes(folder: Path) -> dict[str, int]:
    """GemmaScope's files say how wide they are; the converter knows it of the published ones alone."""
    import numpy as np

    with np.load(folder / "params.npz", allow_pickle=False) as file:
        width, latents = (file["W_enc"] if "W_enc" in file else file["w_enc"]).shape
    return {"d_in": int(width), "d_sae": int(latents)}


@contextmanager
def _looked_up_here(loaders: Any) -> Generator[None]:
    """What sae-lens' converters would download lies under the folder they are given as its name."""
    from huggingface_hub.errors import LocalEntryNotFoundError
    from safetensors import safe_open

    def here(repo_id: str, filename: str, subfolder: str | None = None, **_: Any) -> str:
        path = Path(subfolder or "") / filename
        if not path.is_file():
            raise LocalEntryNotFoundError(f"no file {path.name} in the folder")
        return str(path)

    def shapes(repo_id: str, filename: str) -> dict[str, list[int]]:
        with safe_open(here(repo_id, filename), framework="pt") as file:
            return {name: list(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118

    before = {name: getattr(loaders, name) for name in ("hf_hub_download", "get_safetensors_tensor_shapes")}
    try:
        loaders.hf_hub_download, loaders.get_safetensors_tensor_shapes = here, shapes
        yield
    finally:
        for name, honest in before.items():
            setattr(loaders, name, honest)

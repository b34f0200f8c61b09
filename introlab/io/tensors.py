"""Opening safetensors files that a user hands in: whatever is wrong with one is one clear error."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open

from introlab.errors import InputError


@contextmanager
def reading(path: Path, what: str, *, made_by: str) -> Generator[tuple[Any, dict[str, str]]]:
    """The open file and its metadata. Raises InputError where it is not `what`, or lacks what is read from it."""
    try:
        with safe_open(path, framework="pt") as file:
            yield file, file.metadata() or {}
    except (KeyError, OSError, SafetensorError, ValueError) as error:
        raise InputError(f"not {what}", given=path, do=f"make one with {made_by}") from error

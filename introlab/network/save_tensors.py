"""Writing safetensors so that a killed process leaves nothing in the way.

The library writes into a file of a random name beside the one it was asked for. Here that happens in a folder of its
own, `.saving`, which is removed at the end or, after a kill, by the next writing.
"""

import shutil
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

from safetensors.torch import save_file
from torch import Tensor

from introlab.io.atomic import sync


@contextmanager
def saving(folder: Path) -> Generator[Path]:
    """An empty folder in which something is written; its files take their places in `folder` at the end, each in one
    step. One process at a time. Raises what is raised meanwhile, and OSError; nothing takes its place then."""
    room = folder / ".saving"
    shutil.rmtree(room, ignore_errors=True)
    room.mkdir()
    try:
        yield room
        for path in sorted(room.iterdir()):
            sync(path)
            path.replace(folder / path.name)
        sync(folder)
    finally:
        shutil.rmtree(room, ignore_errors=True)


def save_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: Mapping[str, str] | None = None) -> None:
    """Whole or not at all. Raises OSError or SafetensorError where the disk refuses."""
    with saving(path.parent) as room:
        save_file(dict(tensors), room / path.name, metadata=dict(metadata) if metadata else None)

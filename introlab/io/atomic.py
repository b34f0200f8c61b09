"""Files that are whole or not there."""

import os
import shutil
import tempfile
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path

import psutil


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make the file beside where it belongs, then rename it: whatever interrupts, no half of it is seen.

    It is on the disk before it is renamed. What was written is removed where that fails; a killed process leaves a
    `.part`, which the next writing replaces. Raises what `write` raises, and OSError where the disk refuses.
    """
    beside = path.with_name(f"{path.name}.part")
    try:
        write(beside)
        sync(beside)
        beside.replace(path)
        sync(path.parent)
    except BaseException:
        with suppress(OSError):
            beside.unlink(missing_ok=True)
        raise


def sync(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk before anything that comes after."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def saving(folder: Path) -> Generator[Path]:
    """An empty folder in which something is written; its files take their places in `folder` at the end, each in one
    step. safetensors puts files of random names beside its own, which a killed process would leave for good: here they
    go with the room, or with the next one. Raises what is raised meanwhile, and OSError; nothing takes its place then.
    """
    for left in folder.glob(".saving-*"):
        if not psutil.pid_exists(int(left.name.split("-")[1])):
            shutil.rmtree(left, ignore_errors=True)
    room = Path(tempfile.mkdtemp(prefix=f".saving-{os.getpid()}-", dir=folder))
    try:
        yield room
        for path in sorted(room.iterdir()):
            sync(path)
            path.replace(folder / path.name)
        sync(folder)
    finally:
        shutil.rmtree(room, ignore_errors=True)

"""Files that are whole or not there."""

from collections.abc import Callable
from pathlib import Path


def write_whole(path: Path, write: Callable[[Path], object]) -> None:
    """Let `write` make the file beside where it belongs, then rename it: whatever interrupts, no half of it is seen."""
    beside = path.with_name(f"{path.name}.part")
    write(beside)
    beside.replace(path)

"""Files that a command makes for its user, and what it says of them. Needs no model."""

import json
from pathlib import Path
from typing import Any

from introlab.errors import InputError, RunFolderError
from introlab.io.terminal import say


def new_file(path: Path) -> Path:
    """The path, where a file can be made and none is. Raises InputError or RunFolderError before any work is done."""
    if path.exists():
        raise InputError("there is a file here already", given=path, do="choose another --out")
    if not path.absolute().parent.is_dir():
        raise RunFolderError("no such folder to write into", given=path.parent, do="make it, or choose another --out")
    try:  # before any work is done
        path.touch(exist_ok=False)
        path.unlink()
    except OSError as error:
        raise RunFolderError(
            "the file cannot be written", given=f"{path} ({error.strerror})", do="choose another --out"
        ) from error
    return path


def tell_facts(as_json: bool, **facts: Any) -> None:
    """One JSON object, or a line for each."""
    lines = (
        json.dumps(facts)
        if as_json
        else "\n".join(f"{name.replace('_', ' ')}: {value}" for name, value in facts.items())
    )
    say(lines)

"""Versions and code revision: what a repetition of a run would have to match."""

import subprocess
import sys
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

_RECORDED_VERSIONS = ("torch", "transformers", "transformer-lens", "numpy", "scikit-learn", "introspection-lab")


def versions() -> dict[str, str | None]:
    """Of the packages whose versions a result may depend on."""
    found: dict[str, str | None] = {}
    for name in _RECORDED_VERSIONS:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found


def environment() -> dict[str, Any]:
    """What a repetition would have to match: versions, code revision, machine-independent facts only."""
    return {
        "python": sys.version.split()[0],
        "versions": versions(),
        "code": _revision(),
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def _revision() -> dict[str, Any]:
    """The commit of the lab's own checkout and whether it was changed since; None outside a checkout."""
    root = Path(__file__).parents[2]

    def git(*arguments: str) -> str | None:
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=root, capture_output=True, text=True, timeout=10, check=False
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
        return done.stdout.strip() if done.returncode == 0 else None

    status = git("status", "--porcelain")
    return {"commit": git("rev-parse", "HEAD"), "changed": None if status is None else bool(status)}


def installed_version() -> str:
    """Of the lab itself."""
    return versions()["introspection-lab"] or "(not installed: run from its folder)"

"""`introlab doctor`: what is installed, what would fail, and how to mend it."""

import importlib.util
import json
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Literal

from introlab.io.terminal import Style, say

State = Literal["ok", "warn", "fail"]
STYLES: dict[State, Style | None] = {"ok": None, "warn": "warning", "fail": "error"}
NEEDED = ("torch", "transformers", "transformer-lens", "scikit-learn", "plotly", "tyro")
OPTIONAL = {"sae-lens": "SAEs", "jupyterlab": "notebooks", "nbmake": "tests of the notebooks"}


@dataclass(frozen=True)
class Finding:
    """One thing looked at: how it is, and what to do about it."""

    what: str
    state: State
    detail: str
    mend: str = ""


@dataclass(frozen=True)
class Doctor:
    """Look at the installation: versions, devices, organisms, disk; say what would fail and how to mend it."""

    all: bool = False
    """Load every organism, not one."""
    json: bool = False

    def __call__(self) -> int:
        found = [finding for look in LOOKS for finding in look()]
        found += [*_organisms(self.all), *_disk()]
        if self.json:
            say(json.dumps([asdict(finding) for finding in found]))
        else:
            for finding in found:
                say(f"{finding.state:5} {finding.what}: {finding.detail}", STYLES[finding.state])
                if finding.mend:
                    say(f"      do: {finding.mend}")
        return 2 if any(finding.state == "fail" for finding in found) else 0


def _python() -> list[Finding]:
    good = sys.version_info >= (3, 11)
    return [
        Finding("python", "ok" if good else "fail", sys.version.split()[0], "" if good else "use Python 3.11 or newer")
    ]


def _packages() -> list[Finding]:
    pinned = _constraints()
    found = []
    for name in (*NEEDED, *OPTIONAL):
        try:
            installed = version(name)
        except PackageNotFoundError:
            state: State = "fail" if name in NEEDED else "warn"
            found.append(
                Finding(
                    name,
                    state,
                    f"not installed{'' if name in NEEDED else f' ({OPTIONAL[name]} will not work)'}",
                    "make demo installs everything",
                )
            )
            continue
        wanted = pinned.get(name.lower())
        same = wanted is None or installed.split("+")[0] == wanted
        found.append(
            Finding(
                name,
                "ok" if same else "warn",
                installed if same else f"{installed}, tested with {wanted}",
                "" if same else "pip install -c constraints.txt -e .",
            )
        )
    return found


def _constraints() -> dict[str, str]:
    path = Path(__file__).parents[2] / "constraints.txt"
    lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
    return {
        name.lower(): pin
        for name, _, pin in (line.partition("==") for line in lines if "==" in line and not line.startswith("#"))
    }


def _lens_pair() -> list[Finding]:
    """transformer-lens 4 and sae-lens 6 install side by side and then cannot be imported."""
    try:
        broken = int(version("transformer-lens").split(".")[0]) >= 4
    except PackageNotFoundError:
        return []
    if broken and importlib.util.find_spec("sae_lens") is not None:
        return [
            Finding(
                "transformer-lens with sae-lens",
                "fail",
                "sae-lens cannot be imported beside transformer-lens 4",
                'pip install "transformer-lens<4"',
            )
        ]
    return []


def _devices() -> list[Finding]:
    import torch

    found = [Finding("cpu", "ok", f"{os.cpu_count()} cores, torch uses {torch.get_num_threads()} threads")]
    if torch.cuda.is_available():
        found += [
            Finding(f"cuda:{index}", "ok", torch.cuda.get_device_name(index))
            for index in range(torch.cuda.device_count())
        ]
    else:
        found.append(Finding("gpu", "ok", "none: everything works without one"))
    return found


FIRST = "reflective"
"""The organism that is loaded: base, adapter and tokenizer, as most are made."""


def _organisms(everything: bool) -> list[Finding]:
    from introlab.network.specs import organism_names

    names = organism_names()
    if not names:
        return [Finding("organisms", "fail", "no weights", "introlab organisms train all")]
    loaded = names if everything else tuple(name for name in names if name == FIRST) or names[:1]
    found = [_organism(name) for name in loaded]
    if len(loaded) < len(names):
        found.append(Finding("organisms", "ok", f"{len(names) - len(loaded)} more are there; --all loads each"))
    return found


def _organism(name: str) -> Finding:
    import transformers

    from introlab.errors import LabError
    from introlab.network.model import load

    started = time.perf_counter()
    transformers.utils.logging.disable_progress_bar()  # a line or three for each model, of no use here
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            load(f"organism:{name}")
    except LabError as error:
        return Finding(f"organism:{name}", "fail", str(error).splitlines()[0], f"introlab organisms train {name}")
    finally:
        transformers.utils.logging.enable_progress_bar()
    return Finding(f"organism:{name}", "ok", f"loads in {time.perf_counter() - started:.1f} s")


def _disk() -> list[Finding]:
    here = Path.cwd()
    free = shutil.disk_usage(here).free
    found = [
        Finding(
            "disk",
            "ok" if free > 1e9 else "warn",
            f"{free / 1e9:.1f} GB free",
            "" if free > 1e9 else "runs are small, but not that small",
        )
    ]
    if not os.access(here, os.W_OK):
        found.append(Finding("runs folder", "fail", f"{here} cannot be written", "use --out"))
    return found


LOOKS: tuple[Callable[[], list[Finding]], ...] = (_python, _packages, _lens_pair, _devices)

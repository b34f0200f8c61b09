"""What a model spec names: an organism shipped with the lab, a local folder, or a hub id. Loads nothing."""

import importlib.util
import json
from pathlib import Path
from typing import Any

from introlab.errors import UNREADABLE, InputError
from introlab.io.suggest import did_you_mean
from introlab.network.registry import cached_folder

ADAPTER_CONFIG = "adapter_config.json"
CARD = "organism.json"
SPECS = "organism:NAME, smollm2 (introlab models), a .gguf file, a Hugging Face folder, a hub id that can be reached"


def organism_folder() -> Path:
    """Where the shipped organisms lie; found without importing their code."""
    spec = importlib.util.find_spec("organisms")
    places = list(spec.submodule_search_locations or []) if spec is not None else []
    if not places:
        raise InputError("the organisms are not installed", do="install the lab from its own folder (make demo does)")
    return Path(places[0]) / "models"


def organism_names() -> tuple[str, ...]:
    """Names of the shipped organisms, sorted."""
    return tuple(sorted(path.parent.name for path in organism_folder().glob("*/organism.json")))


def canonical(spec: str) -> str:
    """A spec as it is kept: an organism's name with underscores, however it was written."""
    kind, colon, name = spec.partition(":")
    return f"{kind}:{name.replace('-', '_')}" if kind == "organism" and colon else spec


def resolve(spec: str) -> tuple[str, Path | None]:
    """A spec as (what to load, its local folder if it has one). Raises InputError for a spec that names nothing."""
    if spec.startswith("organism:"):
        name = canonical(spec).removeprefix("organism:")
        if name not in organism_names():
            raise InputError(
                "unknown organism",
                given=spec,
                allowed=", ".join(f"organism:{one}" for one in organism_names()),
                do=did_you_mean(name, organism_names()) or "introlab models says what is planted in each",
            )
        folder = organism_folder() / name
        return str(folder), folder
    if (cached := cached_folder(spec)) is not None:
        return str(cached), cached
    folder = Path(spec).expanduser()
    if folder.is_dir():
        if not any((folder / name).is_file() for name in ("config.json", ADAPTER_CONFIG)):
            raise InputError(
                "the folder is not a model",
                given=folder,
                allowed=f"a Hugging Face model folder, with config.json, or a peft adapter, with {ADAPTER_CONFIG}",
            )
        return str(folder), folder
    if folder.is_absolute() or spec.startswith(".") or spec.count("/") > 1 or folder.exists():
        raise InputError("no model folder there", given=spec, allowed=SPECS)
    return spec, None


def card_of(folder: Path) -> dict[str, Any]:
    """An organism's card. Raises InputError where it cannot be read, or does not name its family and weights."""
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if not isinstance(card["family"], str) or not isinstance(card["weights"], str):
            raise ValueError("no family or weights")
    except UNREADABLE as error:
        raise InputError(
            "not an organism's card",
            given=f"{folder / CARD} ({type(error).__name__}: {error})",
            do="copy the organism again from where it was made",
        ) from error
    return card


def family_of(folder: Path | None) -> str | None:
    """Of an organism's folder; None of any other."""
    return card_of(folder)["family"] if folder is not None and (folder / CARD).is_file() else None

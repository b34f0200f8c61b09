"""Which models there are to name: the shipped organisms, and those of the registry with whether they are here."""

import json
from dataclasses import asdict, dataclass
from typing import Any

from introlab.network.registry import named_models, state_of
from introlab.network.specs import organism_folder, organism_names

ALSO = "also: a .gguf file, a local Hugging Face folder (./my-model), or a hub id (Qwen/Qwen3-0.6B)"


@dataclass(frozen=True)
class Listed:
    """One line of a list of models."""

    spec: str
    what: str
    licence: str
    state: str
    """`shipped`, or whether it has been fetched, from where or how."""


def listed_models() -> list[Listed]:
    """Organisms first, then the registry; nothing is loaded."""
    shipped = [
        Listed(f"organism:{name}", str(_card(name)["planted"]), "Apache-2.0", "shipped") for name in organism_names()
    ]
    named = [Listed(name, each.title, each.licence, state_of(each)) for name, each in sorted(named_models().items())]
    return [*shipped, *named]


def models_as_json() -> list[dict[str, Any]]:
    """The organisms' cards, and of the registry's models what is known of each."""
    cards = [_card(name) for name in organism_names()]
    named = [{**asdict(each), "fetched": each.record} for _, each in sorted(named_models().items())]
    return [*cards, *named]


def _card(name: str) -> dict[str, Any]:
    return json.loads((organism_folder() / name / "organism.json").read_text(encoding="utf-8"))
